"""A `same` convolution through Fourier transforms of overlapping tiles, made of matrix products alone.

With tiles of m x m outputs and a kernel of r x r, each tile sees n x n inputs, n = m + r - 1. A transform of so
few points is a product with a small constant matrix, which runs at the speed of matrix products and, unlike an
FFT, leaves every axis where the next step wants it:

    gather    (batch, H, W, channels)          -> (n, n, positions, channels)
    rows      real transform over the first n  -> (frequencies, 2 n, positions, channels)
    columns   complex transform                -> (frequencies, 3 n, positions, channels)
    product   one real matrix per row          -> (frequencies, 3 n, positions, filters)
    back      the same two, transposed         -> (m, m, positions, filters), then (batch, H, W, filters)

The 3 n rows hold real part, imaginary part and their sum for n frequencies, so that each complex product is three
real ones (Karatsuba), whose sums and differences are part of the constant matrices. Choice of tiles:
`Plan.best`.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from keras import ops

# Measured on AVX-512 cores: floating-point operations in the time of one byte read or written, and the images
# of a batch, among which reading the kernel's spectrum is shared.
OPERATIONS_PER_BYTE = 15
BATCH = 8
LARGEST_TILE = 48


@dataclass(frozen=True)
class Axis:
    """One axis of the image in tiles.

    Args:
        length: Pixels.
        kernel: Side of the kernel, px.
        tiles: Number of tiles.
        before: Zeros in front of the first pixel.
    """

    length: int
    kernel: int
    tiles: int
    before: int

    @property
    def step(self) -> int:
        """Outputs of one tile."""
        return math.ceil(self.length / self.tiles)

    @property
    def points(self) -> int:
        """Inputs of one tile, and so the points of its transform."""
        return self.step + self.kernel - 1

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
class Plan:
    """How an image is cut, and what that costs.

    Args:
        rows: The first axis of the image.
        columns: The second.
        channels: Input channels.
        filters: Output channels.
    """

    rows: Axis
    columns: Axis
    channels: int
    filters: int

    @staticmethod
    @lru_cache(maxsize=256)
    def best(image: tuple[int, int], kernel: tuple[int, ...], before: int | None = None) -> "Plan":
        """The cheapest plan for an image, (height, width) px, and a kernel's shape (r, r, channels, filters).

        Args:
            image: Height and width, px.
            kernel: (r, r, channels, filters).
            before: Zeros in front of both axes; as padding `same` has it unless given.
        """
        side = kernel[0]
        before = (side - 1) // 2 if before is None else before

        def cuts(length: int) -> list[Axis]:
            fewest = math.ceil(length / LARGEST_TILE)
            most = max(fewest, math.ceil(length / max(2, side - 1)))
            return [Axis(length, side, tiles, before) for tiles in range(fewest, most + 1)]

        plans = [Plan(r, c, kernel[2], kernel[3]) for r in cuts(image[0]) for c in cuts(image[1])]
        return min(plans, key=lambda plan: plan.cost)

    @property
    def positions(self) -> int:
        """Tiles of one image."""
        return self.rows.tiles * self.columns.tiles

    @property
    def products(self) -> int:
        """Matrices in the kernel's spectrum."""
        return 3 * self.columns.points * self.rows.frequencies

    @property
    def multiply_adds(self) -> int:
        """Of one image, the transforms included; the kernel's own not."""
        r, c = self.rows, self.columns
        there = r.real.size * c.points + r.frequencies * c.complex.size
        back = r.real_back.size * c.step + r.frequencies * c.complex_back.size
        each = there * self.channels + back * self.filters + self.products * self.channels * self.filters
        return self.positions * each

    @property
    def bytes(self) -> float:
        """Read and written for one image in float32, with its share of the kernel's spectrum."""
        r, c = self.rows, self.columns
        small = 2 * r.frequencies
        there = 2 * r.points * c.points + 2 * small * c.points + 2 * self.products
        back = 2 * self.products + 2 * small * c.step + 2 * r.step * c.step
        moved = self.positions * (there * self.channels + back * self.filters)
        # Tiles that stand out over the image are cut off in a pass of their own.
        ragged = r.length % r.tiles or c.length % c.tiles
        cropped = 2 * r.length * c.length * self.filters if ragged else 0
        return 4 * (moved + cropped + self.products * self.channels * self.filters / BATCH)

    @property
    def cost(self) -> float:
        """Floating-point operations, bytes counted as the operations that fit into their time."""
        return 2 * self.multiply_adds + OPERATIONS_PER_BYTE * self.bytes

    @property
    def direct_cost(self) -> float:
        """The same of a direct convolution."""
        pixels = self.rows.length * self.columns.length
        sums = self.rows.kernel * self.columns.kernel * self.channels * self.filters
        return pixels * (2 * sums + OPERATIONS_PER_BYTE * 4 * (self.channels + self.filters))


