"""Fourier plans against NumPy's transforms and a direct convolution."""

import numpy as np
import pytest
from arrays import as_numpy, numpy_convolution, random_array
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_model.fourier import LARGEST_TILE, FourierAxis, FourierPlan

AXIS = FourierAxis(length=11, kernel=3, step=6, before=1)


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


@pytest.mark.parametrize(("size", "side"), [((9, 14), 3), ((5, 5), 5), ((1, 7), 4), ((20, 13), 7)])
def test_convolution_and_kernel_gradient(size, side):
    images, kernel = random_array(0, 2, *size, 3), random_array(1, side, side, 3, 2)
    plan = FourierPlan.best(size, kernel.shape)
    found = as_numpy(plan.convolve(images, plan.kernel_spectrum(kernel)))
    np.testing.assert_allclose(found, numpy_convolution(images, kernel), atol=1e-4)
    # The convolution is linear in the kernel, so <convolve(kernel), g> = <kernel, gradient(g)>.
    gradients = random_array(2, *found.shape)
    gradient = as_numpy(plan.gradient_to_kernel(images, gradients))
    assert gradient.shape == kernel.shape
    assert np.vdot(gradient, kernel) == pytest.approx(np.vdot(gradients, found), rel=1e-3, abs=1e-3)


def test_spectrum_has_three_products_per_frequency():
    plan = FourierPlan(AXIS, AXIS, 3, 2)
    assert plan.products == 3 * 8 * 5
    assert (
        as_numpy(plan.kernel_spectrum(random_array(0, 3, 3, 3, 2))).shape
        == plan.spectrum_shape
        == (120, 3, 2)
    )


def test_multiply_adds_count_the_matrices():
    plan = FourierPlan(AXIS, AXIS, 3, 2)
    # First axis: (10, 8) times 8 columns, then (24, 16) per frequency; inverse: (6, 10) times 6, then (12, 24).
    assert plan.transform_multiply_adds == (10 * 8 * 8 + 5 * 24 * 16, 6 * 10 * 6 + 5 * 12 * 24)
    assert plan.intermediates == (2 * 5 * 8, 2 * 5 * 6)


def test_image_gradient_exchanges_channels_and_filters():
    plan = FourierPlan.best((30, 20), (4, 4, 3, 2)).for_image_gradient()
    assert (plan.channels, plan.filters) == (2, 3)
    # An even kernel pads one pixel less before than after; its gradient pads one more.
    assert (plan.rows.length, plan.rows.before, plan.columns.length, plan.columns.before) == (30, 2, 20, 2)


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
    whole = (FourierAxis(length, side, min(length, LARGEST_TILE), (side - 1) // 2) for length in size)
    assert 0 < plan.cost <= FourierPlan(*whole, *matrix).cost or max(size) > LARGEST_TILE
