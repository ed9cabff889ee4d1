"""Tile plans by Winograd's minimal filtering, F(4 x 4, 3 x 3), for kernels of 3 x 3 px (Lavin and Gray 2016).

A tile of 4 x 4 outputs takes 36 products instead of 144. Its transforms evaluate polynomials (Toom and Cook), and
their points determine the rounding error in float32. With 0, +-1/sqrt(2), +-sqrt(2) and infinity the error is less than
half of that with the usual small integers (Barabasz et al. 2020), about five times that of a direct convolution.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np

from convrnn_model.backend import ops
from convrnn_model.tiles import Axis, Plan

STEP, KERNEL = 4, 3
POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))


@dataclass(frozen=True)
class WinogradPlan(Plan):
    """Plan for kernels of 3 x 3 px."""

    @staticmethod
    def for_convolution(image: tuple[int, int], kernel: tuple[int, ...]) -> "WinogradPlan":
        """Return the plan for an image, (height, width) px, and a kernel shape (3, 3, channels, filters)."""
        rows, columns = (Axis(length, KERNEL, STEP, before=1) for length in image)
        return WinogradPlan(rows, columns, kernel[2], kernel[3])

    @property
    def products(self) -> int:
        """One product per point of a tile."""
        return (STEP + KERNEL - 1) ** 2

    @property
    def transform_multiply_adds(self) -> tuple[int, int]:
        """Multiply-adds with both axes in one matrix: more than axis by axis, but one pass fewer."""
        _, forward, inverse = matrices()
        return forward.size, inverse.size

    @property
    def intermediates(self) -> tuple[int, int]:
        """None: each transform is one product."""
        return 0, 0

    def for_image_gradient(self) -> Self:
        """Return the same tiling with channels and filters exchanged."""
        return type(self)(self.rows, self.columns, self.filters, self.channels)

    def kernel_spectrum(self, kernel: Any) -> Any:
        """Transform a kernel: (3, 3, channels, filters) to (36, channels, filters)."""
        of_kernel, _, _ = matrices()
        spectrum = ops.matmul(of_kernel, ops.reshape(kernel, (KERNEL**2, -1)))
        return ops.reshape(spectrum, (self.products, *kernel.shape[2:]))

    def kernel_gradient(self, gradients: Any) -> Any:
        """Apply the transpose: (36, channels, filters) to (3, 3, channels, filters)."""
        of_kernel, _, _ = matrices()
        kernel = ops.matmul(of_kernel.T, ops.reshape(gradients, (self.products, -1)))
        return ops.reshape(kernel, (KERNEL, KERNEL, self.channels, self.filters))

    def transform(self, tiles: Any) -> Any:
        """Transform tiles: (6, 6 x tiles x channels) to (36, tiles, channels)."""
        _, forward, _ = matrices()
        values = ops.matmul(forward, ops.reshape(tiles, (self.products, -1)))
        return ops.reshape(values, (self.products, -1, self.channels))

    def inverse(self, products: Any) -> Any:
        """Transform products back: (36, tiles, filters) to (16, tiles x filters)."""
        return ops.matmul(matrices()[2], ops.reshape(products, (self.products, -1)))

    def inverse_gradient(self, gradients: Any) -> Any:
        """Apply the transpose: (4, 4 x tiles x filters) to (36, tiles, filters)."""
        values = ops.matmul(matrices()[2].T, ops.reshape(gradients, (STEP**2, -1)))
        return ops.reshape(values, (self.products, -1, self.filters))


@cache
def matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the transforms of a kernel, (36, 9), a tile, (36, 36), and the inverse, (16, 36), in float32."""
    return tuple(np.kron(m, m).astype(np.float32) for m in axis_matrices())  # type: ignore[return-value]


@cache
def axis_matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the transforms along one axis, (6, 3), (6, 6) and (4, 6), in double precision.

    A product of polynomials is that of their values at each point, so V_n^-1 (V_m a * V_r g) is the full convolution
    of a and g, for V the points' Vandermonde matrix; its transpose in a is the correlation.
    """
    size = STEP + KERNEL - 1
    outputs, kernel, values = (_vandermonde(columns) for columns in (STEP, KERNEL, size))
    tile, inverse = np.linalg.inv(values).T, outputs.T
    # Factors may move between the three matrices; equal norms lose least precision.
    norms = np.stack([np.linalg.norm(m, axis=1) for m in (kernel, tile)] + [np.linalg.norm(inverse, axis=0)])
    of_kernel, of_tile, of_products = np.prod(norms, 0) ** (1 / 3) / norms
    return kernel * of_kernel[:, None], tile * of_tile[:, None], inverse * of_products


def _vandermonde(columns: int) -> np.ndarray:
    """Return powers of each point, (points, columns); the row of infinity has only the highest power."""
    infinity = np.eye(columns)[-1:]
    return np.concatenate([np.vander(POINTS, columns, increasing=True), infinity])
