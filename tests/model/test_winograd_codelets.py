"""Compiled Winograd transforms against products with their matrices."""

import numpy as np
import pytest
from arrays import random_array

pytest.importorskip("numba", reason="numba compiles the transforms")

from convrnn_model import winograd_codelets
from convrnn_model.winograd import axis_matrices

WIDTH = 4
_, OF_TILE, OF_PRODUCTS = (matrix.astype(np.float32) for matrix in axis_matrices())


@pytest.mark.parametrize(("channels", "first"), [(4, 0), (8, 2)])
def test_tiles_are_transformed_in_groups_of_channels(channels, first):
    images = random_array(0, 2, 7, 9, channels)
    spectrum = np.zeros((6, 6, 12, channels + first), np.float32)
    transform = winograd_codelets.forward(WIDTH)
    transform(images, spectrum, first, 0, 12, 2, 3, 4, 4, 1, OF_TILE)
    assert not spectrum[..., :first].any()
    padded = np.pad(images, ((0, 0), (1, 9), (1, 9), (0, 0)))
    for tile in range(12):
        image, y, x = tile // 6, 4 * (tile // 3 % 2), 4 * (tile % 3)
        expected = np.einsum("ay,bx,yxc->abc", OF_TILE, OF_TILE, padded[image, y : y + 6, x : x + 6])
        np.testing.assert_allclose(spectrum[:, :, tile, first:], expected, rtol=0, atol=1e-4)


def test_only_the_given_range_of_tiles_is_transformed():
    spectrum = np.full((6, 6, 4, WIDTH), np.nan, np.float32)
    transform = winograd_codelets.forward(WIDTH)
    transform(random_array(0, 1, 8, 8, WIDTH), spectrum, 0, 1, 3, 2, 2, 4, 4, 1, OF_TILE)
    assert np.isnan(spectrum).all((0, 1, 3)).tolist() == [True, False, False, True]


def test_inverse_with_epilogue_and_pooling():
    shape, filters = (1, 6, 7, 2 * WIDTH), 2 * WIDTH
    products, added = random_array(0, 6, 6, 4, filters), random_array(1, *shape)
    scale, shift = random_array(2, filters), random_array(3, filters)
    images = np.full(shape, np.nan, np.float32)
    smaller = np.full((1, 3, 3, filters), np.nan, np.float32)
    transform = winograd_codelets.inverse(WIDTH, True, True, True)
    transform(products, scale, shift, added, images, smaller, 0, 4, 2, 2, 4, 4, OF_PRODUCTS)
    outputs = np.einsum("ya,xb,abtc->tyxc", OF_PRODUCTS, OF_PRODUCTS, products)
    whole = outputs.reshape(2, 2, 4, 4, filters).transpose(0, 2, 1, 3, 4).reshape(1, 8, 8, filters)
    expected = np.maximum((whole[:, :6, :7] + added) * scale + shift, 0)
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(smaller, images[:, :, :6].reshape(1, 3, 2, 3, 2, filters).max((2, 4)))
