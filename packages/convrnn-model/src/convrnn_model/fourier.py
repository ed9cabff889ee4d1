"""Convolution with `same` padding by discrete Fourier transforms of overlapping tiles, with its gradient.

With tiles of m x m outputs and a kernel of r x r px, each tile has n x n inputs, n = m + r - 1. For each frequency, the
convolution is a matrix product over channels, with one matrix for all tiles. The transforms are left multiplications by
small constant matrices, which run at the speed of matrix products and need no transposition between steps:

    cut         (batch, H, W, channels)        -> (n, n, tiles, channels)
    transform                                  -> (products, tiles, channels)
    product     one matrix each                -> (products, tiles, filters)
    inverse                                    -> (m, m, tiles, filters)
    assemble                                   -> (batch, H, W, filters)

The first axis is transformed from real to complex numbers, real and imaginary parts interleaved; the second from
complex to complex. For each frequency, the second transform gives the real part, the imaginary part and their sum, so
that a complex product takes three real ones (Karatsuba). The constant matrices include the sums and differences.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from convrnn_model.backend import keras, ops

LARGEST_TILE = 48
# Measured on AVX2 cores: floating-point operations of a large matrix product in the time of moving one byte, cost of a
# transform's operation relative to a product's, and the batch size over which transforming the kernel is amortised.
OPERATIONS_PER_BYTE = 10
TRANSFORM = 1.7
BATCH = 8
# Pixel index that stays negative after adding the offset of any image in the batch.
OUTSIDE = -(2**30)


@dataclass(frozen=True)
class Axis:
    """Tiling of one image axis, with the matrices that transform a tile along it.

    Args:
        length: Pixels.
        kernel: Side of the kernel, px.
        step: Outputs per tile.
        before: Zeros padded before the first pixel.
    """

    length: int
    kernel: int
    step: int
    before: int

    @property
    def tiles(self) -> int:
        """Number of tiles that cover the axis; the last may extend beyond it."""
        return math.ceil(self.length / self.step)

    @property
    def points(self) -> int:
        """Inputs per tile, the points of its transform."""
        return self.step + self.kernel - 1

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
class FourierPlan:
    """Tiling of a convolution, with a cost estimate.

    Args:
        rows: Tiling of the first image axis.
        columns: Tiling of the second.
        channels: Input channels.
        filters: Output channels.
    """

    rows: Axis
    columns: Axis
    channels: int
    filters: int

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

        def cuts(length: int) -> list[Axis]:
            fewest = math.ceil(length / LARGEST_TILE)
            most = max(fewest, math.ceil(length / max(2, side - 1)))
            steps = sorted({math.ceil(length / tiles) for tiles in range(fewest, most + 1)})
            return [Axis(length, side, step, before) for step in steps]

        plans = [FourierPlan(r, c, kernel[2], kernel[3]) for r in cuts(image[0]) for c in cuts(image[1])]
        return min(plans, key=lambda plan: plan.cost)

    @property
    def products(self) -> int:
        """Number of matrices in the kernel's spectrum: three per complex frequency."""
        return 3 * self.columns.points * self.rows.frequencies

    @property
    def cost(self) -> float:
        """Cost per image, in operations of a large matrix product."""
        r, c = self.rows, self.columns
        tiles, matrix = r.tiles * c.tiles, self.channels * self.filters
        forward = (r.real.size * c.points + r.frequencies * c.complex.size) * self.channels
        inverse = (r.real_inverse.size * c.step + r.frequencies * c.complex_inverse.size) * self.filters
        kernel = (r.kernel_real.size * c.kernel + r.frequencies * c.kernel_complex.size) * matrix
        transforms = tiles * (forward + inverse) + kernel / BATCH
        # Values written and read again before, between and after the transforms of the two axes.
        inputs = r.points * c.points + 2 * r.frequencies * c.points + self.products
        outputs = r.step * c.step + 2 * r.frequencies * c.step + self.products
        moved = 2 * tiles * (inputs * self.channels + outputs * self.filters) + self.products * matrix / BATCH
        if r.length % r.step or c.length % c.step:
            # Cropping tiles that extend beyond the image takes a separate pass.
            moved += 2 * r.length * c.length * self.filters
        products = tiles * self.products * matrix
        return 2 * (products + TRANSFORM * transforms) + OPERATIONS_PER_BYTE * 4 * moved

    @property
    def direct_cost(self) -> float:
        """Cost of a direct convolution, which also reorders its kernel: one read, one write, one read."""
        pixels = self.rows.length * self.columns.length
        weights = self.rows.kernel * self.columns.kernel * self.channels * self.filters
        moved = pixels * (self.channels + self.filters) + 3 * weights / BATCH
        return 2 * pixels * weights + OPERATIONS_PER_BYTE * 4 * moved

    def convolve(self, images: Any, kernel: Any) -> Any:
        """Convolve `images`, (batch, H, W, channels), to (batch, H, W, filters).

        Args:
            images: Images of the plan's size, float32.
            kernel: (r, r, channels, filters), float32; correlated, not flipped.
        """
        r, c = self.rows, self.columns
        tiles = self._inverse(ops.matmul(self._spectrum(images), self._kernel_spectrum(kernel)))
        tiles = ops.reshape(tiles, (r.step, c.step, -1, r.tiles, c.tiles, self.filters))
        whole = ops.transpose(tiles, (2, 3, 0, 4, 1, 5))
        whole = ops.reshape(whole, (-1, r.tiles * r.step, c.tiles * c.step, self.filters))
        return whole[:, : r.length, : c.length]

    def gradients(self, images: Any, kernel: Any, upstream: Any) -> tuple[Any, Any]:
        """Return the gradients with respect to images and kernel, given that to the output, (batch, H, W, filters)."""
        # To the images: convolution with the kernel rotated by 180 degrees, channels and filters exchanged.
        rotated = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
        r, c = self.rows, self.columns
        plan = FourierPlan.best((r.length, c.length), tuple(rotated.shape), r.kernel - 1 - r.before)
        # `convolve` is linear in the kernel: the gradient is the transpose of each step, in reverse order.
        inner = self._inverse_gradient(cut(upstream, (r, c), (r.step, c.step)))
        to_spectrum = ops.matmul(ops.transpose(self._spectrum(images), (0, 2, 1)), inner)
        return plan.convolve(upstream, rotated), self._kernel_gradient(to_spectrum)

    def _kernel_spectrum(self, kernel: Any) -> Any:
        """Transform a kernel: (r, r, channels, filters) to (products, channels, filters)."""
        side, matrix = kernel.shape[0], tuple(kernel.shape[2:])
        first = ops.matmul(self.rows.kernel_real, ops.reshape(kernel, (side, -1)))
        first = ops.reshape(first, (self.rows.frequencies, 2 * side, math.prod(matrix)))
        return ops.reshape(multiply_left(self.columns.kernel_complex, first), (self.products, *matrix))

    def _kernel_gradient(self, gradients: Any) -> Any:
        """Apply the transpose: (products, channels, filters) to (r, r, channels, filters)."""
        r, c = self.rows, self.columns
        shape = (r.frequencies, 3 * c.points, self.channels * self.filters)
        rows = multiply_left(c.kernel_complex.T, ops.reshape(gradients, shape))
        kernel = ops.matmul(r.kernel_real.T, ops.reshape(rows, (2 * r.frequencies, -1)))
        return ops.reshape(kernel, (r.kernel, c.kernel, self.channels, self.filters))

    def _spectrum(self, images: Any) -> Any:
        """Cut and transform tiles: (batch, H, W, channels) to (products, tiles, channels)."""
        r, c = self.rows, self.columns
        tiles = cut(images, (r, c), (r.points, c.points), (r.before, c.before))
        rows = ops.reshape(ops.matmul(r.real, tiles), (r.frequencies, 2 * c.points, -1))
        return ops.reshape(multiply_left(c.complex, rows), (self.products, -1, self.channels))

    def _inverse(self, products: Any) -> Any:
        """Transform products back: (products, tiles, filters) to (m, m x tiles x filters)."""
        r, c = self.rows, self.columns
        rows = multiply_left(c.complex_inverse, ops.reshape(products, (r.frequencies, 3 * c.points, -1)))
        return ops.matmul(r.real_inverse, ops.reshape(rows, (2 * r.frequencies, -1)))

    def _inverse_gradient(self, gradients: Any) -> Any:
        """Apply the transpose: (m, m x tiles x filters) to (products, tiles, filters)."""
        r, c = self.rows, self.columns
        rows = ops.reshape(ops.matmul(r.real_inverse.T, gradients), (r.frequencies, 2 * c.step, -1))
        return ops.reshape(multiply_left(c.complex_inverse.T, rows), (self.products, -1, self.filters))


