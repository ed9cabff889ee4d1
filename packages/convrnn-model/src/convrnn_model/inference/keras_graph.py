"""Keras models from the operations of a network."""

from typing import Any

from convrnn_model import names
from convrnn_model.backend import keras, layers, precision
from convrnn_model.inference.operations import (
    IMAGE,
    Architecture,
    Operation,
    group,
    kernel_shape,
    layer_name,
    operations,
)
from convrnn_model.layers import POOLING, ConvSum, Frame, Method, SameConv2D, TopDownConv2D

REGULARISATION = 1e-6
# Explicit, so that settings of Keras cannot change the meaning of the weights.
NORMALISATION: dict[str, Any] = {"axis": -1, "momentum": 0.99, "epsilon": 1e-3}


def keras_model(network: Architecture, image: Any, convolution: Method) -> keras.Model:
    """Build a Keras model.

    Args:
        network: The network.
        image: Keras tensor of images, (batch, H, W, channels), or of movies, (batch, time, H, W, channels).
        convolution: Method of the convolutions.

    Returns:
        A model with one output for a single readout of a feedforward network, else with a list of them.
    """
    options: dict[str, Any] = {"dtype": precision()}
    applied = {
        name: _convolution(network, name, convolution, options) for name in _names_of_convolutions(network)
    }
    values = {IMAGE: image}
    if network.moving:
        values = {name: Frame(time, name=name, **options)(image) for time, name in enumerate(network.inputs)}
    for operation in operations(network):
        name = layer_name(operation)
        if name not in applied:
            applied[name] = _layer(network, operation, options)
        inputs = [values[source] for source in operation.inputs]
        several = operation.kind in ("add", "top_down")
        values[operation.output] = applied[name](inputs if several else inputs[0])
    outputs = [values[name] for name in group(network, "softmax")]
    alone = network.n_timesteps is None and not network.layer_readouts
    return keras.Model(image, outputs[0] if alone else outputs, name=network.variant)


def _names_of_convolutions(network: Architecture) -> list[str]:
    """Return the names of convolutions in the order in which their initialisers draw seeds."""
    used = [str(one.weights) for one in operations(network) if one.kind in ("convolution", "top_down")]
    bottom_up = [name for name in used if not (names.is_lateral(name) or names.is_top_down(name))]
    # Every network creates lateral convolutions, used or not, so that a seed gives the readout of earlier versions.
    lateral = [names.lateral(n) for n in range(len(network.layers))]
    return list(dict.fromkeys([*bottom_up, *lateral, *used]))


def _layer(network: Architecture, operation: Operation, options: dict[str, Any]) -> keras.layers.Layer:
    """Return the layer of an operation other than a convolution, with initial weights."""
    options = options | {"name": layer_name(operation)}
    match operation.kind:
        case "add":
            # All sums of layer 0 share the image's convolution.
            of_image = operation.output.startswith(f"{names.conv_sum(0)}_")
            return (ConvSum if of_image else layers.Add)(**options)
        case "normalization":
            return layers.BatchNormalization(**NORMALISATION, **options)
        case "max_pool":
            return layers.MaxPooling2D(**POOLING, **options)
        case "average":
            return layers.GlobalAveragePooling2D(data_format="channels_last", **options)
        case "dense":
            return layers.Dense(network.classes, **_kernel_options(), **options)
        case _:
            return layers.Activation(operation.kind, **options)


def _convolution(
    network: Architecture, name: str, method: Method, options: dict[str, Any]
) -> keras.layers.Layer:
    side, _, *channels = kernel_shape(network, name)
    options = _kernel_options() | options | {"name": name}
    if names.is_top_down(name):
        return TopDownConv2D(channels[0], side, **options)
    return SameConv2D(channels[1], side, convolution=method, **options)


def _kernel_options() -> dict[str, Any]:
    return {
        "kernel_initializer": "glorot_uniform",
        "kernel_regularizer": keras.regularizers.L2(REGULARISATION),
    }
