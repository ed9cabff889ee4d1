"""Export to a `.keras` file of Keras' own layers, and its check with Keras."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError
from convrnn_model.export.graph import Graph
from convrnn_model.export.metadata import KEY
from convrnn_model.graph import activations
from convrnn_model.inference.keras_engine import model_from_file
from convrnn_model.inference.operations import IMAGE
from convrnn_model.layers import ConvSum, SameConv2D

LAYOUT = "NHWC"
PLAIN: dict[type, type[keras.layers.Layer]] = {SameConv2D: keras.layers.Conv2D, ConvSum: keras.layers.Add}
"""Layers of this package -> layers of Keras that compute the same."""


def write(path: Path, graph: Graph, metadata: Mapping[str, str]) -> None:
    """Write a graph as a Keras model whose layers have the published names.

    Args:
        path: The `.keras` file.
        graph: The graph; its input is `image`, (batch, H, W, channels), and its outputs are a dictionary by name.
        metadata: Content of the member `convrnn.json` of the file, by name.
    """
    network = graph.network
    model = model_from_file(graph.weights, network.n_timesteps, cumulative_readout=network.cumulative_readout)
    plain_model(activations(model, graph.outputs), graph).save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{KEY}.json", json.dumps(dict(metadata), indent=1))


def run(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the outputs of a file with Keras.

    Args:
        path: The `.keras` file.
        images: (batch, H, W, channels), float32.

    Returns:
        Name of each output -> (batch, H, W, filters) or (batch, channels).
    """
    found = keras.saving.load_model(path, compile=False).predict_on_batch(images)
    return {name: np.asarray(value) for name, value in found.items()}


def plain_model(model: keras.Model, graph: Graph) -> keras.Model:
    """Return a copy of a model that consists of Keras' own layers, for the images of a graph.

    Raises:
        ConvRNNError: Keras has no layer that computes the same as one of the model's.
    """
    shape = (*graph.image_size, graph.network.channels)
    image = keras.Input(shape, batch_size=graph.batch, dtype="float32", name=IMAGE)
    copy = keras.models.clone_model(model, input_tensors=image, clone_function=_plain)
    for layer in copy.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return copy


def _plain(layer: keras.layers.Layer) -> keras.layers.Layer:
    kind = PLAIN.get(type(layer), type(layer))
    if not kind.__module__.startswith("keras."):
        raise ConvRNNError(
            f"cannot export {layer.name} to .keras: Keras must have a layer for it, got {kind.__name__}. Export to "
            ".onnx or .xml."
        )
    return kind.from_config(kind.get_config(layer))