def kernel_spectrum(kernel: Any, plan: Plan) -> Any:
    """The matrices to multiply with: (r, r, channels, filters) to (products, channels, filters), float32."""
    side, matrix = kernel.shape[0], tuple(kernel.shape[2:])
    first = ops.matmul(plan.rows.kernel_real, ops.reshape(kernel, (side, -1)))
    first = ops.reshape(first, (plan.rows.frequencies, 2 * side, math.prod(matrix)))
    return ops.reshape(ops.matmul(plan.columns.kernel_complex, first), (plan.products, *matrix))


def convolve(images: Any, spectrum: Any, plan: Plan) -> Any:
    """Convolve `images`, (batch, H, W, channels), float32, to (batch, H, W, filters).

    Args:
        images: Of the size that `plan` was made for.
        spectrum: `kernel_spectrum` of the kernel, with the same plan.
        plan: How the image is cut.
    """
    products = ops.matmul(images_spectrum(images, plan), spectrum)
    r, c = plan.rows, plan.columns
    inner = ops.matmul(c.complex_back, ops.reshape(products, (r.frequencies, 3 * c.points, -1)))
    tiles = ops.matmul(r.real_back, ops.reshape(inner, (2 * r.frequencies, -1)))
    tiles = ops.reshape(tiles, (r.step, c.step, -1, r.tiles, c.tiles, plan.filters))
    whole = ops.transpose(tiles, (2, 3, 0, 4, 1, 5))
    whole = ops.reshape(whole, (-1, r.tiles * r.step, c.tiles * c.step, plan.filters))
    return whole[:, : r.length, : c.length]


def images_spectrum(images: Any, plan: Plan) -> Any:
    """(batch, H, W, channels) to (products, batch x tiles, channels)."""
    r, c = plan.rows, plan.columns
    inner = ops.matmul(r.real, _cut(images, plan, (r.points, c.points), (r.before, c.before)))
    rows = ops.matmul(c.complex, ops.reshape(inner, (r.frequencies, 2 * c.points, -1)))
    return ops.reshape(rows, (plan.products, -1, plan.channels))


def kernel_gradient(images: Any, gradients: Any, plan: Plan) -> Any:
    """The gradient to the kernel, (r, r, channels, filters), of `convolve`'s output's, (batch, H, W, filters).

    Every step is linear in the kernel, so this is each step's transpose, in reverse.
    """
    r, c = plan.rows, plan.columns
    inner = ops.matmul(r.real_back.T, _cut(gradients, plan, (r.step, c.step), (0, 0)))
    inner = ops.matmul(c.complex_back.T, ops.reshape(inner, (r.frequencies, 2 * c.step, -1)))
    inner = ops.reshape(inner, (plan.products, -1, plan.filters))
    matrices = ops.matmul(ops.transpose(images_spectrum(images, plan), (0, 2, 1)), inner)
    matrices = ops.reshape(matrices, (r.frequencies, 3 * c.points, plan.channels * plan.filters))
    rows = ops.matmul(c.kernel_complex.T, matrices)
    kernel = ops.matmul(r.kernel_real.T, ops.reshape(rows, (2 * r.frequencies, -1)))
    return ops.reshape(kernel, (r.kernel, c.kernel, plan.channels, plan.filters))


def _cut(images: Any, plan: Plan, size: tuple[int, int], before: tuple[int, int]) -> Any:
    """(batch, H, W, channels) to (size[0], size[1] x batch x tiles x channels), zeros around the image."""
    axes = (plan.rows, plan.columns)
    # Up to the last tile's end; tiles overlap by what `size` exceeds their step.
    whole = [axis.step * (axis.tiles - 1) + points for axis, points in zip(axes, size, strict=True)]
    padding = [(b, w - axis.length - b) for b, w, axis in zip(before, whole, axes, strict=True)]
    padded = ops.pad(images, ((0, 0), *padding, (0, 0)))
    row, column = (
        np.arange(points, dtype=np.int32)[:, None] + axis.step * np.arange(axis.tiles, dtype=np.int32)
        for axis, points in zip(axes, size, strict=True)
    )
    within = row[:, None, :, None] * whole[1] + column[None, :, None, :]
    image = ops.arange(ops.shape(images)[0], dtype="int32") * math.prod(whole)
    index = within[:, :, None] + ops.reshape(image, (-1, 1, 1))
    pixels = ops.reshape(padded, (-1, images.shape[-1]))
    return ops.reshape(ops.take(pixels, index, axis=0), (size[0], -1))


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
