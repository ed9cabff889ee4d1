"""Import of TensorFlow and Keras without notices, with the settings shared by every process of the project."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import convrnn_model
from convrnn_experiments.errors import ConvRNNError

# By default, TensorFlow uses oneDNN only on processors with AVX-512. It is faster on others too, and it pools memory
# instead of allocating and freeing it in every operation.
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
"""Environment variables that TensorFlow reads at import."""


BACKENDS = ("tensorflow", "jax")
"""Keras backends that train and extract features. TensorFlow reads images under both."""


def require_backend() -> None:
    """Check that the commands that compute support the configured Keras backend.

    Raises:
        ConvRNNError: Another backend is configured.
    """
    from convrnn_model.backend_choice import wanted_backend

    name, source = wanted_backend()
    if name not in BACKENDS:
        raise ConvRNNError(
            "`convrnn train`, `features`, `evaluate` and `stimuli` cannot run: Keras' backend must be tensorflow or "
            f"jax, got {name!r} from {source}. Set KERAS_BACKEND=tensorflow; `convrnn compare` and `report` work under "
            "any backend, convrnn-model under tensorflow, jax and torch"
        )


def fix_keras() -> None:
    """Reset Keras' global settings, which `keras.json` or the environment may have changed, to their defaults.

    The backend, and the precision policy of a run, are set elsewhere.
    """
    from convrnn_model.backend import keras

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
    # Debugging limits that would end every epoch or the training early.
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


def _anonymous_file() -> IO[bytes]:
    """Open an anonymous file, in memory if the system supports it: the temporary folder may be full or missing."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("notices"), "w+b")
    return tempfile.TemporaryFile()


@contextmanager
def quiet_import() -> Iterator[None]:
    """Import TensorFlow and Keras in the context; notices on stderr are shown only if the import fails.

    Raises:
        ConvRNNError: The Keras backend is not supported.
    """
    require_backend()
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    sys.stderr.flush()
    stderr = os.dup(2)
    with _anonymous_file() as notices:
        os.dup2(notices.fileno(), 2)
        try:
            fix_keras()
            yield
            import tensorflow as tf

            tf.config.list_physical_devices()  # the search for GPUs prints notices too
        except (ConvRNNError, convrnn_model.ConvRNNError):
            raise
        except BaseException:
            notices.seek(0)
            with suppress(OSError):  # the error itself matters more than its notices
                os.write(stderr, notices.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
