"""One time step of a network as a function of a frame and of the state that the step before left."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from convrnn_model import names
from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.operations import Architecture, Operation, all_operations

Key = tuple[int, int]
"""Time step whose operations are computed, and the one whose batch normalisation they use."""


@dataclass(frozen=True)
class Step:
    """Operations of a time step. Names of the state and of outputs have no time step: `ReLU_Layer_6`.

    Args:
        operations: The operations, each after its inputs.
        image: Name of the frame.
        reads: State from the step before -> name of the value that the operations read.
        keeps: State for the next step -> name of the value.
        outputs: Output -> name of the value.
    """

    operations: tuple[Operation, ...]
    image: str
    reads: dict[str, str]
    keeps: dict[str, str]
    outputs: dict[str, str]


def step_key(network: Architecture, time: int, extra: int | None) -> Key:
    """Return the key of a time step, one of at most `n_timesteps + 1`.

    Args:
        network: The network.
        time: Time step, from 0.
        extra: Time step whose batch normalisation serves those beyond the network's; None where none does.

    Raises:
        ConvRNNError: The network lacks weights for this time step.
    """
    steps = network.n_timesteps
    if steps is None:
        return 0, 0
    if time < steps:
        return time, time
    if extra is None:
        raise ConvRNNError(
            f"{network.variant} has batch normalisation for {steps} time steps, got frame {time}, counted from 0. Pass "
            "extra_timesteps='repeat-last', or a time step, to reuse its batch normalisation."
        )
    if steps == 1:
        raise ConvRNNError(
            f"{network.variant} must have at least 2 time steps to take several frames, got 1: the first one has no "
            "lateral weights. Build it with more."
        )
    # The operations of the first time step lack the lateral terms.
    return max(extra, 1), extra


def step_at(network: Architecture, key: Key, outputs: Sequence[str]) -> Step:
    """Return the operations of a time step that some outputs need, at this step or at later ones.

    Args:
        network: The network, of still images or movies.
        key: The time step, from `step_key`.
        outputs: Names without a time step, which must have a value at every time step.

    Raises:
        ConvRNNError: The network has no output of a name.
    """
    if network.n_timesteps is None:
        return _feedforward(network, outputs)
    time, normalization = key
    _require_outputs(network, outputs)
    state = _state(network, outputs)
    own = _operations_at(network, time)
    keeps = {stem: names.at(stem, time) for stem in state}
    wanted = {stem: names.at(stem, time) for stem in outputs}
    needed = _needed(own, {*keeps.values(), *wanted.values()})
    kept = {*keeps.values(), *wanted.values()}
    return Step(
        tuple(
            replace(_normalized(operation, normalization), wanted=operation.output in kept)
            for operation in own
            if operation.output in needed
        ),
        names.frame(time),
        {stem: before for stem in state if (before := names.at(stem, time - 1)) in needed},
        keeps,
        wanted,
    )


def _feedforward(network: Architecture, outputs: Sequence[str]) -> Step:
    """Return the whole network, which keeps no state."""
    every = tuple(all_operations(network))
    known = {operation.output for operation in every}
    _require(network, outputs, known)
    needed = _needed(every, set(outputs))
    chosen = tuple(
        replace(operation, wanted=operation.output in outputs)
        for operation in every
        if operation.output in needed
    )
    return Step(chosen, network.inputs[0], {}, {}, {name: name for name in outputs})


def _operations_at(network: Architecture, time: int) -> list[Operation]:
    moving = replace(network, moving=True, n_timesteps=time + 1)
    return [one for one in all_operations(moving) if names.split_time(one.output)[1] == time]


def _state(network: Architecture, outputs: Sequence[str]) -> list[str]:
    """Return the values that outputs of later time steps need, in order of computation."""
    second = _operations_at(network, 1)
    carried: set[str] = set()
    while True:
        needed = _needed(second, {names.at(stem, 1) for stem in (*outputs, *carried)})
        found = {stem for stem, time in map(names.split_time, needed) if time == 0}
        if found <= carried:
            return [stem for stem in map(_stem, second) if stem in carried]
        carried |= found


def _needed(every: Sequence[Operation], wanted: set[str]) -> set[str]:
    needed = set(wanted)
    for operation in reversed(every):
        if operation.output in needed:
            needed.update(operation.inputs)
    return needed


def _normalized(operation: Operation, time: int) -> Operation:
    """Return the operation with the batch normalisation of a time step, if it is one."""
    if operation.kind != "normalization":
        return operation
    return replace(operation, weights=names.at(_stem(operation), time))


def _stem(operation: Operation) -> str:
    return names.split_time(operation.output)[0]


def _require_outputs(network: Architecture, outputs: Sequence[str]) -> None:
    at_every_step = [{_stem(operation) for operation in _operations_at(network, time)} for time in (0, 1)]
    _require(network, outputs, set.intersection(*at_every_step))


def _require(network: Architecture, outputs: Sequence[str], known: set[str]) -> None:
    unknown = [name for name in outputs if name not in known]
    if unknown or not outputs:
        raise names.unknown_outputs(network.variant, unknown, {name: [name] for name in sorted(known)})
