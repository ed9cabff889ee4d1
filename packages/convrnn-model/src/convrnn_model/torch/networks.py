"""Modules of the networks in the table of variants, named like the layers of the original."""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from convrnn_model import names
from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.operations import (
    IMAGE,
    Architecture,
    Group,
    Operation,
    group,
    kernel_shape,
    layer_name,
    operations,
    readout_shape,
)
from convrnn_model.torch.modules import BatchNorm, GlobalAveragePool, Sum, TopDownConv2d
from convrnn_model.variants import (
    VARIANTS,
    require_positive_integer,
    require_width,
    variant_named,
)

WEIGHT_DECAY = 2e-6
"""Gradient of the original's penalty on kernels, `1e-6 * kernel**2`, per unit of the kernel."""


class _Plan(NamedTuple):
    """Layer, output, inputs, and the values not needed any more, of each operation; and the values to return."""

    steps: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...]
    outputs: tuple[str, ...]


class Network(nn.Module):
    """Network of the table of variants, such as BL or B.

    Each layer is a submodule with its published name, so hooks, `get_submodule` and feature extractors find
    `RCL_0_LConv`, `ReLU_Layer_6_Time_7` or `GlobalAvgPool_Time_7`. Layers without a time step in their name are shared
    by all time steps, and a hook on them is called once per step. Modules of softmax run with `softmax=True` only.

    Args:
        variant: A key of `convrnn_model.variants.VARIANTS`, such as "bl_net".
        classes: Number of classes.
        n_timesteps: Time steps of recurrent networks, by default 8; None for feedforward networks.
        cumulative_readout: Return at t the sum of the readouts up to t.
        width: Factor on the number of filters of every layer.
        channels: Channels of the image.
        softmax: Return probabilities instead of logits.
        layer_readouts: Read out every layer, with weights of its own, instead of the last one only.

    Raises:
        ConvRNNError: An argument is out of range, or n_timesteps or cumulative_readout does not fit the variant.
    """

    def __init__(
        self,
        variant: str,
        classes: int,
        n_timesteps: int | None = None,
        *,
        cumulative_readout: bool = False,
        width: float = 1.0,
        channels: int = 3,
        softmax: bool = False,
        layer_readouts: bool = False,
    ) -> None:
        super().__init__()
        row = variant_named(variant)
        require_positive_integer("classes", classes)
        require_positive_integer("channels", channels)
        require_width(width)
        if row.recurrent:
            require_positive_integer("n_timesteps", 8 if n_timesteps is None else n_timesteps)
            n_timesteps = 8 if n_timesteps is None else n_timesteps
        elif n_timesteps is not None or cumulative_readout:
            raise ConvRNNError(
                f"n_timesteps and cumulative_readout belong to recurrent networks, and {row.name} is feedforward. "
                "Leave them out."
            )
        self.architecture = Architecture(
            row.name,
            row.convolutions(width),
            classes,
            n_timesteps,
            cumulative_readout,
            channels,
            (None, None),
            layer_readouts=layer_readouts,
        )
        for operation in operations(self.architecture):
            if layer_name(operation) not in self._modules:
                self.add_module(layer_name(operation), _module(self.architecture, operation))
        self._outputs: Group = "softmax" if softmax else "pre_softmax"
        self._still = _plan(self.architecture, self._outputs)
        self._movies: dict[int, _Plan] = {}

    def forward(self, images: Tensor) -> Tensor:
        """Compute the readout at every time step.

        Args:
            images: (batch, channels, height, width) in [-1, 1], as from `Preprocess`; sides of at least 64 px, in any
                memory format. Or movies, (batch, time, channels, height, width), with at most `n_timesteps` frames, one
                per time step; feedforward networks take any number. `Stepper` takes any number of frames.

        Returns:
            Logits, or probabilities with `softmax=True`: (batch, time, classes) for recurrent networks, also for one
            time step, and (batch, classes) for feedforward ones. With `layer_readouts`, the second axis has all layers
            of each time step, or of the feedforward network. For movies, the time steps are those of the frames; those
            of feedforward networks have the additional axis time after the batch.

        Raises:
            ConvRNNError: The images have another shape or are integers.
        """
        # The number of axes is unknown while `torch.fx` traces the network of still pictures.
        if isinstance(images, torch.fx.Proxy) or images.dim() != 5:
            return self._computed(self._still, {IMAGE: _checked(images, self.architecture)})
        if self.architecture.n_timesteps is None:
            return self(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        return self._computed(self._of_movie(images.shape[1]), _frames(images, self.architecture))

    def _computed(self, plan: _Plan, values: dict[str, Any]) -> Tensor:
        for layer, output, inputs, released in plan.steps:
            values[output] = getattr(self, layer)(*[values[name] for name in inputs])
            for name in released:
                del values[name]
        outputs = [values[name] for name in plan.outputs]
        alone = self.architecture.n_timesteps is None and not self.architecture.layer_readouts
        return outputs[0] if alone else torch.stack(outputs, 1)

    def _of_movie(self, frames: int) -> _Plan:
        """Return the plan of movies with a number of frames."""
        if frames not in self._movies:
            moving = replace(self.architecture, moving=True, n_timesteps=frames)
            self._movies[frames] = _plan(moving, self._outputs)
        return self._movies[frames]

    def extra_repr(self) -> str:
        """Return the name and the sizes, for `print`."""
        shape = self.architecture
        return f"{shape.variant}, classes={shape.classes}, n_timesteps={shape.n_timesteps}"


def parameter_groups(module: nn.Module, weight_decay: float = WEIGHT_DECAY) -> list[dict[str, Any]]:
    """Return parameter groups for an optimiser that regularises kernels as the original does.

    The original adds `1e-6 * sum(kernel**2)` to the loss, for the kernels of convolutions and of the readout. That is a
    weight decay of 2e-6 in `torch.optim.SGD` and `Adam`, which add it to the gradient; `AdamW` does something else.

    Args:
        module: A network, or a module that contains it.
        weight_decay: Weight decay of kernels; that of all other parameters is 0.
    """
    kernels = {
        id(part.weight)
        for part in module.modules()
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and part.weight is not None
    }
    parameters = list(module.parameters())
    return [
        {"params": [p for p in parameters if id(p) in kernels], "weight_decay": weight_decay},
        {"params": [p for p in parameters if id(p) not in kernels], "weight_decay": 0.0},
    ]


def _module(network: Architecture, operation: Operation) -> nn.Module:
    """Return the layer of an operation, with initial weights."""
    match operation.kind:
        case "convolution" | "top_down":
            return _convolution(network, layer_name(operation))
        case "normalization":
            return BatchNorm(network.layers[names.layer_number(operation.output) or 0].filters)
        case "dense":
            return _readout(*readout_shape(network, layer_name(operation)))
        case "add":
            return Sum()
        case "relu":
            return nn.ReLU()
        case "max_pool":
            return nn.MaxPool2d(2)
        case "average":
            return GlobalAveragePool()
        case "softmax":
            return nn.Softmax(-1)


def _convolution(network: Architecture, name: str) -> nn.Module:
    side, _, channels, filters = kernel_shape(network, name)
    convolution: nn.Conv2d | nn.ConvTranspose2d
    if names.is_top_down(name):
        convolution = TopDownConv2d(filters, channels, side)
    else:
        convolution = nn.Conv2d(channels, filters, side, padding=side // 2, bias=False)
    nn.init.xavier_uniform_(convolution.weight)
    return convolution


def _readout(features: int, classes: int) -> nn.Linear:
    readout = nn.Linear(features, classes)
    nn.init.xavier_uniform_(readout.weight)
    nn.init.zeros_(readout.bias)
    return readout


def _plan(network: Architecture, wanted_group: Group) -> _Plan:
    outputs = group(network, wanted_group)
    every = operations(network, outputs)
    last_use = {name: index for index, operation in enumerate(every) for name in operation.inputs}
    wanted = {operation.output for operation in every if operation.wanted}
    steps = tuple(
        (
            layer_name(operation),
            operation.output,
            operation.inputs,
            tuple(name for name in operation.inputs if last_use[name] == index and name not in wanted),
        )
        for index, operation in enumerate(every)
    )
    return _Plan(steps, outputs)


def _frames(movie: Tensor, network: Architecture) -> dict[str, Any]:
    """Return the checked frames of a movie by name, at most one per time step of the network."""
    steps, given = network.n_timesteps or 0, movie.shape[1]
    if not 0 < given <= steps:
        raise ConvRNNError(
            f"{network.variant} takes movies of 1 to {steps} frames, one per time step, got {given}. Use "
            "`Stepper`, which takes any number of frames, or build the network with more time steps."
        )
    return {names.frame(time): _checked(frame, network) for time, frame in enumerate(movie.unbind(1))}


@torch.fx.wrap
def _checked(images: Any, network: Architecture) -> Any:
    """Return the images, or raise an error; a function of its own so that `torch.fx` records it as one node."""
    side = VARIANTS[network.variant].smallest_side
    if images.dim() != 4 or images.shape[1] != network.channels:
        raise ConvRNNError(
            f"{network.variant} takes images (batch, {network.channels}, height, width), got {tuple(images.shape)}. "
            "Use `Preprocess`, or images.permute(0, 3, 1, 2) for channels in the last axis."
        )
    if images.shape[2] < side or images.shape[3] < side:
        raise ConvRNNError(
            f"{network.variant} halves an image {side.bit_length() - 1} times, so its sides must be at least "
            f"{side} px, got {images.shape[2]} x {images.shape[3]}. Choose a larger image size."
        )
    if not images.is_floating_point():
        raise ConvRNNError(
            f"{network.variant} takes floating-point images in [-1, 1], got {images.dtype}. Use `Preprocess`."
        )
    return images
