"""Multiply-adds and parameters, per layer and time step."""

import math
from dataclasses import dataclass
from itertools import accumulate

from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError
from convrnn_model.graph import applications


@dataclass(frozen=True)
class Cost:
    """Cost of a network's convolutions for one image.

    Args:
        layers: Name of a convolution -> multiply-adds at each time step; 0 if not computed.
        parameters: Name of a layer -> number of parameters, including moving statistics.
        n_timesteps: Time steps; 1 for feedforward networks.
    """

    layers: dict[str, tuple[int, ...]]
    parameters: dict[str, int]
    n_timesteps: int

    @property
    def per_timestep(self) -> tuple[int, ...]:
        """Multiply-adds per time step."""
        return tuple(sum(steps) for steps in zip(*self.layers.values(), strict=True))

    @property
    def cumulative(self) -> tuple[int, ...]:
        """Multiply-adds up to and including each time step, a time axis for comparison with humans."""
        return tuple(accumulate(self.per_timestep))

    @property
    def total(self) -> int:
        """Multiply-adds of all time steps."""
        return sum(self.per_timestep)


def multiply_adds(model: keras.Model, image_size: tuple[int, int] | None = None) -> Cost:
    """Count the multiply-adds of a network's convolutions for one image or movie, for direct convolution.

    Products with the zero padding, and those that a transposed convolution crops, are included. The readout (0.02 % of
    BL at 128 px), batch normalisation and pooling are not counted, as in the literature.

    Args:
        model: A network of this package, or the result of `activations`.
        image_size: Height and width, px; required if the network accepts any size.

    Raises:
        ConvRNNError: The image size is unknown, or the model contains other models.
    """
    if inner := [layer.name for layer in model.layers if isinstance(layer, keras.Model)]:
        raise ConvRNNError(
            f"cannot count the multiply-adds of {model.name}: it must not contain other models, "
            f"got {', '.join(inner)}. Give the network itself, `model.get_layer({inner[0]!r})`."
        )
    size = image_size or tuple(model.inputs[0].shape[-3:-1])
    if None in size:
        raise ConvRNNError(
            f"cannot count the multiply-adds of {model.name}: its input must have a known size, got {size}. Pass "
            "image_size=(height, width)."
        )
    images = [
        keras.Input((*image.shape[1:-3], *size, image.shape[-1]), dtype=image.dtype) for image in model.inputs
    ]
    found = applications(model, images)
    n_timesteps = 1 + max((application.time for application in found), default=0)
    layers: dict[str, list[int]] = {}
    for application in found:
        layer = application.layer
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
            # Each px of a convolution's output takes a whole kernel, and each px of a transposed convolution's input.
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            image = application.inputs[0] if transposed else application.output
            steps = layers.setdefault(layer.name, [0] * n_timesteps)
            steps[application.time] += math.prod(image.shape[1:3]) * math.prod(layer.kernel.shape)
    return Cost(
        {name: tuple(steps) for name, steps in layers.items()},
        {layer.name: layer.count_params() for layer in model.layers if layer.weights},
        n_timesteps,
    )
