"""Tiles by Winograd's minimal filtering, F(4 x 4, 3 x 3): for kernels of 3 x 3 px (Lavin and Gray 2016).

A tile of 4 x 4 outputs takes 36 products instead of 144. Its transforms evaluate polynomials (Toom and Cook), and
the points decide how much of float32's precision is lost; with 0, +-1/sqrt(2), +-sqrt(2) and infinity it is less than
half of what it is with the usual small integers (Barabasz et al. 2020), about five times a direct convolution's.
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
    """A plan for kernels of 3 x 3 px."""

    @staticmethod
    def of(image: tuple[int, int], kernel: tuple[int, ...]) -> "WinogradPlan":
        """The plan for an image, (height, width) px, and a kernel's shape (3, 3, channels, filters)."""
        rows, columns = (Axis(length, KERNEL, STEP, before=1) for length in image)
        return WinogradPlan(rows, columns, kernel[2], kernel[3])

    @property
    def products(self) -> int:
        """One for each point of a tile."""
        return (STEP + KERNEL - 1) ** 2

    @property
    def transform_sums(self) -> tuple[int, int]:
        """Both axes in one matrix, which takes more sums than one after the other, and one pass fewer."""
        _, there, back = matrices()
        return there.size, back.size

    @property
    def between(self) -> tuple[int, int]:
        """Nothing."""
        return 0, 0

    def turned(self) -> Self:
        """The same tiles."""
        return type(self)(self.rows, self.columns, self.filters, self.channels)

    def kernel_spectrum(self, kernel: Any) -> Any:
        """(3, 3, channels, filters) to (36, channels, filters)."""
        of_kernel, _, _ = matrices()
        spectrum = ops.matmul(of_kernel, ops.reshape(kernel, (KERNEL**2, -1)))
        return ops.reshape(spectrum, (self.products, *kernel.shape[2:]))

    def kernel_gradient(self, gradients: Any) -> Any:
        """(36, channels, filters) to (3, 3, channels, filters)."""
        of_kernel, _, _ = matrices()
        kernel = ops.matmul(of_kernel.T, ops.reshape(gradients, (self.products, -1)))
        return ops.reshape(kernel, (KERNEL, KERNEL, self.channels, self.filters))

    def transform(self, tiles: Any) -> Any:
        """(6, 6 x tiles x channels) to (36, tiles, channels)."""
        _, there, _ = matrices()
        answer = ops.matmul(there, ops.reshape(tiles, (self.products, -1)))
        return ops.reshape(answer, (self.products, -1, self.channels))

    def back(self, products: Any) -> Any:
        """(36, tiles, filters) to (16, tiles x filters)."""
        return ops.matmul(matrices()[2], ops.reshape(products, (self.products, -1)))

    def back_gradient(self, gradients: Any) -> Any:
        """(4, 4 x tiles x filters) to (36, tiles, filters)."""
        answer = ops.matmul(matrices()[2].T, ops.reshape(gradients, (STEP**2, -1)))
        return ops.reshape(answer, (self.products, -1, self.filters))


@cache
def matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What transforms a kernel, (36, 9), a tile, (36, 36), and the products back, (16, 36), in float32."""
    return tuple(np.kron(m, m).astype(np.float32) for m in axis_matrices())  # type: ignore[return-value]


@cache
def axis_matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same along one axis, (6, 3), (6, 6) and (4, 6), in double precision.

    A product of polynomials is that of their values at each point, so V_n^-1 (V_m a * V_r g) is the full convolution
    of a and g, for V the points' Vandermonde matrix; its transpose in a is the correlation.
    """
    size = STEP + KERNEL - 1
    outputs, kernel, values = (_vandermonde(columns) for columns in (STEP, KERNEL, size))
    tile, back = np.linalg.inv(values).T, outputs.T
    # Any factor may move between the three; equal norms lose least.
    norms = np.stack([np.linalg.norm(m, axis=1) for m in (kernel, tile)] + [np.linalg.norm(back, axis=0)])
    of_kernel, there, of_products = np.prod(norms, 0) ** (1 / 3) / norms
    return kernel * of_kernel[:, None], tile * there[:, None], back * of_products


def _vandermonde(columns: int) -> np.ndarray:
    """Powers of each point, (points, columns); infinity's row is the highest power's alone."""
    infinity = np.eye(columns)[-1:]
    return np.concatenate([np.vander(POINTS, columns, increasing=True), infinity])
