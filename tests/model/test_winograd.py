"""Winograd's minimal filtering against a direct convolution."""

import numpy as np
import pytest
from arrays import as_numpy, numpy_convolution, random_array

from convrnn_model.winograd import WinogradPlan, axis_matrices, matrices


def test_one_axis_in_double_precision():
    of_kernel, of_tile, of_products = axis_matrices()
    rng = np.random.default_rng(0)
    tile, kernel = rng.normal(size=6), rng.normal(size=3)
    found = of_products @ ((of_tile @ tile) * (of_kernel @ kernel))
    np.testing.assert_allclose(found, np.correlate(tile, kernel, "valid"), atol=1e-13)


def test_both_axes_are_kronecker_products():
    tile = random_array(0, 6, 6)
    _, along, _ = axis_matrices()
    _, forward, _ = matrices()
    np.testing.assert_allclose(forward @ tile.ravel(), (along @ tile @ along.T).ravel(), atol=1e-5)
    assert [matrix.shape for matrix in matrices()] == [(36, 9), (36, 36), (16, 36)]


@pytest.mark.parametrize("size", [(4, 4), (9, 14), (1, 3)])
def test_convolution_and_kernel_gradient(size):
    images, kernel = random_array(0, 2, *size, 3), random_array(1, 3, 3, 3, 2)
    plan = WinogradPlan.for_convolution(size, kernel.shape)
    found = as_numpy(plan.convolve(images, plan.kernel_spectrum(kernel)))
    np.testing.assert_allclose(found, numpy_convolution(images, kernel), atol=1e-4)
    # The convolution is linear in the kernel, so <convolve(kernel), g> = <kernel, gradient(g)>.
    gradients = random_array(2, *found.shape)
    gradient = as_numpy(plan.gradient_to_kernel(images, gradients))
    assert gradient.shape == kernel.shape
    assert np.vdot(gradient, kernel) == pytest.approx(np.vdot(gradients, found), rel=1e-3, abs=1e-3)


def test_plan_for_an_image_and_its_gradient():
    plan = WinogradPlan.for_convolution((9, 16), (3, 3, 5, 7))
    assert (plan.rows.tiles, plan.columns.tiles, plan.positions) == (3, 4, 12)
    assert plan.products == 36
    assert plan.spectrum_shape == (36, 5, 7)
    # The matrices of both axes, and one product per coefficient, channel and filter.
    assert plan.multiply_adds == 12 * (36 * 36 * 5 + 16 * 36 * 7 + 36 * 5 * 7)
    turned = plan.for_image_gradient()
    assert (turned.channels, turned.filters, turned.rows, turned.columns) == (7, 5, plan.rows, plan.columns)
