"""Convolution with `same` padding by overlapping tiles: transform, multiply by the kernel's spectrum, invert.

With tiles of m x m outputs and a kernel of r x r, each tile has n x n inputs, n = m + r - 1. A linear transform of
the tile along both axes turns the convolution into matrix products: one matrix (channels, filters) per coefficient of
the transform, shared by all tiles. The plans in `fourier.py` and `winograd.py` define the transform and its cost. Every
transform is a left multiplication by a small constant matrix, which runs at the speed of matrix products and needs no
transposition between steps:

    cut         (batch, H, W, channels)        -> (n, n, tiles, channels)
    transform                                  -> (products, tiles, channels)
    product     one matrix each                -> (products, tiles, filters)
    inverse                                    -> (m, m, tiles, filters)
    assemble                                   -> (batch, H, W, filters)
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from convrnn_model.backend import keras, ops

# Measured on AVX2 cores: floating-point operations of a large matrix product in the time of moving one byte, cost of a
# transform's operation relative to a product's, and the batch size over which reading the spectrum is amortised.
OPERATIONS_PER_BYTE = 10
TRANSFORM = 1.7
BATCH = 8
# Pixel index that stays negative after adding the offset of any image in the batch.
OUTSIDE = -(2**30)


@dataclass(frozen=True)
class Epilogue:
    """Pointwise epilogue of a convolution: ReLU((convolved + added) * scale + shift).

    Args:
        scale: (filters,).
        shift: (filters,).
        added: (batch, H, W, filters), or None.
        pools: Also return the 2 x 2 max pooling of the result.
    """

    scale: Any
    shift: Any
    added: Any = None
    pools: bool = False

    @property
    def tensors(self) -> list[Any]:
        """Tensors that are present, in the order of the constructor's arguments."""
        return [self.scale, self.shift, *([] if self.added is None else [self.added])]

    def apply(self, convolved: Any) -> list[Any]:
        """Return the result, (batch, H, W, filters), and if `pools` its pooling, (batch, H // 2, W // 2, filters)."""
        total = convolved if self.added is None else convolved + self.added
        result = ops.relu(total * self.scale + self.shift)
        return [result, max_pooled(result)] if self.pools else [result]


