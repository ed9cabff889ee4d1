"""Choice of the computing device, and reports about idle or failing GPUs."""

import pytest
import tensorflow as tf

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runtime import devices, processes


@pytest.mark.parametrize(
    ("variables", "cuda", "options", "reason"),
    [
        ({}, False, {}, "this TensorFlow was built without GPU support"),
        ({}, True, {}, "TensorFlow cannot load CUDA or its driver"),
        ({"CUDA_VISIBLE_DEVICES": ""}, True, {}, "CUDA_VISIBLE_DEVICES='' hides it"),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, True, {}, "CUDA_VISIBLE_DEVICES='-1' hides it"),
        ({}, True, {"workers": True}, "workers compute on processor cores"),
        ({}, True, {"devices": ("CPU:0",)}, "--devices CPU:0 excludes it"),
    ],
)
def test_an_idle_gpu_is_reported(
    variables: dict[str, str],
    cuda: bool,
    options: dict[str, object],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(devices, "_gpu_evidence", lambda: "/dev/nvidia0")
    monkeypatch.setattr(devices, "_gpus", list)
    monkeypatch.setattr(tf.test, "is_built_with_gpu_support", lambda: cuda)
    message = devices.idle_gpu(**options)  # type: ignore[arg-type]
    assert message is not None
    assert message.startswith(
        f"device: processor ({devices.processor()}), though this machine has a GPU (/dev/nvidia0): "
    )
    assert reason in message


@pytest.mark.parametrize(("machine", "gpus"), [("", []), ("/dev/nvidia0", ["NVIDIA H100"])])
def test_a_used_or_absent_gpu_is_not_reported(
    machine: str, gpus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_gpu_evidence", lambda: machine)
    monkeypatch.setattr(devices, "_gpus", lambda: gpus)
    assert devices.idle_gpu() is None


def test_a_failing_gpu_is_a_one_line_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(kind: str) -> None:
        raise RuntimeError("CUDA_ERROR_DEVICES_UNAVAILABLE\nmore")

    monkeypatch.setattr(tf.config, "list_logical_devices", fail)
    with pytest.raises(ConvRNNError, match=r"cannot compute on the GPU .*UNAVAILABLE\. Stop other programs"):
        devices.computing_device()


CPUINFO = "processor\t: 0\nmodel name\t: A Processor\nflags\t\t: fpu avx avx2 {} sse\n"


def test_processors_are_identified_by_their_instruction_sets(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_choosing_the_processor_hides_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: list[object] = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda shown, kind: hidden.append((shown, kind)))
    processes.strategy.cache_clear()
    processes.strategy(("CPU:0",))
    assert hidden == [([], "GPU")]
