"""A network as a list of operations on named values, without weights, Keras or a backend."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from convrnn_model import names
from convrnn_model.variants import VARIANTS, Convolution, Variant

IMAGE = "image"
"""Name of the value that the first convolution reads, (batch, H, W, channels)."""
INPUT = "input_1"
"""Name of the image's layer in weights files."""

Kind = Literal[
    "convolution", "top_down", "add", "normalization", "relu", "max_pool", "average", "dense", "softmax"
]
Group = Literal["softmax", "pre_softmax", "features"]
GROUPS: tuple[Group, ...] = ("softmax", "pre_softmax", "features")


@dataclass(frozen=True)
class Operation:
    """Computation of one value.

    Args:
        kind: "convolution" is bias-free with zero padding to the input's size, and correlates (kernels are not
            flipped); "top_down" is the bias-free transposed convolution with stride 2 of `layers.TopDownConv2D`, of its
            first input to the size of its second; "add" has one to three inputs; "normalization" is `x * scale + shift`
            per channel; "max_pool" halves the sides, rounding down; "average" is over the image; "dense" is
            `x @ kernel + bias`.
        output: Name of the value, as `activations` names it: `RCL_2_ConvSum_Time_4`.
        inputs: Names of the values that are read.
        weights: Name of the layer with the weights, or None.
        wanted: The value is an output; other values may be overwritten after their last use.
    """

    kind: Kind
    output: str
    inputs: tuple[str, ...]
    weights: str | None = None
    wanted: bool = False


@dataclass(frozen=True, eq=False)
class Architecture:
    """Shape of a network of this package.

    Args:
        variant: A key of `VARIANTS`.
        layers: Bottom-up convolutions, from the image up.
        classes: Number of classes of the readout.
        n_timesteps: Time steps; None for feedforward networks.
        cumulative_readout: Softmax reads the sum of the readouts up to its time step.
        channels: Channels of the image.
        image_size: Height and width, px; None where any size is accepted.
        moving: The image is another one at each time step, the value `names.frame(time)`.
        layer_readouts: Every layer has a readout of its own, not only the last one.
    """

    variant: str
    layers: tuple[Convolution, ...]
    classes: int
    n_timesteps: int | None
    cumulative_readout: bool
    channels: int
    image_size: tuple[int | None, int | None]
    moving: bool = field(default=False, kw_only=True)
    layer_readouts: bool = field(default=False, kw_only=True)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the values that the network reads: the image, or one frame per time step."""
        return tuple(names.frame(time) for time in range(self.n_timesteps or 0)) if self.moving else (IMAGE,)

    @property
    def row(self) -> Variant:
        """Row of the table of variants."""
        return VARIANTS[self.variant]

    @property
    def exits(self) -> tuple[tuple[int | None, int | None], ...]:
        """Time step and layer of each readout, in order, as the functions of `names` take them."""
        layers = range(len(self.layers)) if self.layer_readouts else (None,)
        return tuple((time, layer) for time in self.times for layer in layers)

    @property
    def times(self) -> tuple[int | None, ...]:
        """Time steps as the functions of `names` take them; (None,) for feedforward networks."""
        return (None,) if self.n_timesteps is None else tuple(range(self.n_timesteps))


def operations(network: Architecture, outputs: Sequence[str] | None = None) -> tuple[Operation, ...]:
    """Return the operations that some outputs need, each after its inputs.

    Args:
        network: The network.
        outputs: Names of values as `activations` takes them; by default those of softmax at every time step.

    Raises:
        ConvRNNError: The network has no value of a name.
    """
    every = tuple(all_operations(network))
    names_given = group(network, "softmax") if outputs is None else outputs
    wanted = set(value_names(network, names_given).values())
    needed = set(wanted)
    for operation in reversed(every):
        if operation.output in needed:
            needed.update(operation.inputs)
    return tuple(
        replace(operation, wanted=operation.output in wanted)
        for operation in every
        if operation.output in needed
    )


def group(network: Architecture, name: Group) -> tuple[str, ...]:
    """Return the values of a group, one per time step; with readouts of every layer, one per time step and layer.

    Args:
        network: The network.
        name: "softmax"; "pre_softmax", the input of softmax, which is cumulative if the network's readout is;
            "features", the last layer averaged over the image, one per time step.
    """
    if name == "features":
        last = len(network.layers) - 1 if network.layer_readouts else None
        return tuple(names.global_pool(time, last) for time in network.times)
    if name == "softmax":
        return tuple(names.softmax(*exit_) for exit_ in network.exits)
    return tuple(_softmax_input(network, *exit_) for exit_ in network.exits)


def group_stems(network: Architecture, name: Group) -> tuple[str, ...]:
    """Return the names of a group without time steps: one, or with readouts of every layer, one per layer."""
    return tuple(dict.fromkeys(names.split_time(value)[0] for value in group(network, name)))


def value_names(network: Architecture, wanted: Sequence[str]) -> dict[str, str]:
    """Map each wanted name to the name of a value: a layer applied once is also known by its plain name.

    Raises:
        ConvRNNError: No name is given, or the network has no value of a name.
    """
    uses: dict[str, list[str]] = {}
    for operation in all_operations(network):
        uses.setdefault(layer_name(operation), []).append(operation.output)
    known = {layer: outputs[0] for layer, outputs in uses.items() if len(outputs) == 1}
    known |= {output: output for outputs in uses.values() for output in outputs}
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise names.unknown_outputs(network.variant, unknown, uses)
    return {name: known[name] for name in wanted}


def layer_name(operation: Operation) -> str:
    """Return the name of the layer that an operation applies; those of shared layers have no time step."""
    if operation.weights is not None:
        return operation.weights
    return names.split_time(operation.output)[0] if names.is_recurrent(operation.output) else operation.output


def layers_in_order(network: Architecture) -> tuple[str, ...]:
    """Return the names of all layers in the order of weights files, which is Keras' for functional models.

    Layers are sorted by their distance from the outputs, and then by their first visit in a depth-first search.
    """
    # Weights files do not depend on the input.
    network = replace(network, moving=False)
    every = {operation.output: operation for operation in all_operations(network)}
    inputs = {output: operation.inputs for output, operation in every.items()} | {IMAGE: ()}
    layers = {output: layer_name(operation) for output, operation in every.items()} | {IMAGE: INPUT}
    visited: dict[str, None] = {}
    finished: dict[str, None] = {}
    for softmax in group(network, "softmax"):
        path = [(softmax, iter(inputs[softmax]))]
        visited.setdefault(layers[softmax])
        while path:
            output, remaining = path[-1]
            following = next((value for value in remaining if value not in finished), None)
            if following is None:
                finished.setdefault(output)
                path.pop()
            else:
                visited.setdefault(layers[following])
                path.append((following, iter(inputs[following])))
    depths: dict[str, int] = {}
    of_layers: dict[str, int] = {}
    for output in reversed(finished):
        depth = max(depths.get(output, 0), of_layers.get(layers[output], 0))
        of_layers[layers[output]] = depth
        for value in inputs[output]:
            depths[value] = max(depth + 1, depths.get(value, 0))
    order = {name: position for position, name in enumerate(visited)}
    return tuple(sorted(order, key=lambda name: (-of_layers[name], order[name])))


def kernel_shape(network: Architecture, name: str) -> tuple[int, int, int, int]:
    """Return the shape of a convolution's kernel in weights files, by its name.

    Returns:
        (height, width, channels, filters); (height, width, filters, channels) for transposed convolutions, as in Keras.
    """
    n = names.layer_number(name) or 0
    layer = network.layers[n]
    if names.is_top_down(name):
        return layer.kernel, layer.kernel, layer.filters, network.layers[n + 1].filters
    below = network.layers[n - 1].filters if n else network.channels
    return layer.kernel, layer.kernel, layer.filters if names.is_lateral(name) else below, layer.filters


def readout_shape(network: Architecture, name: str) -> tuple[int, int]:
    """Return the shape of a readout's kernel, (filters, classes), by its name."""
    n = names.layer_number(name)
    return network.layers[-1 if n is None else n].filters, network.classes


