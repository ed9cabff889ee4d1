"""Kinds of processors, and their selection by an environment variable."""

import platform

import pytest

from convrnn_model import ConvRNNError
from convrnn_model.inference import processor as module
from convrnn_model.inference.processor import KINDS, VARIABLE, default_threads, processor, supported

AVX2 = {"avx2", "fma", "sse4.2"}
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
BF16 = AVX512 | {"avx512bf16"}
AMX = BF16 | {"amx-tile", "amx-bf16", "amx-int8"}


@pytest.fixture
def machine(monkeypatch):
    """Return a function that replaces this machine's processor."""
    monkeypatch.delenv(VARIABLE, raising=False)

    def replace(name, features):
        monkeypatch.setattr(platform, "machine", lambda: name)
        monkeypatch.setattr(module, "_features", lambda: frozenset(features))

    return replace


@pytest.mark.parametrize(
    ("name", "features", "kind"),
    [
        ("x86_64", {"sse4.2"}, "generic"),
        ("x86_64", AVX2, "avx2"),
        ("AMD64", AVX512, "avx512"),
        ("x86_64", AVX512 - {"avx512dq"}, "avx2"),
        ("x86_64", BF16, "avx512-bf16"),
        ("x86_64", AMX, "amx"),
        ("x86_64", AMX - {"avx512bf16"}, "avx512"),
        ("aarch64", {"neon", "bf16"}, "neon"),
        ("arm64", set(), "neon"),
        ("riscv64", {"v"}, "generic"),
    ],
)
def test_kinds(name, features, kind, machine):
    machine(name, features)
    assert processor() == kind


def test_this_machine(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert processor() in KINDS


@pytest.mark.parametrize("kind", ["generic", "avx2", "avx512", "avx512-bf16"])
def test_a_lesser_kind_can_be_selected(kind, machine, monkeypatch):
    machine("x86_64", BF16)
    monkeypatch.setenv(VARIABLE, kind)
    assert processor() == kind


@pytest.mark.parametrize("kind", ["amx", "neon", "sse"])
def test_kinds_that_the_processor_lacks_are_refused(kind, machine, monkeypatch):
    machine("x86_64", BF16)
    monkeypatch.setenv(VARIABLE, kind)
    with pytest.raises(ConvRNNError, match=rf"generic, avx2, avx512, avx512-bf16.*got '{kind}'"):
        processor()


def test_an_empty_variable_selects_nothing(machine, monkeypatch):
    machine("x86_64", AVX2)
    monkeypatch.setenv(VARIABLE, "")
    assert processor() == "avx2"


def test_supported_kinds_end_with_the_best():
    assert supported("x86_64", AVX512) == ("generic", "avx2", "avx512")
    assert supported("aarch64", AVX512) == ("generic", "neon")


def test_threads_are_those_of_the_process(monkeypatch):
    assert default_threads() >= 1
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda process: {0, 5, 7}, raising=False)
    assert default_threads() == 3
    monkeypatch.delattr(module.os, "sched_getaffinity")
    monkeypatch.setattr(module.os, "cpu_count", lambda: None)
    assert default_threads() == 1
