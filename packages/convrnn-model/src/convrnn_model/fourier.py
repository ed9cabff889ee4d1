"""Tile plans by discrete Fourier transforms: for large kernels, exact to rounding at any tile size.

The first axis is transformed from real to complex numbers, real and imaginary parts interleaved; the second from
complex to complex. For each frequency, the second transform gives the real part, the imaginary part and their sum, so
that a complex product takes three real ones (Karatsuba). The constant matrices include the sums and differences.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

from convrnn_model.backend import ops
from convrnn_model.tiles import Axis, Plan, multiply_left

LARGEST_TILE = 48


@dataclass(frozen=True)
class FourierAxis(Axis):
    """Axis with the matrices that transform a tile along it."""

    @property
    def frequencies(self) -> int:
        """Number of non-redundant frequencies of a real signal."""
        return self.points // 2 + 1

    @cached_property
    def real(self) -> np.ndarray:
        """Real-to-complex transform, (2 frequencies, points): cosine and negative sine, interleaved."""
        return _interleave(*_waves(self.frequencies, self.points, self.points))

    @cached_property
    def real_inverse(self) -> np.ndarray:
        """Inverse of `real`, (step, 2 frequencies), to the first `step` points."""
        weight = np.where(2 * np.arange(self.frequencies) % self.points == 0, 1.0, 2.0) / self.points
        cosine, sine = _waves(self.frequencies, self.points, self.points)
        return (_interleave(cosine * weight[:, None], sine * weight[:, None]).T)[: self.step].copy()

    @cached_property
    def complex(self) -> np.ndarray:
        """Complex transform, (3 points, 2 points): to real part, imaginary part and their sum, interleaved."""
        return _three_rows(*_waves(self.points, self.points, self.points))

    @cached_property
    def complex_inverse(self) -> np.ndarray:
        """Inverse of `complex`, (2 step, 3 points), from the three products per frequency."""
        cosine, sine = (
            wave.T[: self.step] / self.points for wave in _waves(self.points, self.points, self.points)
        )
        # The products p, q, s give the complex number (p - q) + (s - p - q) i.
        real = np.stack([cosine - sine, -cosine - sine, sine], -1)
        imaginary = np.stack([-sine - cosine, sine - cosine, cosine], -1)
        return np.concatenate([real, imaginary]).reshape(2 * self.step, 3 * self.points).astype(np.float32)

    @cached_property
    def kernel_real(self) -> np.ndarray:
        """Transform of the kernel, (2 frequencies, kernel): `real` conjugated, since networks correlate."""
        cosine, sine = _waves(self.frequencies, self.kernel, self.points)
        return _interleave(cosine, -sine)

    @cached_property
    def kernel_complex(self) -> np.ndarray:
        """Transform of the kernel, (3 points, 2 kernel): `complex` conjugated."""
        cosine, sine = _waves(self.points, self.kernel, self.points)
        return _three_rows(cosine, -sine)


@dataclass(frozen=True)
class FourierPlan(Plan):
    """Plan with Fourier transforms."""

    rows: FourierAxis
    columns: FourierAxis

    @staticmethod
    @lru_cache(maxsize=256)
    def best(image: tuple[int, int], kernel: tuple[int, ...], before: int | None = None) -> "FourierPlan":
        """Return the cheapest plan for an image size and a kernel shape.

        Args:
            image: Height and width, px.
            kernel: (r, r, channels, filters).
            before: Zeros padded before both axes; by default those of `same` padding.
        """
        side = kernel[0]
        before = (side - 1) // 2 if before is None else before

        def cuts(length: int) -> list[FourierAxis]:
            fewest = math.ceil(length / LARGEST_TILE)
            most = max(fewest, math.ceil(length / max(2, side - 1)))
            steps = sorted({math.ceil(length / tiles) for tiles in range(fewest, most + 1)})
            return [FourierAxis(length, side, step, before) for step in steps]

        plans = [FourierPlan(r, c, kernel[2], kernel[3]) for r in cuts(image[0]) for c in cuts(image[1])]
        return min(plans, key=lambda plan: plan.cost)

    @property
    def products(self) -> int:
        """Three products per complex frequency."""
        return 3 * self.columns.points * self.rows.frequencies

    @property
    def transform_multiply_adds(self) -> tuple[int, int]:
        """Multiply-adds of the first axis plus those of the second for each frequency of the first."""
        r, c = self.rows, self.columns
        forward = r.real.size * c.points + r.frequencies * c.complex.size
        return forward, r.real_inverse.size * c.step + r.frequencies * c.complex_inverse.size

    @property
    def intermediates(self) -> tuple[int, int]:
        """Values between the transforms of the two axes."""
        return 2 * self.rows.frequencies * self.columns.points, 2 * self.rows.frequencies * self.columns.step

    def for_image_gradient(self) -> Self:
        """Return the best plan with channels and filters exchanged, whose tile size may differ."""
        rows, columns = self.rows, self.columns
        shape = (rows.kernel, columns.kernel, self.filters, self.channels)
        plan = FourierPlan.best((rows.length, columns.length), shape, rows.kernel - 1 - rows.before)
        return plan  # type: ignore[return-value]

    def kernel_spectrum(self, kernel: Any) -> Any:
        """Transform a kernel: (r, r, channels, filters) to (products, channels, filters), float32."""
        side, matrix = kernel.shape[0], tuple(kernel.shape[2:])
        first = ops.matmul(self.rows.kernel_real, ops.reshape(kernel, (side, -1)))
        first = ops.reshape(first, (self.rows.frequencies, 2 * side, math.prod(matrix)))
        return ops.reshape(multiply_left(self.columns.kernel_complex, first), (self.products, *matrix))

    def kernel_gradient(self, gradients: Any) -> Any:
        """Apply the transpose: (products, channels, filters) to (r, r, channels, filters)."""
        r, c = self.rows, self.columns
        shape = (r.frequencies, 3 * c.points, self.channels * self.filters)
        rows = multiply_left(c.kernel_complex.T, ops.reshape(gradients, shape))
        kernel = ops.matmul(r.kernel_real.T, ops.reshape(rows, (2 * r.frequencies, -1)))
        return ops.reshape(kernel, (r.kernel, c.kernel, self.channels, self.filters))

    def transform(self, tiles: Any) -> Any:
        """Transform tiles: (n, n x tiles x channels) to (products, tiles, channels)."""
        r, c = self.rows, self.columns
        rows = ops.reshape(ops.matmul(r.real, tiles), (r.frequencies, 2 * c.points, -1))
        return ops.reshape(multiply_left(c.complex, rows), (self.products, -1, self.channels))

    def inverse(self, products: Any) -> Any:
        """Transform products back: (products, tiles, filters) to (m, m x tiles x filters)."""
        r, c = self.rows, self.columns
        rows = multiply_left(c.complex_inverse, ops.reshape(products, (r.frequencies, 3 * c.points, -1)))
        return ops.matmul(r.real_inverse, ops.reshape(rows, (2 * r.frequencies, -1)))

    def inverse_gradient(self, gradients: Any) -> Any:
        """Apply the transpose: (m, m x tiles x filters) to (products, tiles, filters)."""
        r, c = self.rows, self.columns
        rows = ops.reshape(ops.matmul(r.real_inverse.T, gradients), (r.frequencies, 2 * c.step, -1))
        return ops.reshape(multiply_left(c.complex_inverse.T, rows), (self.products, -1, self.filters))


def _waves(frequencies: int, points: int, period: int) -> tuple[np.ndarray, np.ndarray]:
    """Return cosine and negative sine, (frequencies, points), in double precision."""
    # The remainder keeps the angle small and thus exact.
    angle = 2 * np.pi * (np.outer(np.arange(frequencies), np.arange(points)) % period) / period
    return np.cos(angle), -np.sin(angle)


def _interleave(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Interleave the rows of two (a, b) matrices to (2 a, b), in single precision."""
    return np.stack([first, second], 1).reshape(-1, first.shape[1]).astype(np.float32)


def _three_rows(cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    """Return multiplication by `cosine` + i `sine`, (a, b), as a real matrix (3 a, 2 b)."""
    real, imaginary = np.concatenate([cosine, -sine], 1), np.concatenate([sine, cosine], 1)
    rows = np.stack([real, imaginary, real + imaginary], 1)
    return rows.reshape(3 * len(cosine), -1).astype(np.float32)