def fourier_convolution(images: Any, kernel: Any, plan: FourierPlan) -> Any:
    """Convolve `images`, (batch, H, W, channels), with `kernel`, (r, r, channels, filters), in float32.

    TensorFlow's gradient would store the output of every step, many times the images, and scatter the tiles one by one.
    """
    pixels, weights = ops.cast(images, "float32"), ops.cast(ops.convert_to_tensor(kernel), "float32")
    convolve = plan.convolve
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        @tf.custom_gradient
        def convolve(pixels: Any, weights: Any) -> Any:
            return plan.convolve(pixels, weights), lambda upstream: plan.gradients(pixels, weights, upstream)

    return ops.cast(convolve(pixels, weights), images.dtype)


def cut(images: Any, axes: tuple[Axis, Axis], size: tuple[int, int], before: tuple[int, int] = (0, 0)) -> Any:
    """Cut zero-padded tiles: (batch, H, W, channels) to (size[0], size[1] x batch x tiles x channels)."""
    row, column = (
        np.arange(points, dtype=np.int32)[:, None]
        + axis.step * np.arange(axis.tiles, dtype=np.int32)
        - margin
        for axis, points, margin in zip(axes, size, before, strict=True)
    )
    row, column = row[:, None, :, None], column[None, :, None, :]
    within = (row >= 0) & (row < axes[0].length) & (column >= 0) & (column < axes[1].length)
    pixel = np.where(within, row * axes[1].length + column, OUTSIDE)[:, :, None]
    image = ops.arange(ops.shape(images)[0], dtype="int32") * (axes[0].length * axes[1].length)
    # NumPy does not add PyTorch's tensors.
    index = ops.convert_to_tensor(pixel) + ops.reshape(image, (-1, 1, 1))
    return ops.reshape(_gather(ops.reshape(images, (-1, images.shape[-1])), index), (size[0], -1))


def _gather(pixels: Any, index: Any) -> Any:
    """Gather rows of `pixels` by index; a negative index gives zeros."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        index = tf.expand_dims(index, -1)
        return tf.raw_ops.GatherNd(params=pixels, indices=index, bad_indices_policy="IGNORE")
    # A row of zeros in front, so that an empty batch has a row to read too.
    return ops.take(ops.pad(pixels, ((1, 0), (0, 0))), ops.maximum(index, -1) + 1, axis=0)


def multiply_left(matrix: np.ndarray, stack: Any) -> Any:
    """Multiply a constant matrix (a, b) by each matrix of a stack, (s, b, c), to (s, a, c)."""
    if keras.backend.backend() != "tensorflow":
        return ops.matmul(matrix, stack)
    import tensorflow as tf

    # oneDNN does not take over this version of the operation, which is 1.4 times as fast here.
    return tf.raw_ops.BatchMatMulV3(x=matrix, y=stack, Tout=tf.float32)


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
