"""Strict reading and writing of weights in the layout of the published files."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError
from convrnn_model.layers import Frame
from convrnn_model.weights import hdf5
from convrnn_model.weights.assignment import ExtraTimesteps
from convrnn_model.weights.inspection import PathLike
from convrnn_model.weights.reading import LoadReport, Readout, read_weights


def load_weights(
    model: keras.Model,
    path: PathLike,
    *,
    readout: Readout = "strict",
    extra_timesteps: ExtraTimesteps = "error",
) -> LoadReport:
    """Load a published weights file, or one written by `save_weights`, completely or not at all.

    From a file with more time steps than the network, the first ones are loaded; the report lists the unused weights.

    Args:
        model: A network of this package.
        path: HDF5 in the layout of the original software, weights only or a whole model; or `.safetensors` with the
            names of `convrnn_model.torch`.
        readout: "skip" leaves the network's readout unchanged.
        extra_timesteps: For time steps beyond the file's, "repeat-last" reuses its last batch normalisation, and a
            number, from 0, that of this time step.

    Raises:
        ConvRNNError: Weights are missing, unexpected, mismatched in shape or not finite. One error lists all; the
            network is unchanged.
    """
    variables = model_weights(model)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    report, values = read_weights(Path(path), shapes, readout, extra_timesteps)
    for name, value in values.items():
        variables[name].assign(value)
    return report


def save_weights(model: keras.Model, path: PathLike) -> None:
    """Write a network's weights, float32, in the layout of the published files.

    The file is written atomically. Both `load_weights` here and the original code under TensorFlow 1.13 can load it.

    Raises:
        ConvRNNError: The file cannot be written, or two weights would have one name.
    """
    weights = model_weights(model)
    layers: dict[str, dict[str, np.ndarray]] = {}
    for layer in _layers(model):
        # Files of networks that take movies are those of networks that take images.
        if isinstance(layer, Frame):
            continue
        # The name of inputs in the original, because Keras 3 numbers them by session.
        is_input = isinstance(layer, keras.layers.InputLayer)
        name = f"input_{sum(key.startswith('input_') for key in layers) + 1}" if is_input else layer.name
        layers.setdefault(name, {}).update(
            {v.name: as_array(weights[f"{name}/{v.name}"]) for v in layer.weights}
        )
    hdf5.write(Path(path), layers)


def model_weights(model: keras.Model) -> dict[str, Any]:
    """Return a network's variables by `{layer}/{weight}`, in order, with nested models flattened.

    Raises:
        ConvRNNError: Two weights have one name, or a weight belongs to no layer.
    """
    found = [(f"{layer.name}/{v.name}", v) for layer in _layers(model) for v in layer.weights]
    duplicates = [name for name, count in Counter(name for name, _ in found).items() if count > 1]
    if duplicates:
        raise ConvRNNError(
            f"{model.name} has several weights called {', '.join(duplicates)}: names must be unique. "
            "Give one network at a time, `model.get_layer(NAME)`."
        )
    known = {id(variable) for _, variable in found}
    if outside := [v.path for v in model.weights if id(v) not in known]:
        raise ConvRNNError(
            f"{model.name} has weights outside of its layers: {', '.join(outside)}. Give the network itself, "
            "`model.get_layer(NAME)`."
        )
    return dict(found)


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a model, each once, with nested and wrapped models flattened."""
    found: dict[int, keras.layers.Layer] = {}

    def visit(layer: Any, *, nested: bool) -> None:
        inner = layer.layers if isinstance(layer, keras.Model) else _wrapped(layer)
        if inner:
            for part in inner:
                visit(part, nested=True)
        elif not (nested and isinstance(layer, keras.layers.InputLayer)):
            found.setdefault(id(layer), layer)

    for layer in model.layers:
        visit(layer, nested=False)
    return list(found.values())


def _wrapped(layer: Any) -> list[Any]:
    """Return the model that a wrapper such as `TimeDistributed` applies, if it is a model."""
    inner = getattr(layer, "layer", None)
    return [inner] if isinstance(inner, keras.Model) else []


def as_array(variable: Any) -> np.ndarray:
    """Return a variable's value as float32."""
    # Through a tensor without gradient, because NumPy warns about the direct conversion of TensorFlow's variables.
    tensor = keras.ops.stop_gradient(variable.value)
    return np.asarray(keras.ops.convert_to_numpy(tensor), dtype=np.float32)
