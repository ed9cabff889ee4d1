"""A `same` convolution by overlapping tiles: transform each, multiply by the kernel's spectrum, transform back.

With tiles of m x m outputs and a kernel of r x r, each tile sees n x n inputs, n = m + r - 1. A linear transform of
a tile along both axes turns the convolution into products: one matrix (channels, filters) for each number that the
transform gives, whatever the tile. Which transform it is, and what it costs, is the plan's business: `fourier.py`
and `winograd.py`. Every transform is a product with a small constant matrix from the left, which runs at the speed
of matrix products and leaves every axis where the next step wants it:

    cut         (batch, H, W, channels)        -> (n, n, tiles, channels)
    transform                                  -> (products, tiles, channels)
    product     one matrix each                -> (products, tiles, filters)
    back                                       -> (m, m, tiles, filters)
    join                                       -> (batch, H, W, filters)
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from convrnn_model.backend import keras, ops

# Measured on AVX2 cores: floating-point operations of a large matrix product in the time of one byte read or
# written, what an operation of a transform costs in those of a product, and the images of a batch, among which
# reading the kernel's spectrum is shared.
OPERATIONS_PER_BYTE = 10
TRANSFORM = 1.7
BATCH = 8
# A pixel's number that stays negative whatever image of a batch it is added to.
OUTSIDE = -(2**30)


@dataclass(frozen=True)
class After:
    """What follows a convolution pixel by pixel: ReLU((convolved + added) scale + shift).

    Args:
        scale: (filters,).
        shift: (filters,).
        added: (batch, H, W, filters), or None.
        pools: Whether the answer's greatest values, of 2 x 2 px each, are wanted too.
    """

    scale: Any
    shift: Any
    added: Any = None
    pools: bool = False

    @property
    def tensors(self) -> list[Any]:
        """All there are."""
        return [self.scale, self.shift, *([] if self.added is None else [self.added])]

    def of(self, convolved: Any) -> list[Any]:
        """Of a convolution's answer, (batch, H, W, filters): that, and (batch, H // 2, W // 2, filters) if wanted."""
        total = convolved if self.added is None else convolved + self.added
        answer = ops.relu(total * self.scale + self.shift)
        return [answer, pooled(answer)] if self.pools else [answer]


@dataclass(frozen=True)
class Axis:
    """One axis of the image in tiles.

    Args:
        length: Pixels.
        kernel: Side of the kernel, px.
        step: Outputs of one tile.
        before: Zeros in front of the first pixel.
    """

    length: int
    kernel: int
    step: int
    before: int

    @property
    def tiles(self) -> int:
        """Tiles that cover the axis; the last may stand out over it."""
        return math.ceil(self.length / self.step)

    @property
    def points(self) -> int:
        """Inputs of one tile, and so the points of its transform."""
        return self.step + self.kernel - 1


