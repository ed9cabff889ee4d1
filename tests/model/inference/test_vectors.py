import numpy as np
import pytest

from convrnn_model.inference.vectors import (
    INT,
    VectorShape,
    compiled,
    emits,
    fused_multiply_add,
    vector_shape,
)

LANES = 4


@emits(1)
def larger(b, lanes, first, second, out):
    out.store(first.load(lanes).maximum(second.load(lanes)))


@emits(1)
def floored(b, lanes, values, floor, out):
    out.store(values.load(lanes).at_least(floor.load(lanes)))


@emits(1)
def arithmetic(b, lanes, first, second, out):
    x, y = first.load(lanes), second.load(lanes)
    out.store(-(x + y) * 2.0 - y)
    out.at(lanes).store(fused_multiply_add(x, y, first.broadcast(lanes)))


@emits(1)
def chosen(b, lanes, first, second, index, out):
    negative = b.icmp_signed("<", index, INT(0))
    out.store(first.at(index).unless(negative, second).load(lanes))


@compiled
def run_larger(first, second, out):
    larger(4, first, second, out)


@compiled
def run_floored(values, floor, out):
    floored(4, values, floor, out)


@compiled
def run_arithmetic(first, second, out):
    arithmetic(4, first, second, out)


@compiled
def run_chosen(first, second, index, out):
    chosen(4, first, second, index, out)


def numbers(*values):
    return np.array(values, np.float32)


def test_maximum_keeps_nan_of_either():
    out = np.empty(LANES, np.float32)
    run_larger(numbers(1, np.nan, 3, -0.5), numbers(2, 1, np.nan, -1), out)
    np.testing.assert_array_equal(out, numbers(2, np.nan, np.nan, -0.5))


def test_at_least_keeps_nan_of_the_value():
    out = np.empty(LANES, np.float32)
    run_floored(numbers(-1, np.nan, 3, 0), np.zeros(LANES, np.float32), out)
    np.testing.assert_array_equal(out, numbers(0, np.nan, 3, 0))


def test_computes_in_float32():
    first, second = np.random.default_rng(0).normal(size=(2, LANES)).astype(np.float32)
    out = np.empty(2 * LANES, np.float32)
    run_arithmetic(first, second, out)
    np.testing.assert_allclose(out[:LANES], -(first + second) * 2 - second, rtol=1e-6)
    exact = first.astype(float) * second + first[0]
    np.testing.assert_array_equal(out[LANES:], exact.astype(np.float32))


@pytest.mark.parametrize(("index", "expected"), [(0, [0, 1, 2, 3]), (2, [2, 3, 4, 5]), (-1, [9, 9, 9, 9])])
def test_reads_another_address_where_a_condition_holds(index, expected):
    out = np.empty(LANES, np.float32)
    run_chosen(np.arange(8, dtype=np.float32), np.full(LANES, 9, np.float32), index, out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("kind", ["generic", "neon", "avx2", "avx512", "avx512-bf16", "amx"])
def test_channels_are_padded_to_whole_vectors(kind):
    shape = vector_shape(kind)
    for count in (1, 3, 12, 96, 100, 2048):
        padded = shape.padded(count)
        assert count <= padded < count + shape.lanes
        assert padded % shape.columns(padded) == 0
        assert shape.columns(padded) % shape.lanes == 0


def test_wide_blocks_are_used_where_they_divide_the_filters():
    shape = VectorShape(lanes=8, rows=4, vectors=2)
    assert shape.columns(96) == 16
    assert shape.columns(24) == 8
