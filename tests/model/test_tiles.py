"""Cutting, epilogue and cost of tiles, by hand."""

import numpy as np
import pytest
from arrays import as_numpy, random_array

from convrnn_model.tiles import (
    BATCH,
    OPERATIONS_PER_BYTE,
    Axis,
    Epilogue,
    concatenated,
    cut,
    max_pooled,
    multiply_left,
)
from convrnn_model.winograd import WinogradPlan


@pytest.mark.parametrize(("length", "tiles"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3)])
def test_axis(length, tiles):
    axis = Axis(length, kernel=3, step=4, before=1)
    assert (axis.tiles, axis.points) == (tiles, 6)


def test_tiles_are_cut_with_zero_padding():
    images = random_array(0, 2, 7, 9, 3)
    axes = Axis(7, 3, 4, before=1), Axis(9, 3, 4, before=1)
    found = as_numpy(cut(images, axes, (6, 6), (1, 1))).reshape(6, 6, 2, 2, 3, 3)
    padded = np.pad(images, ((0, 0), (1, 9), (1, 9), (0, 0)))
    for row in range(2):
        for column in range(3):
            expected = padded[:, 4 * row : 4 * row + 6, 4 * column : 4 * column + 6]
            np.testing.assert_array_equal(found[:, :, :, row, column].transpose(2, 0, 1, 3), expected)


@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("pools", [False, True])
def test_epilogue(adds, pools):
    convolved, added = random_array(0, 1, 4, 6, 2), random_array(1, 1, 4, 6, 2)
    scale, shift = random_array(2, 2), random_array(3, 2)
    epilogue = Epilogue(scale, shift, added if adds else None, pools)
    result, *pooled = [as_numpy(tensor) for tensor in epilogue.apply(convolved)]
    expected = np.maximum((convolved + added * adds) * scale + shift, 0)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert len(pooled) == pools
    assert len(epilogue.tensors) == 2 + adds
    for smaller in pooled:
        np.testing.assert_array_equal(smaller, result.reshape(1, 2, 2, 3, 2, 2).max((2, 4)))


def test_pooling_drops_an_odd_last_row_and_column():
    images = random_array(0, 1, 5, 7, 2)
    expected = images[:, :4, :6].reshape(1, 2, 2, 3, 2, 2).max((2, 4))
    np.testing.assert_array_equal(as_numpy(max_pooled(images)), expected)


def test_concatenation_copies_no_single_tensor():
    one, other = random_array(0, 2, 3), random_array(1, 2, 1)
    assert concatenated([one], axis=1) is one
    np.testing.assert_array_equal(as_numpy(concatenated([one, other], axis=1)), np.hstack([one, other]))


def test_left_multiplication_of_a_stack():
    matrix, stack = random_array(0, 2, 3), random_array(1, 5, 3, 4)
    np.testing.assert_allclose(as_numpy(multiply_left(matrix, stack)), matrix @ stack, atol=1e-6)


def test_bytes_and_direct_cost():
    plan = WinogradPlan.for_convolution((8, 8), (3, 3, 5, 7))
    # Per tile, values written and read: 6 x 6 pixels and 36 products of 5 channels, 36 and 4 x 4 of 7 filters.
    tiles = 4 * (2 * (36 + 36) * 5 + 2 * (16 + 36) * 7)
    assert plan.bytes == 4 * (tiles + 36 * 5 * 7 / BATCH)
    ragged = WinogradPlan.for_convolution((7, 8), (3, 3, 5, 7))
    assert ragged.bytes == plan.bytes + 4 * 2 * 7 * 8 * 7
    moved = 64 * (5 + 7) + 3 * 9 * 5 * 7 / BATCH
    assert plan.direct_cost == 2 * 64 * 9 * 5 * 7 + OPERATIONS_PER_BYTE * 4 * moved
