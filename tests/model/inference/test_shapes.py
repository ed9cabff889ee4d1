"""Shapes and memory of a network's values."""

import math

import numpy as np
import plain_engine
import pytest

from convrnn_model.inference.frozen import from_keras
from convrnn_model.inference.operations import Operation, operations
from convrnn_model.inference.shapes import peak_bytes, value_shapes


@pytest.mark.parametrize("size", [(64, 64), (71, 97)])
def test_shapes_are_those_of_the_values(size, network):
    frozen = from_keras(network)
    every = operations(frozen)
    images = np.zeros((1, *size, 3), np.float32)
    values = plain_engine.run(frozen, every, images)
    assert value_shapes(frozen, every, size) == {name: value.shape[1:] for name, value in values.items()}


def test_memory_is_that_of_the_values_needed_at_one_time():
    chain = (
        Operation("relu", "a", ("image",)),
        Operation("relu", "b", ("a",), wanted=True),
        Operation("add", "c", ("a", "b")),
        Operation("relu", "d", ("c",), wanted=True),
    )
    shapes = {"image": (10,), "a": (20,), "b": (30,), "c": (40,), "d": (5,)}
    # a, b and c, when c is computed; then b stays until the end, since it is wanted.
    assert peak_bytes(chain, shapes) == 4 * (20 + 30 + 40)
    assert peak_bytes(chain[:1], shapes) == 4 * (10 + 20)


def test_memory_is_at_least_that_of_the_wanted_values(network):
    frozen = from_keras(network)
    every = operations(frozen, [operation.output for operation in operations(frozen)])
    shapes = value_shapes(frozen, every, (64, 64))
    assert peak_bytes(every, shapes) >= 4 * sum(math.prod(shapes[o.output]) for o in every)
    assert peak_bytes(operations(frozen), shapes) < peak_bytes(every, shapes)
