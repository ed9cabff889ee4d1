"""Plan of a network on tiles, in plain data: fused steps, their tilings, and the buffers they share."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from convrnn_model.inference.costs import Costs
from convrnn_model.inference.operations import IMAGE, Architecture, Operation
from convrnn_model.inference.shapes import value_shapes
from convrnn_model.inference.tiling import Tiling, best
from convrnn_model.inference.vectors import VectorShape

LARGEST_RATIO = 2
"""Largest size of a buffer relative to a value that it holds."""


@dataclass(frozen=True)
class Step:
    """A sum of convolutions, with the pointwise operations that follow it.

    Args:
        output: Name of the value.
        inputs: Names of the values that are convolved; none if only `added` is processed.
        kernels: The layer of each one's kernel.
        added: Name of a value that is added, or None.
        normalization: Layer with the scale and shift, or None.
        rectifies: Whether a ReLU follows.
        pooled: Name of the maxima over 2 x 2 px, which are also written, or None.
        tiling: How the sum of convolutions is computed.
        channels: Of each input, as stored.
        filters: Of the output, as stored.
        shared: Kernels of the spectrum, of which `kernels` are the first.
        seconds: Estimated time of the three stages for a whole batch, on one core.
    """

    output: str
    inputs: tuple[str, ...]
    kernels: tuple[str, ...]
    added: str | None
    normalization: str | None
    rectifies: bool
    pooled: str | None
    tiling: Tiling
    channels: tuple[int, ...]
    filters: int
    shared: tuple[str, ...]
    seconds: tuple[float, float, float]

    @property
    def depth(self) -> int:
        """Numbers per tile and part that the products sum over."""
        return self.tiling.depth(sum(self.channels))

    @property
    def copies(self) -> bool:
        """Whether the inputs are transformed or copied before the products."""
        return not (self.tiling.kind == "unfold" and self.tiling.side == 1 and len(self.inputs) == 1)

    def size(self, values: int, batch: int) -> int:
        """Return the size of the tiles' spectrum, for `depth` or `filters` as values per tile and part."""
        tiling = self.tiling
        return batch * tiling.tiles * tiling.products * tiling.parts * values


@dataclass(frozen=True)
class Plan:
    """Steps and operations in order, and their buffers.

    Args:
        steps: A `Step`, or an operation that is not fused.
        buffers: Number of the buffer of each output of a step.
        sizes: Float32 numbers per buffer.
        left: Numbers of the transformed inputs of the largest step.
        right: Numbers of the products of the largest step.
        last_use: Value -> index of the last step that reads it.
        seconds: Estimated time per image on one core.
    """

    steps: tuple[Step | Operation, ...]
    buffers: dict[str, int]
    sizes: tuple[int, ...]
    left: int
    right: int
    last_use: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class _Fused:
    output: str
    inputs: tuple[str, ...]
    kernels: tuple[str, ...]
    added: str | None = None
    normalization: str | None = None
    rectifies: bool = False
    pooled: str | None = None


def plan(
    network: Architecture,
    operations: Sequence[Operation],
    image_size: tuple[int, int],
    batch: int,
    costs: Costs,
    vectors: VectorShape,
) -> Plan:
    """Plan the computation of some operations.

    Args:
        network: The network.
        operations: The operations.
        image_size: Height and width, px.
        batch: Images per batch.
        costs: Of the kind of processor.
        vectors: Of the kind of processor.
    """
    fused = _fuse(operations)
    shapes = value_shapes(network, operations, image_size)
    stored = {name: vectors.padded(shape[-1]) for name, shape in shapes.items()}
    # A longer sum with the same first kernel chooses the tiling, and its spectrum contains those of shorter ones.
    longest: dict[str, _Fused] = {}
    for item in fused:
        if isinstance(item, _Fused) and item.kernels:
            longest[item.kernels[0]] = max(longest.get(item.kernels[0], item), item, key=_length)
    tilings = {}
    for kernel, item in longest.items():
        depth = sum(stored[name] for name in item.inputs)
        # Only tiles need the image's few channels padded to a vector.
        unpadded = network.channels if item.inputs == (IMAGE,) else depth
        height, width, _ = shapes[item.inputs[0]]
        side = _side(network, kernel)
        tilings[kernel] = best(costs, height, width, side, depth, stored[item.output], batch, unpadded)
    steps: list[Step | Operation] = []
    seconds = 0.0
    for item in fused:
        if isinstance(item, Operation):
            steps.append(item)
            continue
        height, width, _ = shapes[item.output]
        tiling = Tiling("unfold", height, width, 1, 1)
        shared: tuple[str, ...] = ()
        if item.kernels:
            tiling, shared = tilings[item.kernels[0]], longest[item.kernels[0]].kernels
            shared = shared if shared[: len(item.kernels)] == item.kernels else item.kernels
        channels = tuple(stored[name] for name in item.inputs)
        if item.inputs == (IMAGE,) and tiling.kind == "unfold":
            channels = (network.channels,)
        stages = tiling.stage_seconds(costs, sum(channels), stored[item.output], batch)
        steps.append(
            Step(
                **vars(item),
                tiling=tiling,
                channels=channels,
                filters=stored[item.output],
                shared=shared,
                seconds=(batch * stages[0], batch * stages[1], batch * stages[2]),
            )
        )
        seconds += tiling.seconds(costs, sum(channels), stored[item.output], batch)
    sizes = {name: batch * math.prod(shape[:-1]) * stored[name] for name, shape in shapes.items()}
    return _with_buffers(tuple(steps), sizes, batch, seconds)


