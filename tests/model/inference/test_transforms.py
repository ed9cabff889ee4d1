import numpy as np
import pytest
from arrays import numpy_convolution

from convrnn_model.inference import transforms
from convrnn_model.inference.processor import processor
from convrnn_model.inference.tiling import Tiling
from convrnn_model.inference.vectors import vector_shape

LANES = vector_shape(processor()).lanes
BATCH, HEIGHT, WIDTH = 2, 13, 18
TILINGS = [
    Tiling("fourier", HEIGHT, WIDTH, 5, 12),
    Tiling("winograd", HEIGHT, WIDTH, 3, 6),
    Tiling("unfold", HEIGHT, WIDTH, 3, 1),
]


def random(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def forward(tiling, images):
    """Transform all tiles: (tiles, products, parts, depth)."""
    channels = images.shape[3]
    count, depth = BATCH * tiling.tiles, tiling.depth(channels)
    out = np.full((count, tiling.products, tiling.parts, depth), np.nan, np.float32)
    shape = (images.reshape(-1), HEIGHT, WIDTH, channels)
    if tiling.kind == "unfold":
        transforms.unfold(*shape, tiling.side, out.reshape(-1), 0, depth, 0, count)
        return out
    layout = (tiling.rows, tiling.columns, tiling.step, tiling.before)
    if tiling.kind == "winograd":
        transform = transforms.winograd_forward(LANES)
    else:
        transform = transforms.fourier_forward(tiling.points, LANES)
    transform(*shape, out.reshape(-1), 0, depth, 0, count, *layout)
    return out


def inverse(tiling, products, *, scale=None, shift=None, floor=-np.inf, added=None, pools=False):
    """Transform products back and apply the epilogue; returns the images and their pooling."""
    filters = products.shape[3]
    epilogue = np.empty((filters // LANES, 3, LANES), np.float32)
    epilogue[:, 0] = 1 if scale is None else scale.reshape(-1, LANES)
    epilogue[:, 1] = 0 if shift is None else shift.reshape(-1, LANES)
    epilogue[:, 2] = floor
    images = np.full((BATCH, HEIGHT, WIDTH, filters), np.nan, np.float32)
    smaller = np.full((BATCH, HEIGHT // 2, WIDTH // 2, filters), np.nan, np.float32)
    if tiling.kind == "unfold":
        transform, count = transforms.pointwise(LANES), BATCH * HEIGHT
    elif tiling.kind == "winograd":
        transform, count = transforms.winograd_inverse(LANES), BATCH * tiling.tiles
    else:
        transform = transforms.fourier_inverse(tiling.points, tiling.step, LANES)
        count = BATCH * tiling.tiles
    more = np.zeros(LANES, np.float32) if added is None else added.reshape(-1)
    transform(
        products.reshape(-1), filters, epilogue.reshape(-1), more, 0 if added is None else filters,
        images.reshape(-1), HEIGHT, WIDTH, smaller.reshape(-1), pools,
        0, count, tiling.rows, tiling.columns, tiling.step,
    )  # fmt: skip
    return images, smaller


def convolved(tiling, images, kernel):
    """Multiply the spectra of images and kernel with NumPy."""
    left, right = forward(tiling, images), tiling.spectrum(kernel)
    if tiling.parts == 1:
        return np.einsum("tpzc,pzcf->tpzf", left, right)
    a, b = left[:, :, 0] + 1j * left[:, :, 1], right[:, 0] + 1j * right[:, 1]
    product = np.einsum("tpc,pcf->tpf", a, b)
    return np.stack([product.real, product.imag], 2).astype(np.float32)


@pytest.mark.parametrize("tiling", TILINGS, ids=lambda tiling: tiling.kind)
def test_convolves_with_the_epilogue_and_pooling(tiling):
    images, added = random(0, BATCH, HEIGHT, WIDTH, LANES), random(1, BATCH, HEIGHT, WIDTH, 2 * LANES)
    kernel = random(2, tiling.side, tiling.side, LANES, 2 * LANES)
    scale, shift = random(3, 2 * LANES), random(4, 2 * LANES)
    products = convolved(tiling, images, kernel)
    found, pooled = inverse(tiling, products, scale=scale, shift=shift, floor=0, added=added, pools=True)
    expected = np.maximum((numpy_convolution(images, kernel) + added) * scale + shift, 0)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    even = found[:, : HEIGHT // 2 * 2, : WIDTH // 2 * 2].reshape(BATCH, HEIGHT // 2, 2, WIDTH // 2, 2, -1)
    np.testing.assert_array_equal(pooled, even.max(axis=(2, 4)))


@pytest.mark.parametrize("tiling", TILINGS, ids=lambda tiling: tiling.kind)
def test_nothing_is_applied_or_pooled_unless_asked_for(tiling):
    images, kernel = random(0, BATCH, HEIGHT, WIDTH, LANES), random(2, tiling.side, tiling.side, LANES, LANES)
    found, pooled = inverse(tiling, convolved(tiling, images, kernel))
    expected = numpy_convolution(images, kernel)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert np.isnan(pooled).all()


@pytest.mark.parametrize("tiling", TILINGS, ids=lambda tiling: tiling.kind)
def test_nan_is_propagated(tiling):
    images, kernel = random(0, BATCH, HEIGHT, WIDTH, LANES), random(2, tiling.side, tiling.side, LANES, LANES)
    images[0, 4, 4, 0] = np.nan
    found, pooled = inverse(tiling, convolved(tiling, images, kernel), floor=0, pools=True)
    assert np.isnan(found[0, 4, 4]).all()
    assert np.isnan(pooled[0, 2, 2]).all()
    assert np.isfinite(found[1]).all()


def test_channels_beyond_a_chunk(monkeypatch):
    tiling = TILINGS[0]
    channels = transforms.CHUNK + LANES
    images = random(0, BATCH, HEIGHT, WIDTH, channels)
    spectrum = forward(tiling, images)
    np.testing.assert_array_equal(
        spectrum[..., -LANES:], forward(tiling, np.ascontiguousarray(images[..., -LANES:]))
    )
    # A kernel of one pixel at the centre leaves images unchanged.
    kernel = np.zeros((5, 5, 1, 1), np.float32)
    kernel[2, 2] = 1
    b = tiling.spectrum(kernel)[..., 0]
    a = spectrum[:, :, 0] + 1j * spectrum[:, :, 1]
    product = a * (b[:, 0] + 1j * b[:, 1])
    found, _ = inverse(tiling, np.stack([product.real, product.imag], 2).astype(np.float32))
    np.testing.assert_allclose(found, images, atol=1e-5)
