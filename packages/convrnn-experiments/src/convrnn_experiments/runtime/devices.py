"""Device that computes, processor or GPU, and the settings that affect the bytes of results."""

import os
import platform
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from convrnn_experiments.errors import ConvRNNError
from convrnn_model.backend import keras

INSTRUCTIONS = ("amx_tile", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "avx", "asimd", "sve")
"""Instruction sets, by their names in Linux, that select the kernels of oneDNN, Eigen and Numba."""
VARIABLES = (
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "NVIDIA_TF32_OVERRIDE"),
    *("TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC", "TF_XLA_FLAGS", "XLA_FLAGS"),
    *("JAX_ENABLE_X64", "JAX_DEFAULT_MATMUL_PRECISION", "NUMBA_DISABLE_JIT", "NUMBA_CPU_NAME"),
    *("NUMBA_CPU_FEATURES",),
)
"""Environment variables that change the last bits of results, or more."""
ONEDNN_FEATURES = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}
"""x86 features, any of which makes TensorFlow use oneDNN by default."""


def numerics() -> dict[str, Any]:
    """Return the settings that affect the bytes of computed arrays."""
    return {
        "backend": keras.config.backend(),
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1" if ONEDNN_FEATURES & _flags() else "0"),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


@cache
def processor() -> str:
    """Return the processor properties that affect results, such as `x86_64 avx512f avx2 ...`."""
    flags = _flags()
    return " ".join([platform.machine(), *(name for name in INSTRUCTIONS if name in flags)])


def processor_model() -> str:
    """Return the model name of this machine's processor, for display only."""
    match = re.search(r"^model name\s*:(.*)$", _cpuinfo(), re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def _flags() -> set[str]:
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", _cpuinfo(), re.MULTILINE)
    return set(match[1].split()) if match else set()


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def computing_device() -> str:
    """Return the names of the GPUs that compute in this process, or else the description of the processor.

    Raises:
        ConvRNNError: A GPU is present but does not work.
    """
    return ", ".join(_gpus()) or processor()


def uses_gpu() -> bool:
    """Return whether a GPU computes in this process.

    Raises:
        ConvRNNError: A GPU is present but does not work.
    """
    return bool(_gpus())


def _gpus() -> list[str]:
    """Return the names of the GPUs that the backend uses."""
    try:
        if keras.config.backend() == "jax":
            import jax

            return [device.device_kind for device in jax.local_devices() if device.platform != "cpu"]
        import tensorflow as tf

        if keras.config.backend() != "tensorflow" or not tf.config.list_logical_devices("GPU"):
            return []
        found = tf.config.get_visible_devices("GPU")
        return [
            str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)) for gpu in found
        ]
    except (RuntimeError, ValueError) as error:
        first, *_ = str(error).strip().splitlines() or [type(error).__name__]
        raise ConvRNNError(
            f"cannot compute on the GPU of this machine: {first}. Stop other programs that use it, or set "
            "CUDA_VISIBLE_DEVICES=-1 to compute on the processor"
        ) from error


def idle_gpu(*, workers: bool = False, devices: tuple[str, ...] = ()) -> str | None:
    """Return a notice for the user if the machine has a GPU that is not used; else None.

    Args:
        workers: Whether worker processes compute, on processor cores.
        devices: Value of `--devices`.
    """
    found = _gpu_evidence()
    only_cpus = bool(devices) and all(device.upper().startswith("CPU") for device in devices)
    if not found or not (workers or only_cpus or not _gpus()):
        return None
    if workers:
        reason = "workers compute on processor cores; omit --workers and --engine to use it"
    else:
        reason = f"--devices {','.join(devices)} excludes it" if only_cpus else _why_idle()
    return f"device: processor ({processor()}), though this machine has a GPU ({found}): {reason}"


def _why_idle() -> str:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", os.environ.get("HIP_VISIBLE_DEVICES"))
    if hidden is not None and not hidden.strip().strip("-1,"):
        return f"CUDA_VISIBLE_DEVICES={hidden!r} hides it"
    if keras.config.backend() == "jax":
        return 'this JAX does not use it; `pip install "jax[cuda12]"` adds CUDA'
    import tensorflow as tf

    if not tf.test.is_built_with_gpu_support():
        return 'this TensorFlow was built without GPU support; `pip install "tensorflow[and-cuda]"` adds it'
    return (
        'TensorFlow cannot load CUDA or its driver; `pip install "tensorflow[and-cuda]"` adds the libraries, and '
        "`nvidia-smi` shows whether the driver works"
    )


def _gpu_evidence() -> str:
    """Return device nodes or tools that show a GPU in this machine, usable or not; empty without a GPU."""
    nodes = [str(path) for pattern in ("nvidia[0-9]*", "kfd") for path in sorted(Path("/dev").glob(pattern))]
    if nodes:
        return ", ".join(nodes)
    return shutil.which("nvidia-smi") or ""
