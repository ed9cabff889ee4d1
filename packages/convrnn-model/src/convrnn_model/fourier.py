"""Tiles by discrete Fourier transforms: for large kernels, exact to rounding at any size of tile.

The first axis is transformed from real to complex numbers, real and imaginary part in turn; the second from complex
to complex. The latter gives, for each frequency, the real part, the imaginary part and their sum, so that each
complex product is three real ones (Karatsuba), whose sums and differences are part of the constant matrices.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

from convrnn_model.backend import ops
from convrnn_model.tiles import Axis, Plan, left

LARGEST_TILE = 48


@dataclass(frozen=True)
class FourierAxis(Axis):
    """An axis with the matrices that transform a tile along it."""

    @property
    def frequencies(self) -> int:
        """Frequencies that a real signal's transform does not repeat."""
        return self.points // 2 + 1

    @cached_property
    def real(self) -> np.ndarray:
        """(2 frequencies, points): cosine and negative sine, in turn."""
        return _interleave(*_waves(self.frequencies, self.points, self.points))

    @cached_property
    def real_back(self) -> np.ndarray:
        """(step, 2 frequencies): what `real` gave to the first `step` points again."""
        weight = np.where(2 * np.arange(self.frequencies) % self.points == 0, 1.0, 2.0) / self.points
        cosine, sine = _waves(self.frequencies, self.points, self.points)
        return (_interleave(cosine * weight[:, None], sine * weight[:, None]).T)[: self.step].copy()

    @cached_property
    def complex(self) -> np.ndarray:
        """(3 points, 2 points): from real and imaginary parts to real, imaginary, and their sum, in turn."""
        return _three_rows(*_waves(self.points, self.points, self.points))

    @cached_property
    def complex_back(self) -> np.ndarray:
        """(2 step, 3 points): from the three products per frequency to real and imaginary parts."""
        cosine, sine = (
            wave.T[: self.step] / self.points for wave in _waves(self.points, self.points, self.points)
        )
        # The products p, q, s make the complex number (p - q) + (s - p - q) i.
        real = np.stack([cosine - sine, -cosine - sine, sine], -1)
        imaginary = np.stack([-sine - cosine, sine - cosine, cosine], -1)
        return np.concatenate([real, imaginary]).reshape(2 * self.step, 3 * self.points).astype(np.float32)

    @cached_property
    def kernel_real(self) -> np.ndarray:
        """(2 frequencies, kernel): as `real`, conjugated, since networks correlate."""
        cosine, sine = _waves(self.frequencies, self.kernel, self.points)
        return _interleave(cosine, -sine)

    @cached_property
    def kernel_complex(self) -> np.ndarray:
        """(3 points, 2 kernel): as `complex`, conjugated."""
        cosine, sine = _waves(self.points, self.kernel, self.points)
        return _three_rows(cosine, -sine)


@dataclass(frozen=True)
class FourierPlan(Plan):
    """A plan whose transforms are Fourier's."""

    rows: FourierAxis
    columns: FourierAxis

    @staticmethod
    @lru_cache(maxsize=256)
    def best(image: tuple[int, int], kernel: tuple[int, ...], before: int | None = None) -> "FourierPlan":
        """The cheapest plan for an image, (height, width) px, and a kernel's shape (r, r, channels, filters).

        Args:
            image: Height and width, px.
            kernel: (r, r, channels, filters).
            before: Zeros in front of both axes; as padding `same` has it unless given.
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
        """Three for each complex frequency."""
        return 3 * self.columns.points * self.rows.frequencies

    @property
    def transform_sums(self) -> tuple[int, int]:
        """Along the first axis, then along the second for each of its frequencies; back likewise."""
        r, c = self.rows, self.columns
        there = r.real.size * c.points + r.frequencies * c.complex.size
        return there, r.real_back.size * c.step + r.frequencies * c.complex_back.size

    @property
    def between(self) -> tuple[int, int]:
        """What stands between the two axes' transforms."""
        return 2 * self.rows.frequencies * self.columns.points, 2 * self.rows.frequencies * self.columns.step

    def turned(self) -> Self:
        """Its tiles are chosen anew, since the other side of the convolution may be the wider one."""
        rows, columns = self.rows, self.columns
        shape = (rows.kernel, columns.kernel, self.filters, self.channels)
        plan = FourierPlan.best((rows.length, columns.length), shape, rows.kernel - 1 - rows.before)
        return plan  # type: ignore[return-value]

    def kernel_spectrum(self, kernel: Any) -> Any:
        """(r, r, channels, filters) to (products, channels, filters), float32."""
        side, matrix = kernel.shape[0], tuple(kernel.shape[2:])
        first = ops.matmul(self.rows.kernel_real, ops.reshape(kernel, (side, -1)))
        first = ops.reshape(first, (self.rows.frequencies, 2 * side, math.prod(matrix)))
        return ops.reshape(left(self.columns.kernel_complex, first), (self.products, *matrix))

    def kernel_gradient(self, gradients: Any) -> Any:
        """(products, channels, filters) to (r, r, channels, filters)."""
        r, c = self.rows, self.columns
        shape = (r.frequencies, 3 * c.points, self.channels * self.filters)
        rows = left(c.kernel_complex.T, ops.reshape(gradients, shape))
        kernel = ops.matmul(r.kernel_real.T, ops.reshape(rows, (2 * r.frequencies, -1)))
        return ops.reshape(kernel, (r.kernel, c.kernel, self.channels, self.filters))

    def transform(self, tiles: Any) -> Any:
        """(n, n x tiles x channels) to (products, tiles, channels)."""
        r, c = self.rows, self.columns
        rows = ops.reshape(ops.matmul(r.real, tiles), (r.frequencies, 2 * c.points, -1))
        return ops.reshape(left(c.complex, rows), (self.products, -1, self.channels))

    def back(self, products: Any) -> Any:
        """(products, tiles, filters) to (m, m x tiles x filters)."""
        r, c = self.rows, self.columns
        rows = left(c.complex_back, ops.reshape(products, (r.frequencies, 3 * c.points, -1)))
        return ops.matmul(r.real_back, ops.reshape(rows, (2 * r.frequencies, -1)))

    def back_gradient(self, gradients: Any) -> Any:
        """(m, m x tiles x filters) to (products, tiles, filters)."""
        r, c = self.rows, self.columns
        rows = ops.reshape(ops.matmul(r.real_back.T, gradients), (r.frequencies, 2 * c.step, -1))
        return ops.reshape(left(c.complex_back.T, rows), (self.products, -1, self.filters))


def _waves(frequencies: int, points: int, period: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and negative sine, (frequencies, points), in double precision."""
    # The remainder keeps the angle small, and so exact.
    angle = 2 * np.pi * (np.outer(np.arange(frequencies), np.arange(points)) % period) / period
    return np.cos(angle), -np.sin(angle)


def _interleave(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two times (a, b) to (2 a, b), in turn, in single precision."""
    return np.stack([first, second], 1).reshape(-1, first.shape[1]).astype(np.float32)


def _three_rows(cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    """The multiplication by `cosine` + i `sine`, (a, b), as a real matrix (3 a, 2 b)."""
    real, imaginary = np.concatenate([cosine, -sine], 1), np.concatenate([sine, cosine], 1)
    rows = np.stack([real, imaginary, real + imaginary], 1)
    return rows.reshape(3 * len(cosine), -1).astype(np.float32)
