"""TensorFlow and Keras, imported without notices and with the settings that every process of the project shares."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import convrnn_model
from convrnn_experiments.errors import ConvRNNError

# TensorFlow takes oneDNN by itself only on processors with AVX-512. Without, it is as well the faster way, and
# its memory is pooled instead of being taken from the system and given back at every operation.
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
"""Environment variables that TensorFlow reads while it is imported."""


BACKENDS = ("tensorflow", "jax")
"""Keras' backends that train and extract features; pictures are read by TensorFlow under either."""


def require_backend() -> None:
    """Refuse a backend of Keras under which the commands that compute do not work.

    Raises:
        ConvRNNError: with the backend, where it was set, and what works under it.
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
    """Set Keras' global state, which `keras.json` or the environment may have changed, to its defaults.

    The backend and the precision policy of a run are chosen elsewhere.
    """
    from convrnn_model.backend import keras

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
    # Limits for debugging, which would end every epoch or the whole training early.
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


def _nameless_file() -> IO[bytes]:
    """Open a file without a name, in memory where the system can: the temporary folder may be full or missing."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("notices"), "w+b")
    return tempfile.TemporaryFile()


@contextmanager
def quiet_import() -> Iterator[None]:
    """Import TensorFlow and Keras; their notices on stderr are shown only if the import fails.

    Raises:
        ConvRNNError: Keras has a backend under which the commands do not work.
    """
    require_backend()
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    sys.stderr.flush()
    real = os.dup(2)
    with _nameless_file() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            fix_keras()
            yield
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for GPUs, which has notices of its own
        except (ConvRNNError, convrnn_model.ConvRNNError):
            raise
        except BaseException:
            aside.seek(0)
            with suppress(OSError):  # the error itself matters more than its notices
                os.write(real, aside.read())
            raise
        finally:
            os.dup2(real, 2)
            os.close(real)