@dataclass(frozen=True)
class Plan(ABC):
    """How an image is cut and transformed, and what that costs.

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

    @property
    @abstractmethod
    def products(self) -> int:
        """Matrices in the kernel's spectrum."""

    @property
    @abstractmethod
    def transform_sums(self) -> tuple[int, int]:
        """Multiply-adds of a tile's transform, for each channel, and of the one back, for each filter."""

    @property
    @abstractmethod
    def between(self) -> tuple[int, int]:
        """Numbers of a tile that are written and read again within the transform there, and the one back."""

    @abstractmethod
    def kernel_spectrum(self, kernel: Any) -> Any:
        """The matrices to multiply with: (r, r, channels, filters) to (products, channels, filters)."""

    @abstractmethod
    def kernel_gradient(self, gradients: Any) -> Any:
        """The transpose of `kernel_spectrum`: (products, channels, filters) to (r, r, channels, filters)."""

    @abstractmethod
    def transform(self, tiles: Any) -> Any:
        """Cut tiles, (n, n x tiles x channels), to (products, tiles, channels)."""

    @abstractmethod
    def back(self, products: Any) -> Any:
        """(products, tiles, filters) to (m, m x tiles x filters)."""

    @abstractmethod
    def back_gradient(self, gradients: Any) -> Any:
        """The transpose of `back`: (m, m x tiles x filters) to (products, tiles, filters)."""

    @abstractmethod
    def turned(self) -> Self:
        """The plan of the gradient to the images: channels and filters change places."""

    @property
    def spectrum_shape(self) -> tuple[int, int, int]:
        """(products, channels, filters)."""
        return self.products, self.channels, self.filters

    @property
    def positions(self) -> int:
        """Tiles of one image."""
        return self.rows.tiles * self.columns.tiles

    @property
    def multiply_adds(self) -> int:
        """Of one image, the transforms included; the kernel's own not."""
        there, back = self.transform_sums
        matrices = self.products * self.channels * self.filters
        return self.positions * (there * self.channels + back * self.filters + matrices)

    @property
    def bytes(self) -> float:
        """Read and written for one image in float32, with its share of the kernel's spectrum."""
        r, c = self.rows, self.columns
        there, back = self.between
        inputs = 2 * (r.points * c.points + there + self.products) * self.channels
        outputs = 2 * (r.step * c.step + back + self.products) * self.filters
        # Tiles that stand out over the image are cut off in a pass of their own.
        ragged = r.length % r.step or c.length % c.step
        cropped = 2 * r.length * c.length * self.filters if ragged else 0
        spectrum = self.products * self.channels * self.filters / BATCH
        return 4 * (self.positions * (inputs + outputs) + cropped + spectrum)

    @property
    def cost(self) -> float:
        """In operations of a large matrix product."""
        matrices = self.positions * self.products * self.channels * self.filters
        transforms = self.multiply_adds - matrices
        return 2 * (matrices + TRANSFORM * transforms) + OPERATIONS_PER_BYTE * self.bytes

    @property
    def direct_cost(self) -> float:
        """The same of a direct convolution, which rearranges its kernel: read, written, read."""
        pixels = self.rows.length * self.columns.length
        weights = self.rows.kernel * self.columns.kernel * self.channels * self.filters
        moved = pixels * (self.channels + self.filters) + 3 * weights / BATCH
        return 2 * pixels * weights + OPERATIONS_PER_BYTE * 4 * moved

    def convolve(self, images: Any, spectrum: Any) -> Any:
        """Convolve `images`, (batch, H, W, channels), float32, to (batch, H, W, filters).

        Args:
            images: Of the size that the plan was made for.
            spectrum: `kernel_spectrum` of the kernel.
        """
        tiles = self.back(ops.matmul(self._spectrum(images), spectrum))
        r, c = self.rows, self.columns
        tiles = ops.reshape(tiles, (r.step, c.step, -1, r.tiles, c.tiles, self.filters))
        whole = ops.transpose(tiles, (2, 3, 0, 4, 1, 5))
        whole = ops.reshape(whole, (-1, r.tiles * r.step, c.tiles * c.step, self.filters))
        return whole[:, : r.length, : c.length]

    def convolve_each(self, images: Sequence[Any], spectrum: Any, after: After | None = None) -> list[Any]:
        """`convolve` of images, (batch, H, W, some of the channels) each, laid side by side, and what follows."""
        convolved = self.convolve(joined(images, axis=-1), spectrum)
        return after.of(convolved) if after else [convolved]

    def gradient_to_kernel(self, images: Any, gradients: Any) -> Any:
        """The gradient to the kernel, (r, r, channels, filters), of `convolve`'s output's, (batch, H, W, filters).

        Every step is linear in the kernel, so this is each step's transpose, in reverse.
        """
        inner = self.back_gradient(
            cut(gradients, (self.rows, self.columns), (self.rows.step, self.columns.step))
        )
        return self.kernel_gradient(ops.matmul(ops.transpose(self._spectrum(images), (0, 2, 1)), inner))

    def _spectrum(self, images: Any) -> Any:
        r, c = self.rows, self.columns
        return self.transform(cut(images, (r, c), (r.points, c.points), (r.before, c.before)))


def pooled(images: Any) -> Any:
    """The greatest value of every 2 x 2 px, (batch, H // 2, W // 2, channels)."""
    return ops.max_pool(images, 2, data_format="channels_last")


def joined(tensors: Sequence[Any], axis: int) -> Any:
    """Tensors side by side; one as it is."""
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=axis)


def cut(images: Any, axes: tuple[Axis, Axis], size: tuple[int, int], before: tuple[int, int] = (0, 0)) -> Any:
    """(batch, H, W, channels) to (size[0], size[1] x batch x tiles x channels), zeros around the image."""
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
    return ops.reshape(_take(ops.reshape(images, (-1, images.shape[-1])), index), (size[0], -1))


def _take(pixels: Any, index: Any) -> Any:
    """Rows of `pixels` by number, zeros where it is negative."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        index = tf.expand_dims(index, -1)
        return tf.raw_ops.GatherNd(params=pixels, indices=index, bad_indices_policy="IGNORE")
    found = ops.take(pixels, ops.maximum(index, 0), axis=0)
    return ops.where(ops.expand_dims(index, -1) < 0, ops.zeros((), found.dtype), found)


def left(matrix: np.ndarray, stack: Any) -> Any:
    """A constant matrix (a, b) times each of a stack's matrices, (s, b, c), to (s, a, c)."""
    if keras.backend.backend() != "tensorflow":
        return ops.matmul(matrix, stack)
    import tensorflow as tf

    # This version of the operation is one that oneDNN, faster elsewhere, does not take over: 1.4 times the speed.
    return tf.raw_ops.BatchMatMulV3(x=matrix, y=stack, Tout=tf.float32)
