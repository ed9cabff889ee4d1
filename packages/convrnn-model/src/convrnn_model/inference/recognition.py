"""Comparison of Keras models with the networks of this package: graph, classes and settings of the layers."""

from collections.abc import Iterator
from typing import Any

from convrnn_model import names
from convrnn_model.backend import keras
from convrnn_model.inference.frozen import EPSILON
from convrnn_model.inference.operations import IMAGE, Architecture, Kind, Operation, layer_name, operations
from convrnn_model.layers import Frame, TopDownConv2D

Reference = tuple[str, int]
"""Name of a layer and number of its application."""

LINEAR, LAST = keras.activations.linear, "channels_last"

LAYERS: dict[Kind, tuple[tuple[type, dict[str, Any]], ...]] = {
    "convolution": (
        (
            keras.layers.Conv2D,
            {
                **{"strides": (1, 1), "padding": "same", "data_format": LAST},
                **{"dilation_rate": (1, 1), "groups": 1, "use_bias": False, "activation": LINEAR},
            },
        ),
    ),
    "top_down": ((TopDownConv2D, {}),),
    "add": ((keras.layers.Add, {}),),
    "normalization": ((keras.layers.BatchNormalization, {"axis": -1, "epsilon": EPSILON}),),
    "relu": (
        (keras.layers.Activation, {"activation": keras.activations.relu}),
        (keras.layers.ReLU, {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
    ),
    "max_pool": (
        (
            keras.layers.MaxPooling2D,
            {"pool_size": (2, 2), "strides": (2, 2), "padding": "valid", "data_format": LAST},
        ),
    ),
    "average": ((keras.layers.GlobalAveragePooling2D, {"data_format": LAST, "keepdims": False}),),
    "dense": ((keras.layers.Dense, {"activation": LINEAR, "use_bias": True}),),
    "softmax": (
        (keras.layers.Activation, {"activation": keras.activations.softmax}),
        (keras.layers.Softmax, {"axis": -1}),
    ),
}
"""Layer classes that compute each kind of operation, with the settings that define the values."""


def difference(model: keras.Model, architecture: Architecture) -> str | None:
    """Return the first difference between a functional model and an architecture, as a clause, or None."""
    config = model.get_config()
    applications = {
        (layer["name"], index): list(_references(node))
        for layer in config["layers"]
        for index, node in enumerate(layer["inbound_nodes"])
    }
    inputs, outputs = (list(_layer_references(config[key])) for key in ("input_layers", "output_layers"))
    expected = {operation.output: operation for operation in operations(architecture)}
    values = [operation.output for operation in expected.values() if operation.kind == "softmax"]
    if len(outputs) != len(values) or len(inputs) != 1:
        return f"it has {len(inputs)} inputs and {len(outputs)} outputs, not 1 and {len(values)}"
    stack = list(zip(values, outputs, strict=True))
    seen = set(stack)
    while stack:
        value, reference = stack.pop()
        sources = applications.get(reference, [])
        if value in architecture.inputs:
            if found := _input_difference(model, value, reference, sources, inputs[0]):
                return found
            continue
        operation = expected[value]
        if found := _application_difference(model, operation, reference, sources):
            return found
        pairs = [pair for pair in zip(operation.inputs, sources, strict=True) if pair not in seen]
        seen.update(pairs)
        stack.extend(pairs)
    return None


def _input_difference(
    model: keras.Model, value: str, reference: Reference, sources: list[Reference], image: Reference
) -> str | None:
    if value == IMAGE:
        return None if reference == image else f"{reference[0]} is in place of the image"
    layer = model.get_layer(reference[0])
    is_frame = isinstance(layer, Frame) and names.frame(layer.time) == value and sources == [image]
    return None if is_frame else f"{reference[0]} is not frame {names.split_time(value)[1]} of the input"


def _application_difference(
    model: keras.Model, operation: Operation, reference: Reference, sources: list[Reference]
) -> str | None:
    name = layer_name(operation)
    if reference[0] != name:
        return f"{reference[0]} is in place of {name}"
    if len(sources) != len(operation.inputs):
        return f"{name} has {len(sources)} inputs, not {len(operation.inputs)}"
    layer = model.get_layer(name)
    own = type(layer).__module__.partition(".")[0] in ("keras", "convrnn_model")
    for kind, settings in LAYERS[operation.kind]:
        if own and isinstance(layer, kind):
            return next(_changed_settings(layer, settings), None)
    return f"{name} is a {type(layer).__name__}, not a {LAYERS[operation.kind][0][0].__name__}"


def _changed_settings(layer: Any, settings: dict[str, Any]) -> Iterator[str]:
    for setting, wanted in settings.items():
        found = getattr(layer, setting)
        if found != wanted:
            yield f"{setting} of {layer.name} is {getattr(found, '__name__', found)!r}"


def _references(node: Any) -> Iterator[Reference]:
    """Yield the tensors that a serialised call of a layer reads."""
    if isinstance(node, dict):
        history = node.get("keras_history")
        if history:
            yield history[0], history[1]
        else:
            for part in node.values():
                yield from _references(part)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _references(part)


def _layer_references(tensors: Any) -> Iterator[Reference]:
    """Yield the references in serialised inputs or outputs: `[name, application, tensor]`, alone or nested."""
    if isinstance(tensors, dict):
        tensors = list(tensors.values())
    if tensors and isinstance(tensors[0], str):
        yield tensors[0], tensors[1]
        return
    for part in tensors:
        yield from _layer_references(part)