def _softmax_input(network: Architecture, time: int | None, layer: int | None) -> str:
    if time is None or not network.cumulative_readout:
        return names.pre_softmax(time, layer)
    return names.cumulative(time, layer)


def all_operations(network: Architecture) -> Iterator[Operation]:
    """Yield the operations of all values, each after its inputs."""
    for time in network.times:
        yield from _time_step(network, time)
        for layer in (layer for at, layer in network.exits if at == time):
            yield from _readout(network, time, layer)


def _readout(network: Architecture, time: int | None, layer: int | None) -> Iterator[Operation]:
    """Yield the operations from a layer, None for the last, to its softmax."""
    last = len(network.layers) - 1
    average, dense = names.global_pool(time, layer), names.pre_softmax(time, layer)
    yield Operation("average", average, (names.relu(last if layer is None else layer, time),))
    yield Operation("dense", dense, (average,), _weights(network, names.pre_softmax(None, layer), time))
    if network.cumulative_readout and time is not None:
        terms = (names.cumulative(time - 1, layer), dense) if time else (dense,)
        yield Operation("add", names.cumulative(time, layer), terms)
    yield Operation("softmax", names.softmax(time, layer), (_softmax_input(network, time, layer),))


def _time_step(network: Architecture, time: int | None) -> Iterator[Operation]:
    """Yield the operations of all layers at one time step."""
    value = names.frame(time) if network.moving and time is not None else IMAGE
    for n, layer in enumerate(network.layers):
        if layer.pool:
            yield Operation("max_pool", names.max_pool(n, time), (value,))
            value = names.max_pool(n, time)
        if time is None:
            yield Operation("convolution", names.conv(n), (value,), names.conv(n))
            value = names.conv(n)
        else:
            value = yield from _recurrent_sum(network, n, time, value)
        yield Operation("normalization", names.batch_norm(n, time), (value,), names.batch_norm(n, time))
        yield Operation("relu", names.relu(n, time), (names.batch_norm(n, time),))
        value = names.relu(n, time)


def _recurrent_sum(network: Architecture, n: int, time: int, below: str) -> Generator[Operation, None, str]:
    """Yield the convolutions of a layer and their sum; return the name of the sum."""
    # The convolution of a still image with a shared kernel is computed once.
    computed_at = 0 if n == 0 and network.row.shared and not network.moving else time
    terms = [names.at(names.bottom_up(n), computed_at)]
    if time == computed_at:
        yield Operation("convolution", terms[0], (below,), _weights(network, names.bottom_up(n), time))
    if time:
        before = names.relu(n, time - 1)
        if network.row.lateral:
            terms.append(names.at(names.lateral(n), time))
            yield Operation("convolution", terms[-1], (before,), _weights(network, names.lateral(n), time))
        if network.row.top_down and n + 1 < len(network.layers):
            terms.append(names.at(names.top_down(n), time))
            sources = names.relu(n + 1, time - 1), before
            yield Operation("top_down", terms[-1], sources, _weights(network, names.top_down(n), time))
    total = names.at(names.conv_sum(n), time)
    yield Operation("add", total, tuple(terms))
    return total


def _weights(network: Architecture, layer: str, time: int | None) -> str:
    """Return the name of the layer with the weights at a time step."""
    return layer if network.row.shared else names.at(layer, time)
