"""Engine that computes with Keras, on any backend and device."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError
from convrnn_model.graph import activations
from convrnn_model.inference.engine import Precision
from convrnn_model.inference.frozen import from_file
from convrnn_model.inference.keras_graph import keras_model
from convrnn_model.weights.inspection import PathLike
from convrnn_model.weights.load_save import load_weights

POLICIES: dict[Precision, str] = {"float32": "float32", "bfloat16": "mixed_bfloat16"}

_JAX_LOCK = Lock()
"""On JAX, Keras donates the buffers of the variables, which several engines share, to each prediction."""


class KerasEngine:
    """Outputs of a functional model's layers. Calls from several threads may overlap, except on JAX.

    Args:
        model: The model.
        outputs: Names of values, as `activations` takes them.
        value_bytes: Bytes of the values computed for one batch, added to those of the weights in `memory`.
    """

    def __init__(self, model: keras.Model, outputs: Sequence[str], value_bytes: int = 0) -> None:
        self._part = activations(model, outputs)
        self._part.make_predict_function()  # before several threads need it
        self.memory = 4 * self._part.count_params() + value_bytes

    def run(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the outputs by name; see `Engine`."""
        return {
            name: np.asarray(value, np.float32)
            for name, value in predict_on_batch(self._part, images).items()
        }


def predict_on_batch(model: keras.Model, inputs: Any) -> Mapping[str, Any]:
    """Return the outputs of a model by name for one batch.

    Unlike Keras' own `predict_on_batch`, several threads may call it for models with common variables, and TensorFlow
    does not warn that functions are traced often: several models are each traced once, which it mistakes for one.
    """
    # Not `predict`, which would copy the images through tf.data.
    with _alone():
        found: Mapping[str, Any] = model.predict_on_batch(inputs)
    return found


@contextmanager
def _alone() -> Iterator[None]:
    """Hold what the backend needs during a prediction."""
    backend = keras.backend.backend()
    if backend == "jax":
        with _JAX_LOCK:
            yield
    elif backend == "tensorflow":
        # Each use has a filter of its own, so that one thread does not remove that of another.
        hidden = _RetracingFilter()
        logger = logging.getLogger("tensorflow")
        logger.addFilter(hidden)
        try:
            yield
        finally:
            logger.removeFilter(hidden)
    else:
        yield


class _RetracingFilter(logging.Filter):
    """Filter for the warning that tf.function is traced often."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record."""
        return "triggered tf.function retracing" not in str(record.msg)


def has_accelerator() -> bool:
    """Return whether the backend computes on a GPU or another accelerator."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return any(device.device_type != "CPU" for device in tf.config.get_visible_devices())
    if backend == "jax":
        import jax

        return bool(jax.default_backend() != "cpu")
    if backend == "torch":
        import torch

        return bool(torch.cuda.is_available() or torch.backends.mps.is_available())
    return False


def in_precision(model: keras.Model, precision: Precision, *, foreign: bool) -> keras.Model:
    """Return a model that computes in a precision: the model itself, or a copy with the same float32 weights.

    Args:
        model: The model.
        precision: Precision of the computation.
        foreign: The model is not a network of this package, and may contain models, which are not copied.

    Raises:
        ConvRNNError: A foreign model computes in another precision.
    """
    dtypes = {layer.compute_dtype for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)}
    if dtypes == {precision}:
        return model
    if foreign:
        raise ConvRNNError(
            f"cannot compile {model.name} in {precision}: a model that is not a network of convrnn_model keeps its "
            f"precision, got {', '.join(sorted(dtypes))}. Build it with the policy {POLICIES[precision]!r}."
        )

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        changed = {} if isinstance(layer, keras.layers.InputLayer) else {"dtype": POLICIES[precision]}
        return type(layer).from_config(config | changed)

    copy = keras.models.clone_model(model, clone_function=copied)
    copy.set_weights(model.get_weights())
    return copy


def model_from_file(
    path: PathLike, n_timesteps: int | None = None, *, cumulative_readout: bool = False
) -> keras.Model:
    """Build the network of a weights file, for images of any size, and load its weights.

    Args:
        path: The weights file.
        n_timesteps: Time steps, at most those of the file; by default all.
        cumulative_readout: Compute softmax from cumulative readouts.

    Raises:
        ConvRNNError: The file cannot be read.
    """
    architecture = from_file(path, n_timesteps, cumulative_readout=cumulative_readout)
    image = keras.Input((None, None, architecture.channels), dtype="float32")
    model = keras_model(architecture, image, "auto")
    load_weights(model, path)
    return model
