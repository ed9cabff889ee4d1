"""Ways to compute a convolution with `same` padding as matrix products, and their costs.

fourier    overlapping tiles of n x n px, Fourier transformed; large kernels on large images
winograd   overlapping tiles of 6 x 6 px, evaluated at points; kernels of 3 x 3 px
unfold     the neighbourhood of each pixel as a row; small images, kernels of one pixel, few channels
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from convrnn_model.inference import dft, winograd
from convrnn_model.inference.costs import Costs

Kind = Literal["fourier", "winograd", "unfold"]
FOURIER_POINTS = (12, 16, 20, 24, 32, 36, 40)
BYTES = 4
LARGEST_BLOCK = 1 << 22
"""Numbers of a spectrum that are computed at a time in double precision."""


@dataclass(frozen=True)
class Tiling:
    """Tiles of an image for a convolution.

    Args:
        kind: See the module.
        height: Of the image, px.
        width: Of the image, px.
        side: Of the kernel, px.
        points: Side of a transformed tile; 1 for "unfold".
    """

    kind: Kind
    height: int
    width: int
    side: int
    points: int

    @property
    def step(self) -> int:
        """Distance between tiles, the side of a tile's outputs, px."""
        return 1 if self.kind == "unfold" else self.points - self.side + 1

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return math.ceil(self.height / self.step)

    @property
    def columns(self) -> int:
        """Columns of tiles."""
        return math.ceil(self.width / self.step)

    @property
    def tiles(self) -> int:
        """Tiles per image."""
        return self.rows * self.columns

    @property
    def before(self) -> int:
        """Zeros before the first pixel."""
        return (self.side - 1) // 2

    @property
    def parts(self) -> int:
        """Real numbers per product: 2 for complex products, else 1."""
        return 2 if self.kind == "fourier" else 1

    @property
    def products(self) -> int:
        """Matrix products per tile."""
        if self.kind == "unfold":
            return 1
        return self.points**2 // 2 + 2 if self.kind == "fourier" else self.points**2

    def depth(self, channels: int) -> int:
        """Return the numbers that a channel gives per tile and part, times `channels`."""
        return channels * self.side**2 if self.kind == "unfold" else channels

    def stage_seconds(
        self, costs: Costs, channels: int, filters: int, batch: int
    ) -> tuple[float, float, float]:
        """Estimate the time per image of transforming, multiplying and transforming back, on one core.

        Args:
            costs: Row of the table of the processor.
            channels: Of all inputs.
            filters: Of the output.
            batch: Images over which reading the kernel's spectrum is amortised.
        """
        points, area, depth = self.products * self.parts, self.height * self.width, self.depth(channels)
        forward, inverse = transform_operations(self.kind, self.points, self.step)
        # Complex products are three real ones.
        products = self.products * (3 if self.kind == "fourier" else 1)
        left, right = self.tiles * points * depth, self.tiles * points * filters
        spectrum = points * depth * filters / batch
        # What is written is first read into the cache.
        return (
            costs.seconds(
                transforms=self.tiles * forward * channels, moved=BYTES * (area * channels + 2 * left)
            ),
            costs.seconds(
                products=2 * products * self.tiles * depth * filters,
                moved=BYTES * (left + spectrum + 2 * right),
            ),
            costs.seconds(
                transforms=self.tiles * inverse * filters, moved=BYTES * (right + 2 * area * filters)
            ),
        )

    def seconds(self, costs: Costs, channels: int, filters: int, batch: int) -> float:
        """Estimate the time per image of all stages; arguments as for `stage_seconds`."""
        return sum(self.stage_seconds(costs, channels, filters, batch)) + 3 * costs.stage / batch

    def spectrum(self, kernel: np.ndarray) -> np.ndarray:
        """Transform a kernel: (side, side, channels, filters) to (products, parts, depth, filters), float32."""
        channels, filters = kernel.shape[2:]
        if self.kind == "unfold":
            return kernel.reshape(1, 1, -1, filters).astype(np.float32)
        matrix = _kernel_matrix(self.kind, self.side, self.points)
        spectrum = np.empty((len(matrix), channels, filters), np.float32)
        share = max(1, LARGEST_BLOCK // (len(matrix) * filters))
        for c in range(0, channels, share):
            block = kernel[:, :, c : c + share].astype(np.float64).reshape(self.side**2, -1)
            spectrum[:, c : c + share] = (matrix @ block).reshape(len(matrix), -1, filters)
        return spectrum.reshape(self.products, self.parts, channels, filters)


@cache
def _kernel_matrix(kind: Kind, side: int, points: int) -> np.ndarray:
    """Return the transform of a kernel, (products x parts, side x side), in double precision."""
    if kind == "winograd":
        along = winograd.matrices()[0]
        return np.kron(along, along)
    pixels = np.eye(side**2).reshape(side, side, side**2)
    # Conjugated, since networks correlate; divided by the number of points, for the inverse.
    found = np.fft.rfft2(pixels, (points, points), axes=(0, 1)).conj() / points**2
    half = points // 2
    columns = [found[: half + 1, 0], *found[:, 1:half].swapaxes(0, 1), found[: half + 1, half]]
    ordered = np.concatenate(columns)
    return np.stack([ordered.real, ordered.imag], 1).reshape(-1, side**2)


def candidates(height: int, width: int, side: int) -> list[Tiling]:
    """Return the tilings that suit a kernel of `side` x `side` px."""
    found = [Tiling("unfold", height, width, side, 1)]
    if side == winograd.KERNEL:
        found.append(Tiling("winograd", height, width, side, winograd.POINTS))
    if side > 1:
        found += [
            Tiling("fourier", height, width, side, points) for points in FOURIER_POINTS if points >= 2 * side
        ]
    return found


def best(
    costs: Costs, height: int, width: int, side: int, channels: int, filters: int, batch: int, unpadded: int
) -> Tiling:
    """Return the tiling with the smallest estimated time; `unpadded` are the channels that "unfold" needs."""

    def seconds(tiling: Tiling) -> float:
        needed = unpadded if tiling.kind == "unfold" else channels
        return tiling.seconds(costs, needed, filters, batch)

    return min(candidates(height, width, side), key=seconds)


@cache
def transform_operations(kind: Kind, points: int, step: int) -> tuple[int, int]:
    """Return the floating-point operations of transforming a tile, per channel, and of the inverse, per filter."""
    if kind == "unfold":
        return 0, 0
    if kind == "winograd":
        forward = 2 * points * _count(lambda: winograd.forward([_Counted()] * points))
        return forward, (points + step) * _count(lambda: winograd.inverse([_Counted()] * points))
    real = _count(lambda: dft.real_dft([_Counted()] * points))
    column = _count(lambda: dft.complex_dft([(_Counted(), _Counted())] * points))
    both = (points // 2 - 1) * column + 2 * real
    return points * real + both, step * real + both


def _count(function: Any) -> int:
    _Counted.operations = 0
    function()
    return _Counted.operations


class _Counted:
    """A value that counts the operations on all of them."""

    operations = 0

    def _operate(self, _: Any = None) -> "_Counted":
        _Counted.operations += 1
        return self

    __add__ = __sub__ = __mul__ = __neg__ = _operate
