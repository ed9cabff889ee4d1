"""Convolution by Fourier transforms against NumPy's transforms and direct convolution."""

import keras
import numpy as np
import pytest
from arrays import as_numpy, keras_convolution, numpy_convolution, random_array, random_tensor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convrnn_model.fourier import (
    BATCH,
    LARGEST_TILE,
    OPERATIONS_PER_BYTE,
    TRANSFORM,
    Axis,
    FourierPlan,
    cut,
    fourier_convolution,
    multiply_left,
)

SLOW_OK = [HealthCheck.too_slow]

AXIS = Axis(length=11, kernel=3, step=6, before=1)


def real_and_imaginary(spectrum):
    """Interleave as the plans do: rows of real and imaginary parts, alternating."""
    return np.stack([spectrum.real, spectrum.imag], 1).reshape(-1, spectrum.shape[1])


def test_real_transform_is_numpys():
    signals = random_array(0, AXIS.points, 4)
    expected = real_and_imaginary(np.fft.rfft(signals, axis=0))
    np.testing.assert_allclose(AXIS.real @ signals, expected, atol=1e-5)
    # The inverse gives the outputs of a tile, `step` points.
    np.testing.assert_allclose(AXIS.real_inverse @ expected, signals[: AXIS.step], atol=1e-5)


def test_complex_transform_is_numpys():
    signals = random_array(0, AXIS.points, 4) + 1j * random_array(1, AXIS.points, 4)
    spectrum = np.fft.fft(signals, axis=0)
    expected = np.stack([spectrum.real, spectrum.imag, spectrum.real + spectrum.imag], 1)
    found = AXIS.complex @ np.concatenate([signals.real, signals.imag])
    np.testing.assert_allclose(found, expected.reshape(-1, 4), atol=1e-5)
    # Three products with the spectrum 1 + 0i: its real part, imaginary part and their sum are 1, 0 and 1.
    products = np.stack([spectrum.real, 0 * spectrum.imag, spectrum.real + spectrum.imag], 1).reshape(-1, 4)
    outputs = np.concatenate([signals.real[: AXIS.step], signals.imag[: AXIS.step]])
    np.testing.assert_allclose(AXIS.complex_inverse @ products, outputs, atol=1e-5)


def test_kernels_are_conjugated_because_networks_correlate():
    kernels = random_array(0, AXIS.kernel, 4)
    expected = np.conj(np.fft.rfft(kernels, AXIS.points, axis=0))
    np.testing.assert_allclose(AXIS.kernel_real @ kernels, real_and_imaginary(expected), atol=1e-5)


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


def test_left_multiplication_of_a_stack():
    matrix, stack = random_array(0, 2, 3), random_array(1, 5, 3, 4)
    np.testing.assert_allclose(as_numpy(multiply_left(matrix, stack)), matrix @ stack, atol=1e-6)


@pytest.mark.parametrize(("size", "side"), [((9, 14), 3), ((5, 5), 5), ((1, 7), 4), ((20, 13), 7)])
def test_convolution_and_gradients(size, side):
    images, kernel = random_array(0, 2, *size, 3), random_array(1, side, side, 3, 2)
    plan = FourierPlan.best(size, kernel.shape)
    found = as_numpy(plan.convolve(images, kernel))
    np.testing.assert_allclose(found, numpy_convolution(images, kernel), atol=1e-4)
    # The convolution is linear in images and kernel, so <convolve(x), g> = <x, gradient(g)> for both.
    upstream = random_array(2, *found.shape)
    gradients = map(as_numpy, plan.gradients(images, kernel, keras.ops.convert_to_tensor(upstream)))
    for given_array, gradient in zip((images, kernel), gradients, strict=True):
        assert gradient.shape == given_array.shape
        assert np.vdot(gradient, given_array) == pytest.approx(np.vdot(upstream, found), rel=1e-3, abs=1e-3)


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW_OK)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    side=st.integers(1, 11),
    channels=st.integers(1, 5),
    filters=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_convolution_agrees_with_direct_convolution(batch, size, side, channels, filters, seed):
    images = random_tensor(seed, batch, *size, channels)
    kernel = random_tensor(seed + 1, side, side, channels, filters)
    # float32: errors grow with the size of the terms.
    scale = side * np.sqrt(channels)
    np.testing.assert_allclose(
        as_numpy(convolve(images, kernel)),
        as_numpy(keras_convolution(images, kernel)),
        rtol=0,
        atol=1e-5 * scale,
    )


