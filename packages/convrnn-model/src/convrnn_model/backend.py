"""Import of Keras in one place, with a clear error if it fails."""

from convrnn_model.backend_choice import require_backend, settings_file, wanted_backend
from convrnn_model.errors import MissingBackendError

__all__ = ["keras", "layers", "ops", "precision"]

INSTALL = 'pip install "convrnn-model[{}]"'
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
"""Supported precision policies, all with float32 weights."""


def _cannot_start(error: Exception) -> MissingBackendError:
    """Return the error for a failed import of Keras."""
    name, source = wanted_backend()
    if isinstance(error, ModuleNotFoundError) and error.name == "keras":
        return MissingBackendError(
            f"Keras is not installed. Install it with one backend: {INSTALL.format('tensorflow')}."
        )
    if isinstance(error, ModuleNotFoundError):
        others = ", or ".join(INSTALL.format(other) for other in ("tensorflow", "jax", "torch"))
        return MissingBackendError(
            f"Keras cannot compute: its backend {name!r} (from {source}) needs {error.name}, which is not installed. "
            f"Install one of {others}, and set KERAS_BACKEND to its name before Python starts."
        )
    first, *_ = str(error).strip().splitlines() or [type(error).__name__]
    return MissingBackendError(
        f"Keras cannot be imported with backend {name!r} (from {source}): {type(error).__name__}: {first.rstrip('.')}. "
        f"Correct or delete {settings_file()}, check the KERAS_* environment variables, or reinstall the backend."
    )


def precision() -> str:
    """Return the precision policy for new networks: Keras' policy if its weights are float32, else float32.

    A `floatx` in `keras.json` would otherwise change the dtype of weights, and with it what is loaded and saved.
    """
    name = str(keras.config.dtype_policy().name)
    return name if name in POLICIES else "float32"


require_backend()
try:
    import keras
    from keras import layers, ops
except Exception as failed:
    raise _cannot_start(failed) from failed
