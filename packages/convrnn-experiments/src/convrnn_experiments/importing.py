"""TensorFlow, imported without its notices and with the settings that every process of the project shares."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# TensorFlow takes oneDNN by itself only on processors with AVX-512. Without, it is as well the faster way, and
# its memory is pooled instead of being taken from the system and given back at every operation.
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
"""Environment variables that TensorFlow reads while it is imported."""


@contextmanager
def quiet_import() -> Iterator[None]:
    """TensorFlow writes notices of its own to stderr while it is imported; shown only if the import fails."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for GPUs, which has notices of its own
        except BaseException:
            aside.seek(0)
            os.write(real, aside.read())
            raise
        finally:
            os.dup2(real, 2)
            os.close(real)