@settings(max_examples=10, deadline=None, suppress_health_check=SLOW_OK)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    side=st.integers(2, 8),
    channels=st.integers(1, 4),
    filters=st.integers(1, 4),
)
def test_gradients_agree_with_those_of_direct_convolution(batch, size, side, channels, filters):
    images, kernel = random_tensor(0, batch, *size, channels), random_tensor(1, side, side, channels, filters)
    upstream = random_tensor(2, batch, *size, filters)
    ours = gradients(convolve, images, kernel, upstream)
    for found, wanted in zip(ours, gradients(keras_convolution, images, kernel, upstream), strict=True):
        assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


def convolve(images, kernel):
    plan = FourierPlan.best(tuple(images.shape[1:3]), tuple(kernel.shape))
    return fourier_convolution(images, kernel, plan)


def gradients(function, images, kernel, upstream):
    """Differentiate sum(function(images, kernel) * upstream) by images and kernel, with the backend."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            total = keras.ops.sum(function(images, kernel) * upstream)
        found = tape.gradient(total, [images, kernel])
    elif backend == "jax":
        import jax

        found = jax.grad(lambda *given: keras.ops.sum(function(*given) * upstream), (0, 1))(images, kernel)
    else:
        import torch

        leaves = [tensor.detach().clone().requires_grad_(True) for tensor in (images, kernel)]
        found = torch.autograd.grad(keras.ops.sum(function(*leaves) * upstream), leaves)
    return [as_numpy(gradient) for gradient in found]


def test_empty_batch():
    images = keras.ops.zeros((0, 20, 20, 2))
    assert tuple(convolve(images, random_tensor(0, 5, 5, 2, 3)).shape) == (0, 20, 20, 3)


def test_cost_counts_operations_and_bytes():
    # Two tiles of 8 x 8 px along each axis, with 120 products; the last ones extend beyond the 11 px.
    plan = FourierPlan(AXIS, AXIS, 3, 2)
    assert plan.products == 3 * 8 * 5
    # First axis: (10, 8) times 8 columns, then (24, 16) per frequency; inverse: (6, 10) times 6, then (12, 24). Kernel:
    # (10, 3) times 3, then (24, 6) per frequency.
    forward, inverse = 10 * 8 * 8 + 5 * 24 * 16, 6 * 10 * 6 + 5 * 12 * 24
    transforms = 4 * (3 * forward + 2 * inverse) + (10 * 3 * 3 + 5 * 24 * 6) * 6 / BATCH
    values = 2 * 4 * (3 * (64 + 80 + 120) + 2 * (36 + 60 + 120)) + 120 * 6 / BATCH + 2 * 11 * 11 * 2
    products = 4 * 120 * 6
    expected = 2 * (products + TRANSFORM * transforms) + OPERATIONS_PER_BYTE * 4 * values
    assert plan.cost == pytest.approx(expected)
    moved = 121 * (3 + 2) + 3 * 9 * 6 / BATCH
    assert plan.direct_cost == 2 * 121 * 9 * 6 + OPERATIONS_PER_BYTE * 4 * moved


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    side=st.integers(2, 11),
    matrix=st.tuples(st.sampled_from([1, 3, 96, 512]), st.sampled_from([1, 96, 512])),
)
@settings(max_examples=60, deadline=None)
def test_best_tiles_cover_the_image_without_a_superfluous_one(size, side, matrix):
    plan = FourierPlan.best(size, (side, side, *matrix))
    for axis, length in zip((plan.rows, plan.columns), size, strict=True):
        assert axis.step * axis.tiles >= length > axis.step * (axis.tiles - 1)
        assert axis.points == axis.step + side - 1
        assert axis.step <= LARGEST_TILE
    whole = (Axis(length, side, min(length, LARGEST_TILE), (side - 1) // 2) for length in size)
    assert 0 < plan.cost <= FourierPlan(*whole, *matrix).cost or max(size) > LARGEST_TILE