def _length(item: _Fused) -> int:
    return len(item.kernels)


def _fuse(operations: Sequence[Operation]) -> list[_Fused | Operation]:
    """Join sums of convolutions with the operations that follow, where no other operation reads what is between."""
    kept = {operation.output for operation in operations if operation.wanted}
    uses = Counter(name for operation in operations for name in operation.inputs)
    by_input = {name: operation for operation in operations for name in operation.inputs}
    by_output = {operation.output: operation for operation in operations}
    pools = {
        operation.inputs[0]: operation.output for operation in operations if operation.kind == "max_pool"
    }
    done: set[str] = set()
    fused: list[_Fused | Operation] = []

    def only_used_by(name: str, kind: str) -> Operation | None:
        following = by_input.get(name)
        alone = name not in kept and uses[name] == 1
        return following if alone and following is not None and following.kind == kind else None

    for operation in operations:
        if operation.output in done:
            continue
        if operation.kind == "convolution" and only_used_by(operation.output, "add"):
            continue  # part of the sum
        if operation.kind == "add":
            terms = [by_output.get(name) for name in operation.inputs]
            inner = [
                term
                for term in terms
                if term and term.kind == "convolution" and only_used_by(term.output, "add")
            ]
            others = [name for name, term in zip(operation.inputs, terms, strict=True) if term not in inner]
            if len(others) > 1 or not any(term and term.kind == "convolution" for term in terms):
                fused.append(operation)
                continue
            added = others[0] if others else None
        elif operation.kind == "convolution":
            inner, added = [operation], None
        else:
            fused.append(operation)
            continue
        output, normalization, rectifies = operation.output, None, False
        if following := only_used_by(output, "normalization"):
            output, normalization = following.output, following.weights
            done.add(output)
            if following := only_used_by(output, "relu"):
                output, rectifies = following.output, True
                done.add(output)
        pooled = pools.get(output)
        if pooled:
            done.add(pooled)
        kernels = tuple(str(term.weights) for term in inner)
        inputs = tuple(term.inputs[0] for term in inner)
        fused.append(_Fused(output, inputs, kernels, added, normalization, rectifies, pooled))
    return fused


def _layer(kernel: str) -> int:
    """Return the number of the layer of a convolution's name: `RCL_2_LConv`, `Conv_Layer_2`."""
    return next(int(part) for part in kernel.split("_") if part.isdigit())


def _side(network: Architecture, kernel: str) -> int:
    return network.layers[_layer(kernel)].kernel


def _with_buffers(
    steps: tuple[Step | Operation, ...], needs: dict[str, int], batch: int, seconds: float
) -> Plan:
    """Assign buffers for values of given sizes; one is free again after the last use of its value."""
    last_use = {name: i for i, step in enumerate(steps) for name in _reads(step)}
    free: list[int] = []
    lengths: list[int] = []
    buffers: dict[str, int] = {}
    for i, step in enumerate(steps):
        # Inputs are transformed before the output is written, so it may take the buffer of one.
        free += [
            buffers[name]
            for name in dict.fromkeys(_reads(step))
            if name in buffers and last_use[name] == i and name != getattr(step, "added", None)
        ]
        for name in _writes(step):
            need = needs[name]
            fitting = [number for number in free if need <= lengths[number] <= LARGEST_RATIO * need]
            if fitting:
                number = min(fitting, key=lambda number: lengths[number])
                free.remove(number)
            else:
                number = len(lengths)
                lengths.append(need)
            buffers[name] = number
        added = getattr(step, "added", None)
        if added in buffers and last_use[added] == i:
            free.append(buffers[added])
        free += [buffers[name] for name in _writes(step) if name not in last_use]
    convolutions = [step for step in steps if isinstance(step, Step)]
    return Plan(
        steps,
        buffers,
        tuple(lengths),
        left=max((step.size(step.depth, batch) for step in convolutions if step.copies), default=0),
        right=max((step.size(step.filters, batch) for step in convolutions), default=0),
        last_use=last_use,
        seconds=seconds,
    )


def _reads(step: Step | Operation) -> tuple[str, ...]:
    added = (step.added,) if isinstance(step, Step) and step.added else ()
    return (*step.inputs, *added)


def _writes(step: Step | Operation) -> tuple[str, ...]:
    if isinstance(step, Operation):
        return ()
    return (step.output, step.pooled) if step.pooled else (step.output,)
