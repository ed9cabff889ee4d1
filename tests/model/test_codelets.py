"""Compiled Fourier transforms against NumPy's."""

import numpy as np
import pytest
from arrays import random_array

pytest.importorskip("numba", reason="numba compiles the transforms")

from convrnn_model import codelets

CHANNELS, HALF = 4, 2


def spectra_of(images, n, step, before):
    """Transform all tiles: (n // 2 + 1, n, 3, tiles, channels)."""
    rows, columns = (-(-length // step) for length in images.shape[1:3])
    tiles = len(images) * rows * columns
    spectra = np.empty((n // 2 + 1, n, 3, tiles, CHANNELS), np.float32)
    transform, twiddles = codelets.forward(n, HALF), codelets.twiddle_factors(n)
    transform(images, spectra, 0, 0, tiles, rows, columns, step, step, before, twiddles)
    return spectra


def images_of(products, shape, n, step, *epilogue, pools=False):
    images = np.full(shape, np.nan, np.float32)
    smaller = np.full((shape[0], shape[1] // 2, shape[2] // 2, shape[3]), np.nan, np.float32)
    rows, columns = (-(-length // step) for length in shape[1:3])
    unused = [np.empty(0, np.float32), np.empty(0, np.float32), np.empty((0, 0, 0, 0), np.float32)]
    transform = codelets.inverse(n, HALF, bool(epilogue), len(epilogue) > 2, pools)
    arrays = [*epilogue, *unused[len(epilogue) :], images, smaller]
    layout = (0, products.shape[3], rows, columns, step, step, codelets.twiddle_factors(n))
    transform(products, *arrays, *layout)
    return images, smaller


@pytest.mark.parametrize("n", codelets.RADICES)
def test_radices_and_twiddle_factors(n):
    first, last = codelets.RADICES[n]
    assert first * last == n
    turn = np.exp(2j * np.pi * np.outer(np.arange(last), np.arange(first)) / n)
    found = codelets.twiddle_factors(n)
    np.testing.assert_allclose(found, np.stack([turn.real, turn.imag], -1), atol=1e-7)


@pytest.mark.parametrize("n", codelets.RADICES)
def test_a_tile_is_transformed_as_by_numpy_and_back(n):
    tile = random_array(n, 1, n, n, CHANNELS)
    spectra = spectra_of(tile, n, n, 0)
    expected = np.fft.fft2(tile[0].astype(np.float64), axes=(0, 1))[: n // 2 + 1]
    np.testing.assert_allclose(spectra[:, :, 0, 0], expected.real, rtol=0, atol=1e-4)
    np.testing.assert_allclose(spectra[:, :, 1, 0], expected.imag, rtol=0, atol=1e-4)
    np.testing.assert_allclose(spectra[:, :, 2, 0], expected.real + expected.imag, rtol=0, atol=1e-4)
    # Products with the spectrum 1 + 0i, whose real part, imaginary part and their sum are 1, 0 and 1.
    products = spectra * np.float32([1, 0, 1]).reshape(3, 1, 1)
    restored, _ = images_of(products, tile.shape, n, n)
    np.testing.assert_allclose(restored, tile, rtol=0, atol=1e-5)


def test_tiles_are_cut_with_zero_padding():
    n, step, before = 20, 16, 2
    images = random_array(0, 2, 30, 17, CHANNELS)
    found = spectra_of(images, n, step, before)
    padded = np.pad(images, ((0, 0), (before, n), (before, n), (0, 0))).astype(np.float64)
    places = [(image, y, x) for image in range(2) for y in (0, step) for x in (0, step)]
    for tile, (image, y, x) in enumerate(places):
        expected = np.fft.fft2(padded[image, y : y + n, x : x + n], axes=(0, 1))[: n // 2 + 1]
        np.testing.assert_allclose(found[:, :, 0, tile], expected.real, rtol=0, atol=1e-4)


def test_epilogue_and_pooling_of_assembled_tiles():
    n, shape = 20, (2, 30, 17, CHANNELS)
    images, added = random_array(0, *shape), random_array(1, *shape)
    scale, shift = random_array(2, CHANNELS), random_array(3, CHANNELS)
    # Tiles of 16 x 16 outputs without margin; the rest of each transformed tile is cut off.
    products = spectra_of(images, n, 16, 0) * np.float32([1, 0, 1]).reshape(3, 1, 1)
    found, smaller = images_of(products, shape, n, 16, scale, shift, added, pools=True)
    np.testing.assert_allclose(found, np.maximum((images + added) * scale + shift, 0), rtol=0, atol=1e-4)
    np.testing.assert_array_equal(smaller, found[:, :, :16].reshape(2, 15, 2, 8, 2, CHANNELS).max((2, 4)))