@dataclass(frozen=True)
class Axis:
    """Tiling of one image axis.

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


@dataclass(frozen=True)
class Plan(ABC):
    """Tiling and transform of a convolution, with a cost estimate.

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

    @property
    @abstractmethod
    def products(self) -> int:
        """Number of matrices in the kernel's spectrum."""

    @property
    @abstractmethod
    def transform_multiply_adds(self) -> tuple[int, int]:
        """Multiply-adds of a tile's transform, per channel, and of the inverse, per filter."""

    @property
    @abstractmethod
    def intermediates(self) -> tuple[int, int]:
        """Intermediate values of a tile that the transform and the inverse write and read again."""

    @abstractmethod
    def kernel_spectrum(self, kernel: Any) -> Any:
        """Transform a kernel: (r, r, channels, filters) to (products, channels, filters)."""

    @abstractmethod
    def kernel_gradient(self, gradients: Any) -> Any:
        """Apply the transpose of `kernel_spectrum`: (products, channels, filters) to (r, r, channels, filters)."""

    @abstractmethod
    def transform(self, tiles: Any) -> Any:
        """Transform cut tiles: (n, n x tiles x channels) to (products, tiles, channels)."""

    @abstractmethod
    def inverse(self, products: Any) -> Any:
        """Transform products back: (products, tiles, filters) to (m, m x tiles x filters)."""

    @abstractmethod
    def inverse_gradient(self, gradients: Any) -> Any:
        """Apply the transpose of `inverse`: (m, m x tiles x filters) to (products, tiles, filters)."""

    @abstractmethod
    def for_image_gradient(self) -> Self:
        """Return the plan of the gradient with respect to the images: channels and filters are exchanged."""

    @property
    def spectrum_shape(self) -> tuple[int, int, int]:
        """Shape of the kernel's spectrum, (products, channels, filters)."""
        return self.products, self.channels, self.filters

    @property
    def positions(self) -> int:
        """Tiles per image."""
        return self.rows.tiles * self.columns.tiles

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds per image, including transforms of tiles but not of the kernel."""
        forward, inverse = self.transform_multiply_adds
        matrices = self.products * self.channels * self.filters
        return self.positions * (forward * self.channels + inverse * self.filters + matrices)

    @property
    def bytes(self) -> float:
        """Bytes read and written per image in float32, including its share of the kernel's spectrum."""
        r, c = self.rows, self.columns
        forward, inverse = self.intermediates
        inputs = 2 * (r.points * c.points + forward + self.products) * self.channels
        outputs = 2 * (r.step * c.step + inverse + self.products) * self.filters
        # Cropping tiles that extend beyond the image takes a separate pass.
        ragged = r.length % r.step or c.length % c.step
        cropped = 2 * r.length * c.length * self.filters if ragged else 0
        spectrum = self.products * self.channels * self.filters / BATCH
        return 4 * (self.positions * (inputs + outputs) + cropped + spectrum)

    @property
    def cost(self) -> float:
        """Cost per image, in operations of a large matrix product."""
        matrices = self.positions * self.products * self.channels * self.filters
        transforms = self.multiply_adds - matrices
        return 2 * (matrices + TRANSFORM * transforms) + OPERATIONS_PER_BYTE * self.bytes

    @property
    def direct_cost(self) -> float:
        """Cost of a direct convolution, which also reorders its kernel: one read, one write, one read."""
        pixels = self.rows.length * self.columns.length
        weights = self.rows.kernel * self.columns.kernel * self.channels * self.filters
        moved = pixels * (self.channels + self.filters) + 3 * weights / BATCH
        return 2 * pixels * weights + OPERATIONS_PER_BYTE * 4 * moved

    def convolve(self, images: Any, spectrum: Any) -> Any:
        """Convolve `images`, (batch, H, W, channels), float32, to (batch, H, W, filters).

        Args:
            images: Images of the plan's size.
            spectrum: `kernel_spectrum` of the kernel.
        """
        tiles = self.inverse(ops.matmul(self._spectrum(images), spectrum))
        r, c = self.rows, self.columns
        tiles = ops.reshape(tiles, (r.step, c.step, -1, r.tiles, c.tiles, self.filters))
        whole = ops.transpose(tiles, (2, 3, 0, 4, 1, 5))
        whole = ops.reshape(whole, (-1, r.tiles * r.step, c.tiles * c.step, self.filters))
        return whole[:, : r.length, : c.length]

    def convolve_each(
        self, images: Sequence[Any], spectrum: Any, epilogue: Epilogue | None = None
    ) -> list[Any]:
        """Convolve images concatenated along channels, (batch, H, W, some channels) each, and apply the epilogue."""
        convolved = self.convolve(concatenated(images, axis=-1), spectrum)
        return epilogue.apply(convolved) if epilogue else [convolved]

    def gradient_to_kernel(self, images: Any, gradients: Any) -> Any:
        """Return the gradient with respect to the kernel, (r, r, channels, filters).

        `convolve` is linear in the kernel, so the gradient is the transpose of each step, in reverse order.

        Args:
            images: The input, (batch, H, W, channels).
            gradients: With respect to the output, (batch, H, W, filters).
        """
        inner = self.inverse_gradient(
            cut(gradients, (self.rows, self.columns), (self.rows.step, self.columns.step))
        )
        return self.kernel_gradient(ops.matmul(ops.transpose(self._spectrum(images), (0, 2, 1)), inner))

    def _spectrum(self, images: Any) -> Any:
        r, c = self.rows, self.columns
        return self.transform(cut(images, (r, c), (r.points, c.points), (r.before, c.before)))


def max_pooled(images: Any) -> Any:
    """Max-pool 2 x 2 px: (batch, H // 2, W // 2, channels)."""
    return ops.max_pool(images, 2, data_format="channels_last")


def concatenated(tensors: Sequence[Any], axis: int) -> Any:
    """Concatenate tensors; return a single one unchanged."""
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=axis)


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
    index = pixel + ops.reshape(image, (-1, 1, 1))
    return ops.reshape(_gather(ops.reshape(images, (-1, images.shape[-1])), index), (size[0], -1))


def _gather(pixels: Any, index: Any) -> Any:
    """Gather rows of `pixels` by index; a negative index gives zeros."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        index = tf.expand_dims(index, -1)
        return tf.raw_ops.GatherNd(params=pixels, indices=index, bad_indices_policy="IGNORE")
    found = ops.take(pixels, ops.maximum(index, 0), axis=0)
    return ops.where(ops.expand_dims(index, -1) < 0, ops.zeros((), found.dtype), found)


def multiply_left(matrix: np.ndarray, stack: Any) -> Any:
    """Multiply a constant matrix (a, b) by each matrix of a stack, (s, b, c), to (s, a, c)."""
    if keras.backend.backend() != "tensorflow":
        return ops.matmul(matrix, stack)
    import tensorflow as tf

    # oneDNN does not take over this version of the operation, which is 1.4 times as fast here.
    return tf.raw_ops.BatchMatMulV3(x=matrix, y=stack, Tout=tf.float32)
