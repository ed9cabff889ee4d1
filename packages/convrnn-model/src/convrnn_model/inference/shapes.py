"""Shapes of a network's values, and the memory that they take."""

import math
from collections.abc import Sequence

from convrnn_model import names
from convrnn_model.inference.operations import Architecture, Operation

Shape = tuple[int, ...]
FLOAT = 4
"""Bytes of a float32 number."""


def value_shapes(
    network: Architecture, operations: Sequence[Operation], image_size: tuple[int, int]
) -> dict[str, Shape]:
    """Return the shape of each value without its batch axis, including those of the inputs.

    Args:
        network: The network.
        operations: Operations of the network, each after its inputs.
        image_size: Height and width, px.
    """
    shapes: dict[str, Shape] = dict.fromkeys(network.inputs, (*image_size, network.channels))
    for operation in operations:
        shape = shapes[operation.inputs[0]]
        if operation.kind == "convolution":
            shape = (*shape[:2], network.layers[names.layer_number(operation.output) or 0].filters)
        elif operation.kind == "top_down":
            shape = shapes[operation.inputs[1]]
        elif operation.kind == "max_pool":
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
        elif operation.kind == "average":
            shape = shape[2:]
        elif operation.kind == "dense":
            shape = (network.classes,)
        shapes[operation.output] = shape
    return shapes


def peak_bytes(operations: Sequence[Operation], shapes: dict[str, Shape]) -> int:
    """Return the largest number of bytes of values that are needed at one time, per image, in float32.

    Args:
        operations: Operations in the order of computation.
        shapes: Shape of each value, from `value_shapes`.
    """
    last_use = {name: index for index, operation in enumerate(operations) for name in operation.inputs}
    last_use |= {operation.output: len(operations) for operation in operations if operation.wanted}
    computed = {operation.output for operation in operations}
    live = {name: math.prod(shapes[name]) for name in last_use if name not in computed}
    most = 0
    for index, operation in enumerate(operations):
        live[operation.output] = math.prod(shapes[operation.output])
        most = max(most, sum(live.values()))
        for name in (*operation.inputs, operation.output):
            if last_use.get(name, index) <= index:
                live.pop(name, None)
    return FLOAT * most
