"""Engine that computes with OpenVINO."""

import json
import os
import subprocess
import sys

import numpy as np
import plain_engine
import pytest

from convrnn_model import ConvRNNError, names
from convrnn_model.inference.engine import missing
from convrnn_model.inference.frozen import from_keras
from convrnn_model.inference.openvino_engine import ISA, OpenVINOEngine, import_openvino
from convrnn_model.inference.operations import operations
from convrnn_model.inference.processor import BFLOAT16, KINDS, processor

pytestmark = pytest.mark.skipif(missing("openvino") is not None, reason="OpenVINO is not installed")
RNG = np.random.default_rng(0)


def assert_close(found, expected, tolerance):
    """Compare arrays relative to their largest value, since ReLU can leave small differences of large sums."""
    for name, value in found.items():
        assert value.shape == expected[name].shape
        np.testing.assert_allclose(
            value, expected[name], rtol=tolerance, atol=tolerance * np.abs(expected[name]).max(), err_msg=name
        )


@pytest.mark.parametrize(("size", "batch"), [((64, 64), 1), ((71, 97), 3)])
def test_all_values(size, batch, network):
    frozen = from_keras(network)
    every = operations(frozen, [operation.output for operation in operations(frozen)])
    images = RNG.uniform(-1, 1, (batch, *size, 3)).astype(np.float32)
    found = OpenVINOEngine(frozen, every, size, batch, 2).run(images)
    assert set(found) == {operation.output for operation in every}
    # float32, another summation order.
    assert_close(found, plain_engine.run(frozen, every, images), 1e-5)


def test_only_wanted_values_are_returned(cumulative_bl):
    frozen = from_keras(cumulative_bl)
    wanted = [names.relu(1, 2), names.pre_softmax(0)]
    engine = OpenVINOEngine(frozen, operations(frozen, wanted), (64, 64), 1, 1)
    assert set(engine.run(np.zeros((1, 64, 64, 3), np.float32))) == set(wanted)


def test_memory_grows_with_the_batch(cumulative_bl):
    frozen = from_keras(cumulative_bl)
    small, large = (OpenVINOEngine(frozen, operations(frozen), (64, 64), size, 1).memory for size in (1, 3))
    weights = sum(kernel.size for kernel in frozen.kernels.values()) + frozen.readouts[names.READOUT][0].size
    assert small > 4 * weights
    assert (large - small) % 2 == 0
    assert large > small


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(threads, cumulative_bl):
    frozen = from_keras(cumulative_bl)
    images = RNG.uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    engine = OpenVINOEngine(frozen, operations(frozen), (64, 64), 1, threads)
    assert_close(engine.run(images), plain_engine.run(frozen, operations(frozen), images), 1e-5)


@pytest.mark.skipif(processor() not in BFLOAT16, reason="the processor lacks bfloat16")
def test_bfloat16(cumulative_bl):
    frozen = from_keras(cumulative_bl)
    images = RNG.uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    engine = OpenVINOEngine(frozen, operations(frozen), (64, 64), 2, 2, "bfloat16")
    exact = plain_engine.run(frozen, operations(frozen), images)
    found = engine.run(images)
    # Numbers have 8 significant bits.
    assert_close(found, exact, 0.1)
    assert any(np.abs(value - exact[name]).max() > 1e-5 for name, value in found.items())


def test_errors_of_openvino(cumulative_bl, monkeypatch):
    ov = import_openvino()

    class Failing:
        def compile_model(self, *arguments):
            raise RuntimeError("Exception from src/core.cpp:117:\nobject is not initialized\n\n")

    monkeypatch.setattr(ov, "Core", Failing)
    frozen = from_keras(cumulative_bl)
    with pytest.raises(ConvRNNError, match=r"cannot compile bl_net in float32: object is not initialized\."):
        OpenVINOEngine(frozen, operations(frozen), (64, 64), 1, 1)


def test_every_kind_of_x86_processor_has_an_instruction_set():
    assert set(ISA) == set(KINDS) - {"neon"}


def test_import_sends_no_telemetry_and_prints_nothing(tmp_path):
    code = (
        "import json, os, sys\n"
        "from convrnn_model.inference.openvino_engine import import_openvino\n"
        "ov = import_openvino()\n"
        "telemetry = [name for name in sys.modules if name.startswith('openvino_telemetry')]\n"
        "isa = os.environ.get('ONEDNN_MAX_CPU_ISA')\n"
        "print(json.dumps([telemetry, isa, os.listdir(os.path.expanduser('~')), ov is import_openvino()]))"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("CI", "ONEDNN_MAX_CPU_ISA")
    }
    for kind, isa in ((None, None), ("avx2", "AVX2")):
        variables = environment | {"HOME": str(tmp_path)} | ({"CONVRNN_PROCESSOR": kind} if kind else {})
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=variables, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [[], isa, [], True]
