"""A network as a list of operations on named values, without weights, Keras or a backend."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from convrnn_model import names
from convrnn_model.variants import Convolution

IMAGE = "image"
"""Name of the value that the first convolution reads, (batch, H, W, channels)."""
INPUT = "input_1"
"""Name of the image's layer in weights files."""

Kind = Literal["convolution", "add", "normalization", "relu", "max_pool", "average", "dense", "softmax"]
Group = Literal["softmax", "pre_softmax", "features"]
GROUPS: tuple[Group, ...] = ("softmax", "pre_softmax", "features")


@dataclass(frozen=True)
class Operation:
    """Computation of one value.

    Args:
        kind: "convolution" is bias-free with zero padding to the input's size, and correlates (kernels are not
            flipped); "add" has one or two inputs; "normalization" is `x * scale + shift` per channel; "max_pool" halves
            the sides, rounding down; "average" is over the image; "dense" is `x @ kernel + bias`.
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
    """

    variant: str
    layers: tuple[Convolution, ...]
    classes: int
    n_timesteps: int | None
    cumulative_readout: bool
    channels: int
    image_size: tuple[int | None, int | None]
    moving: bool = field(default=False, kw_only=True)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the values that the network reads: the image, or one frame per time step."""
        return tuple(names.frame(time) for time in range(self.n_timesteps or 0)) if self.moving else (IMAGE,)

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
    """Return the values of a group, one per time step.

    Args:
        network: The network.
        name: "softmax"; "pre_softmax", the input of softmax, which is cumulative if the network's readout is;
            "features", the last layer averaged over the image.
    """
    if name == "features":
        return tuple(names.global_pool(time) for time in network.times)
    if name == "softmax":
        return tuple(names.softmax(time) for time in network.times)
    return tuple(_softmax_input(network, time) for time in network.times)


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
    stem, _ = names.split_time(operation.output)
    shared = stem == names.READOUT or names.is_recurrent(stem)
    return stem if shared else operation.output


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


def _softmax_input(network: Architecture, time: int | None) -> str:
    if time is None or not network.cumulative_readout:
        return names.pre_softmax(time)
    return names.cumulative(time)


def all_operations(network: Architecture) -> Iterator[Operation]:
    """Yield the operations of all values, each after its inputs."""
    for time in network.times:
        value = yield from _time_step(network, time)
        average, dense = names.global_pool(time), names.pre_softmax(time)
        yield Operation("average", average, (value,))
        yield Operation("dense", dense, (average,), names.READOUT)
        if network.cumulative_readout and time is not None:
            terms = (names.cumulative(time - 1), dense) if time else (dense,)
            yield Operation("add", names.cumulative(time), terms)
        yield Operation("softmax", names.softmax(time), (_softmax_input(network, time),))


def _time_step(network: Architecture, time: int | None) -> Generator[Operation, None, str]:
    """Yield the operations of all layers at one time step; return the name of the last layer's output."""
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
    return value


def _recurrent_sum(network: Architecture, n: int, time: int, below: str) -> Generator[Operation, None, str]:
    """Yield the convolutions of a layer and their sum; return the name of the sum."""
    # The convolution of a still image is computed once.
    computed_at = 0 if n == 0 and not network.moving else time
    bottom_up = names.at(names.bottom_up(n), computed_at)
    if time == computed_at:
        yield Operation("convolution", bottom_up, (below,), names.bottom_up(n))
    terms = [bottom_up]
    if time:
        terms.append(names.at(names.lateral(n), time))
        yield Operation("convolution", terms[1], (names.relu(n, time - 1),), names.lateral(n))
    total = names.at(names.conv_sum(n), time)
    yield Operation("add", total, tuple(terms))
    return total
