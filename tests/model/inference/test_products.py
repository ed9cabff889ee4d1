import numpy as np
import pytest

from convrnn_model.inference.processor import processor
from convrnn_model.inference.products import complex_products, real_products
from convrnn_model.inference.vectors import vector_shape

SHAPE = vector_shape(processor())
COLUMNS = SHAPE.lanes * SHAPE.vectors
POINTS, CHANNELS, PANELS, TILES = 3, 2 * SHAPE.lanes, 2, 53


def random(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def multiply(make, parts, *boxes, all_channels=CHANNELS):
    """Multiply random matrices; returns them in double precision, and the products."""
    left = random(0, TILES, POINTS, parts, CHANNELS)
    right = random(1, POINTS, parts, PANELS, all_channels, COLUMNS)
    out = np.full((TILES, POINTS, parts, PANELS * COLUMNS), np.nan, np.float32)
    function = make(SHAPE.rows, SHAPE.vectors, SHAPE.lanes)
    for box in boxes:
        sizes = (POINTS, CHANNELS, all_channels, PANELS)
        function(left.reshape(-1), right.reshape(-1), out.reshape(-1), *sizes, *box)
    matrices = right[..., :CHANNELS, :].transpose(0, 1, 3, 2, 4).reshape(POINTS, parts, CHANNELS, -1)
    return left.astype(float), matrices.astype(float), out


WHOLE = (0, POINTS, 0, PANELS, 0, TILES)
PARTS = [
    (p, p + 1, q, q + 1, *rows) for p in range(POINTS) for q in range(PANELS) for rows in ((0, 9), (9, TILES))
]


def test_real_products():
    left, right, out = multiply(real_products, 1, WHOLE)
    expected = np.einsum("tpzc,pzcf->tpzf", left, right)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


def test_complex_products():
    left, right, out = multiply(complex_products, 2, WHOLE)
    a, b = left[:, :, 0] + 1j * left[:, :, 1], right[:, 0] + 1j * right[:, 1]
    expected = np.einsum("tpc,pcf->tpf", a, b)
    np.testing.assert_allclose(out[:, :, 0], expected.real, rtol=1e-5, atol=3e-5)
    np.testing.assert_allclose(out[:, :, 1], expected.imag, rtol=1e-5, atol=3e-5)


@pytest.mark.parametrize(("make", "parts"), [(real_products, 1), (complex_products, 2)])
def test_the_first_channels_of_a_larger_kernel(make, parts):
    left, right, out = multiply(make, parts, WHOLE, all_channels=3 * CHANNELS)
    expected = np.einsum("tpc,pcf->tpf", left[:, :, 0], right[:, 0])
    if parts == 2:
        expected -= np.einsum("tpc,pcf->tpf", left[:, :, 1], right[:, 1])
    np.testing.assert_allclose(out[:, :, 0], expected, rtol=1e-5, atol=3e-5)


@pytest.mark.parametrize(("make", "parts"), [(real_products, 1), (complex_products, 2)])
def test_the_bits_do_not_depend_on_how_the_work_is_split(make, parts):
    *_, whole = multiply(make, parts, WHOLE)
    *_, split = multiply(make, parts, *PARTS)
    np.testing.assert_array_equal(split, whole)
