"""Tile plans with transforms compiled by numba, if installed: see codelets.py and winograd_codelets.py.

The results are those of `FourierPlan` and `WinogradPlan`. TensorFlow passes its arrays to compiled code through
`tf.numpy_function`, which cannot be saved, so graphs that may be exported use those plans instead.
"""

import math
import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from convrnn_model.fourier import FourierAxis, FourierPlan
from convrnn_model.memory import BufferPool
from convrnn_model.tiles import BATCH, OPERATIONS_PER_BYTE, Epilogue, Plan, max_pooled
from convrnn_model.winograd import WinogradPlan, axis_matrices

# Fewer channels per half tile would leave vector registers idle.
FEWEST_CHANNELS = 32
# Channels per call of Winograd's transforms, so that a few compiled functions serve all layers.
GROUP = 64
# Relative cost at which a plan with a smaller cached spectrum is still preferred.
MEMORY_TOLERANCE = 1.1
PARTS_PER_THREAD = 4
# Buffers kept for reuse.
BUFFERS = BufferPool(most=4)
# Placeholders for absent scale, shift, and added or pooled images.
UNUSED: list[np.ndarray] = [np.empty(shape, np.float32) for shape in (0, 0, (0, 0, 0, 0))]


class Compiled(Plan):
    """Mixin of plans with compiled transforms."""

    # Cost of transforming one point of one channel, in operations of a large matrix product, including copies. Measured
    # like `tiles.OPERATIONS_PER_BYTE`: the fastest of nine rounds on the widest layers.
    forward_cost: ClassVar[float]
    inverse_cost: ClassVar[float]

    @property
    @abstractmethod
    def _layout(self) -> tuple[int, ...]:
        """Axes of a tile's spectrum that precede (tiles, channels)."""

    @abstractmethod
    def _forward_codelet(self, channels: int) -> tuple[Callable[..., None], np.ndarray]:
        """Return the function that transforms tiles with this number of channels, and its constants."""

    @abstractmethod
    def _inverse_codelet(
        self, epilogue: bool, adds: bool, pools: bool
    ) -> tuple[Callable[..., None], np.ndarray]:
        """Return the function that inverts products and applies the epilogue, and its constants."""

    @property
    def bytes(self) -> float:
        """Bytes read and written per image in float32, including its share of the kernel's spectrum."""
        pixels = self.rows.length * self.columns.length
        tiles = 2 * self.positions * self.products
        return 4 * ((pixels + tiles) * (self.channels + self.filters)) + self._spectrum_bytes

    @property
    def cost(self) -> float:
        """Cost per image, in operations of a large matrix product."""
        points = self.rows.points * self.columns.points
        tile = points * (self.forward_cost * self.channels + self.inverse_cost * self.filters)
        moved = 4 * self.positions * self.products * (self.channels + self.filters) + self._spectrum_bytes
        return self.positions * (2 * self._matrices + tile) + OPERATIONS_PER_BYTE * moved

    @property
    def _matrices(self) -> int:
        return self.products * self.channels * self.filters

    @property
    def _spectrum_bytes(self) -> float:
        return 4 * self._matrices / BATCH

    def convolve_each(
        self, images: Sequence[Any], spectrum: Any, epilogue: Epilogue | None = None
    ) -> list[Any]:
        """Convolve images as if concatenated along channels, and apply the epilogue.

        Args:
            images: Each (batch, H, W, some of the channels), float32; even numbers of channels, which add up.
            spectrum: `kernel_spectrum` of the concatenated kernels, (products, channels, filters).
            epilogue: Pointwise operations that follow.
        """
        import tensorflow as tf

        transformed = tf.numpy_function(self._forward, images, tf.float32, stateful=False)
        transformed.set_shape((self.products, None, self.channels))
        tensors = epilogue.tensors if epilogue else []
        pools = epilogue is not None and epilogue.pools
        # With odd tile sides, some 2 x 2 px would extend over two tiles.
        fuses_pooling = pools and self.rows.step % 2 == 0 and self.columns.step % 2 == 0
        # numpy_function returns a tensor for one dtype, a list for several.
        dtypes = [tf.float32, tf.float32] if fuses_pooling else tf.float32
        inverse = partial(self._inverse, pools=fuses_pooling)
        products = tf.matmul(transformed, spectrum)
        results = tf.numpy_function(inverse, [products, *tensors], dtypes, stateful=False)
        results = results if fuses_pooling else [results]
        for halvings, result in enumerate(results):
            size = (self.rows.length >> halvings, self.columns.length >> halvings)
            result.set_shape((images[0].shape[0], *size, self.filters))
        return [*results, max_pooled(results[0])] if pools and not fuses_pooling else results

    def _forward(self, *images: np.ndarray) -> np.ndarray:
        r, c = self.rows, self.columns
        tiles = len(images[0]) * self.positions
        spectrum = BUFFERS.empty((*self._layout, tiles, self.channels))
        first_channel = 0
        for image in images:
            transform, constants = self._forward_codelet(image.shape[3])
            layout = (r.tiles, c.tiles, r.step, c.step, r.before, constants)
            run_parallel(tiles, partial(transform, image, spectrum, first_channel), layout)
            first_channel += image.shape[3]
        return spectrum.reshape(self.products, tiles, self.channels)

    def _inverse(
        self, products: np.ndarray, *epilogue: np.ndarray, pools: bool = False
    ) -> np.ndarray | list[np.ndarray]:
        r, c = self.rows, self.columns
        tiles = products.shape[1]
        batch = tiles // self.positions
        images = BUFFERS.empty((batch, r.length, c.length, self.filters))
        smaller = BUFFERS.empty((batch, r.length // 2, c.length // 2, self.filters)) if pools else UNUSED[2]
        transform, constants = self._inverse_codelet(bool(epilogue), len(epilogue) > 2, pools)
        scale, shift, added = [*epilogue, *UNUSED[len(epilogue) :]]
        products = products.reshape(*self._layout, tiles, self.filters)
        layout = (r.tiles, c.tiles, r.step, c.step, constants)
        run_parallel(tiles, partial(transform, products, scale, shift, added, images, smaller), layout)
        return [images, smaller] if pools else images


@dataclass(frozen=True)
class CompiledFourier(Compiled, FourierPlan):
    """Fourier plan with compiled transforms of n x n px, n in `codelets.RADICES`."""

    forward_cost, inverse_cost = 200, 180

    @staticmethod
    @lru_cache(maxsize=256)
    def for_convolution(image: tuple[int, int], kernel: tuple[int, ...]) -> "CompiledFourier | None":
        """Return the plan with the smallest spectrum among the nearly cheapest ones; None if none applies.

        Args:
            image: Height and width, px.
            kernel: (r, r, channels, filters).
        """
        if not can_compile(kernel) or kernel[2] % 2 or kernel[3] % 2:
            return None
        from convrnn_model.codelets import RADICES

        side = kernel[0]
        before = (side - 1) // 2
        plans = []
        for points in RADICES:
            step = points - side + 1
            if step > side:
                rows, columns = (FourierAxis(length, side, step, before) for length in image)
                plans.append(CompiledFourier(rows, columns, kernel[2], kernel[3]))
        least = min((plan.cost for plan in plans), default=0.0)
        near = [plan for plan in plans if plan.cost <= MEMORY_TOLERANCE * least]
        return min(near, key=lambda plan: plan.products, default=None)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds per image: the products, and 5/2 n log2 n sums per transform of n real points."""
        points = self.rows.points * self.columns.points
        transforms = round(1.25 * points * math.log2(points)) * (self.channels + self.filters)
        return self.positions * (transforms + self._matrices)

    @property
    def _layout(self) -> tuple[int, ...]:
        return self.rows.frequencies, self.rows.points, 3

    def _forward_codelet(self, channels: int) -> tuple[Callable[..., None], np.ndarray]:
        from convrnn_model.codelets import forward, twiddle_factors

        return forward(self.rows.points, channels // 2), twiddle_factors(self.rows.points)

    def _inverse_codelet(
        self, epilogue: bool, adds: bool, pools: bool
    ) -> tuple[Callable[..., None], np.ndarray]:
        from convrnn_model.codelets import inverse, twiddle_factors

        half, constants = self.filters // 2, twiddle_factors(self.rows.points)
        return inverse(self.rows.points, half, epilogue, adds, pools), constants


@dataclass(frozen=True)
class CompiledWinograd(Compiled, WinogradPlan):
    """Winograd plan with compiled transforms, one axis after the other."""

    forward_cost, inverse_cost = 180, 190

    @staticmethod
    def for_convolution(image: tuple[int, int], kernel: tuple[int, ...]) -> "WinogradPlan":
        """Return the plan for an image, (height, width) px, and a kernel shape (3, 3, channels, filters)."""
        plan = WinogradPlan.for_convolution(image, kernel)
        if not can_compile(kernel):
            return plan
        return CompiledWinograd(plan.rows, plan.columns, plan.channels, plan.filters)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds per image: the products, and 18 sums along 12 axes of a tile, 14 along 10 for the inverse."""
        transforms = 12 * 18 * self.channels + 10 * 14 * self.filters
        return self.positions * (transforms + self._matrices)

    @property
    def _layout(self) -> tuple[int, ...]:
        return self.rows.points, self.columns.points

    def _forward_codelet(self, channels: int) -> tuple[Callable[..., None], np.ndarray]:
        from convrnn_model.winograd_codelets import forward

        return forward(_group(channels)), axis_matrices()[1].astype(np.float32)

    def _inverse_codelet(
        self, epilogue: bool, adds: bool, pools: bool
    ) -> tuple[Callable[..., None], np.ndarray]:
        from convrnn_model.winograd_codelets import inverse

        return inverse(_group(self.filters), epilogue, adds, pools), axis_matrices()[2].astype(np.float32)


def _group(channels: int) -> int:
    """Return the channels per call of Winograd's transforms, a divisor of `channels` that leaves no registers idle."""
    share = math.gcd(channels, GROUP)
    return share if share >= FEWEST_CHANNELS else channels


def can_compile(kernel: tuple[int, ...]) -> bool:
    """Return whether compiled transforms are available and suit a kernel (r, r, channels, filters)."""
    return available() and min(kernel[2:]) >= FEWEST_CHANNELS


@cache
def available() -> bool:
    """Return whether numba is installed."""
    return find_spec("numba") is not None


def run_parallel(count: int, work: Callable[..., None], arguments: Sequence[Any]) -> None:
    """Call `work(begin, end, *arguments)` for parts of 0 to `count`, on as many threads as a TensorFlow operation."""
    threads = _threads()
    parts = min(count, threads * PARTS_PER_THREAD)
    if threads == 1 or parts < 2:
        work(0, count, *arguments)
        return
    edges = [count * part // parts for part in range(parts + 1)]
    for future in [_executor(threads).submit(work, *part, *arguments) for part in pairwise(edges)]:
        future.result()


def _threads() -> int:
    import tensorflow as tf

    configured = tf.config.threading.get_intra_op_parallelism_threads()
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return configured or available or 1


@cache
def _executor(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="convrnn")
