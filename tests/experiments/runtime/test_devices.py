"""What computes, what is said of it, and settings of Keras that commands override or refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.fingerprint import Dependencies, cache_folder
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.environment import Environment
from convrnn_experiments.runtime import devices, processes, tensorflow


@pytest.fixture
def defaults():
    """Keras' global state as it was, after the test."""
    yield
    tensorflow.fix_keras()


def spoil_keras() -> None:
    keras.config.set_floatx("float16")
    keras.config.set_epsilon(0.5)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("float64")
    keras.config.set_max_epochs(1)
    keras.config.set_max_steps_per_epoch(1)


@pytest.mark.usefixtures("defaults")
def test_commands_set_keras_back() -> None:
    spoil_keras()
    with tensorflow.quiet_import():
        pass
    state = devices.numerics()
    assert (state["floatx"], state["epsilon"], state["image_data_format"]) == (
        "float32",
        1e-7,
        "channels_last",
    )
    assert keras.config.dtype_policy().name == "float32"
    assert (keras.config.max_epochs(), keras.config.max_steps_per_epoch()) == (None, None)


COMMAND = "import sys; sys.argv[1:] = {!r}; from convrnn_experiments.cli import main; main()"


def run(arguments: list[str], home: Path, settings: dict[str, object], **variables: str) -> tuple[int, str]:
    (home / ".keras").mkdir(parents=True, exist_ok=True)
    given = {
        "floatx": "float32",
        "epsilon": 1e-7,
        "backend": "tensorflow",
        "image_data_format": "channels_last",
    }
    (home / ".keras" / "keras.json").write_text(json.dumps(given | settings))
    done = subprocess.run(
        [sys.executable, "-c", COMMAND.format(arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"HOME": str(home)} | variables,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("settings", "variables", "says"),
    [
        ({"backend": "theano"}, {}, "got 'theano' from {home}/.keras/keras.json"),
        (
            {},
            {"KERAS_BACKEND": "torch"},
            "must be tensorflow or jax, got 'torch' from the environment variable",
        ),
        ({}, {"KERAS_BACKEND": "numpy"}, "`convrnn compare` and `report` work under any backend"),
        ({"floatx": "int8"}, {}, "Invalid `floatx`"),
    ],
)
def test_backends_that_commands_cannot_use_are_one_line(
    settings: dict[str, object], variables: dict[str, str], says: str, tmp_path: Path
) -> None:
    code, said = run(["stimuli", "nowhere", "new"], tmp_path, settings, **variables)
    assert (code, said.count("\n")) == (1, 1), said
    assert says.replace("{home}", str(tmp_path)) in said


def test_features_depend_on_device_and_settings(
    prepared: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(data=str(prepared.path), perturb="color", data_plan="x")  # type: ignore[arg-type]
    folders = {cache_folder(tmp_path, config, "a")}
    assert Dependencies.of(config, "a").device == devices.processor()
    folders.add(cache_folder(tmp_path, config, "a", "NVIDIA H100"))
    for name, value in {"ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "NVIDIA_TF32_OVERRIDE": "1"}.items():
        monkeypatch.setenv(name, value)
        folders.add(cache_folder(tmp_path, config, "a"))
        assert Environment.current().variables[name] == value
    folders.add(cache_folder(tmp_path, config.replace(mixed_precision=True), "a"))
    assert len(folders) == 5
    assert Environment.current().device == devices.processor()
    assert Environment.current().processor


@pytest.mark.parametrize(
    ("variables", "cuda", "options", "says"),
    [
        ({}, False, {}, "this TensorFlow was built without GPU support"),
        ({}, True, {}, "TensorFlow cannot load CUDA or its driver"),
        ({"CUDA_VISIBLE_DEVICES": ""}, True, {}, "CUDA_VISIBLE_DEVICES='' hides it"),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, True, {}, "CUDA_VISIBLE_DEVICES='-1' hides it"),
        ({}, True, {"workers": True}, "workers compute on processor cores"),
        ({}, True, {"devices": ("CPU:0",)}, "--devices CPU:0 excludes it"),
    ],
)
def test_a_gpu_that_is_not_used_is_said(
    variables: dict[str, str],
    cuda: bool,
    options: dict[str, object],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(devices, "_gpu_evidence", lambda: "/dev/nvidia0")
    monkeypatch.setattr(devices, "_gpus", list)
    monkeypatch.setattr(tf.test, "is_built_with_gpu_support", lambda: cuda)
    said = devices.idle_gpu(**options)  # type: ignore[arg-type]
    assert said is not None
    assert said.startswith(
        f"device: processor ({devices.processor()}), though this machine has a GPU (/dev/nvidia0): "
    )
    assert says in said


@pytest.mark.parametrize(("machine", "gpus"), [("", []), ("/dev/nvidia0", ["NVIDIA H100"])])
def test_nothing_is_said_of_a_gpu_that_is_used_or_absent(
    machine: str, gpus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_gpu_evidence", lambda: machine)
    monkeypatch.setattr(devices, "_gpus", lambda: gpus)
    assert devices.idle_gpu() is None


def test_a_gpu_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(kind: str) -> None:
        raise RuntimeError("CUDA_ERROR_DEVICES_UNAVAILABLE\nmore")

    monkeypatch.setattr(tf.config, "list_logical_devices", fail)
    with pytest.raises(ConvRNNError, match=r"cannot compute on the GPU .*UNAVAILABLE\. Stop other programs"):
        devices.computing_device()


CPUINFO = "processor\t: 0\nmodel name\t: A Processor\nflags\t\t: fpu avx avx2 {} sse\n"


def test_processors_are_told_apart_by_what_they_compute_with(monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(text: str) -> str:
        monkeypatch.setattr(devices, "_cpuinfo", lambda: text)
        devices.processor.cache_clear()
        return devices.processor().partition(" ")[2]

    assert kind(CPUINFO.format("")) == "avx2 avx"
    assert kind(CPUINFO.format("avx512f amx_tile")) == "amx_tile avx512f avx2 avx"
    assert kind(CPUINFO.replace("A Proc", "Another Proc").format("")) == "avx2 avx"
    assert kind("") == ""
    monkeypatch.undo()
    devices.processor.cache_clear()


def test_naming_the_processor_leaves_gpus_out(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: list[object] = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda shown, kind: hidden.append((shown, kind)))
    processes.strategy.cache_clear()
    processes.strategy(("CPU:0",))
    assert hidden == [([], "GPU")]
