"""Tiles whose transforms are compiled for this processor, where numba is there: see both rooms of codelets.

What is computed is what `FourierPlan` and `WinogradPlan` compute. TensorFlow hands its arrays to compiled code through
`tf.numpy_function`, which cannot be saved: a graph that may be exported takes their own operations.
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
from convrnn_model.memory import Memory
from convrnn_model.tiles import BATCH, OPERATIONS_PER_BYTE, After, Plan, pooled
from convrnn_model.winograd import WinogradPlan, axis_matrices

# Channels of a half tile that fill the processor's registers a few times.
FEWEST_CHANNELS = 32
# Channels that Winograd's transforms take at once, so that a few compiled functions serve all layers.
GROUP = 64
# What a smaller spectrum, which is kept in memory, may cost in time.
MEMORY_IS_WORTH = 1.1
PARTS_OF_A_THREAD = 4
# Arrays whose memory waits for the next ones.
MEMORY = Memory(most=4)
# In place of scale, shift, and what is added or pooled.
NOTHING: list[np.ndarray] = [np.empty(shape, np.float32) for shape in (0, 0, (0, 0, 0, 0))]


class Compiled(Plan):
    """What plans with compiled transforms have in common; mixed into one that says what is computed."""

    # Measured as `tiles.OPERATIONS_PER_BYTE` was: what transforming one point of one channel costs, there and back,
    # in operations of a large matrix product; copying included, in the quickest of nine rounds on the widest layers.
    there_costs: ClassVar[float]
    back_costs: ClassVar[float]

    @property
    @abstractmethod
    def _layout(self) -> tuple[int, ...]:
        """The axes of a tile's spectrum, before (tiles, channels)."""

    @abstractmethod
    def _forward(self, channels: int) -> tuple[Callable[..., None], np.ndarray]:
        """What transforms tiles of images with so many channels, and the constants that it takes."""

    @abstractmethod
    def _inverse(self, after: bool, adds: bool, pools: bool) -> tuple[Callable[..., None], np.ndarray]:
        """What transforms products back, likewise."""

    @property
    def bytes(self) -> float:
        """Read and written for one image in float32, with its share of the kernel's spectrum."""
        pixels = self.rows.length * self.columns.length
        tiles = 2 * self.positions * self.products
        return 4 * ((pixels + tiles) * (self.channels + self.filters)) + self._spectrum_bytes

    @property
    def cost(self) -> float:
        """In operations of a large matrix product."""
        points = self.rows.points * self.columns.points
        tile = points * (self.there_costs * self.channels + self.back_costs * self.filters)
        moved = 4 * self.positions * self.products * (self.channels + self.filters) + self._spectrum_bytes
        return self.positions * (2 * self._matrices + tile) + OPERATIONS_PER_BYTE * moved

    @property
    def _matrices(self) -> int:
        return self.products * self.channels * self.filters

    @property
    def _spectrum_bytes(self) -> float:
        return 4 * self._matrices / BATCH

    def convolve_each(self, images: Sequence[Any], spectrum: Any, after: After | None = None) -> list[Any]:
        """`convolve` of images side by side, which are not laid so, and what follows.

        Args:
            images: Each (batch, H, W, some of the channels), float32; the channels are even and add up.
            spectrum: `kernel_spectrum` of the kernels side by side, (products, channels, filters).
            after: What follows, if anything.
        """
        import tensorflow as tf

        there = tf.numpy_function(self._there, images, tf.float32, stateful=False)
        there.set_shape((self.products, None, self.channels))
        more = after.tensors if after else []
        pools = after is not None and after.pools
        # Of tiles with an odd side some 2 x 2 px would lie in two.
        within = pools and self.rows.step % 2 == 0 and self.columns.step % 2 == 0
        # One result is an array here, several are a list of arrays.
        kinds = [tf.float32, tf.float32] if within else tf.float32
        laid = partial(self._back, pools=within)
        back = tf.numpy_function(laid, [tf.matmul(there, spectrum), *more], kinds, stateful=False)
        back = back if within else [back]
        for part, answer in enumerate(back):
            size = (self.rows.length >> part, self.columns.length >> part)
            answer.set_shape((images[0].shape[0], *size, self.filters))
        return [*back, pooled(back[0])] if pools and not within else back

    def _there(self, *images: np.ndarray) -> np.ndarray:
        r, c = self.rows, self.columns
        tiles = len(images[0]) * self.positions
        spectrum = MEMORY.empty((*self._layout, tiles, self.channels))
        at = 0
        for image in images:
            transform, constants = self._forward(image.shape[3])
            layout = (r.tiles, c.tiles, r.step, c.step, r.before, constants)
            in_parts(tiles, partial(transform, image, spectrum, at), layout)
            at += image.shape[3]
        return spectrum.reshape(self.products, tiles, self.channels)

    def _back(
        self, products: np.ndarray, *after: np.ndarray, pools: bool = False
    ) -> np.ndarray | list[np.ndarray]:
        r, c = self.rows, self.columns
        tiles = products.shape[1]
        batch = tiles // self.positions
        images = MEMORY.empty((batch, r.length, c.length, self.filters))
        smaller = MEMORY.empty((batch, r.length // 2, c.length // 2, self.filters)) if pools else NOTHING[2]
        transform, constants = self._inverse(bool(after), len(after) > 2, pools)
        scale, shift, added = [*after, *NOTHING[len(after) :]]
        products = products.reshape(*self._layout, tiles, self.filters)
        layout = (r.tiles, c.tiles, r.step, c.step, constants)
        in_parts(tiles, partial(transform, products, scale, shift, added, images, smaller), layout)
        return [images, smaller] if pools else images


@dataclass(frozen=True)
class CompiledFourier(Compiled, FourierPlan):
    """A plan for tiles of n x n px, n one of `codelets.RADICES`."""

    there_costs, back_costs = 200, 180

    @staticmethod
    @lru_cache(maxsize=256)
    def of(image: tuple[int, int], kernel: tuple[int, ...]) -> "CompiledFourier | None":
        """The best for an image, (height, width) px, and a kernel (r, r, channels, filters); None where there is none.

        It is the one with the smallest spectrum among those that are nearly the cheapest.
        """
        if not fit(kernel) or kernel[2] % 2 or kernel[3] % 2:
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
        near = [plan for plan in plans if plan.cost <= MEMORY_IS_WORTH * least]
        return min(near, key=lambda plan: plan.products, default=None)

    @property
    def multiply_adds(self) -> int:
        """Of one image: the products, and 5/2 n log2 n sums for each transform of n real points."""
        points = self.rows.points * self.columns.points
        transforms = round(1.25 * points * math.log2(points)) * (self.channels + self.filters)
        return self.positions * (transforms + self._matrices)

    @property
    def _layout(self) -> tuple[int, ...]:
        return self.rows.frequencies, self.rows.points, 3

    def _forward(self, channels: int) -> tuple[Callable[..., None], np.ndarray]:
        from convrnn_model.codelets import forward, twiddle_factors

        return forward(self.rows.points, channels // 2), twiddle_factors(self.rows.points)

    def _inverse(self, after: bool, adds: bool, pools: bool) -> tuple[Callable[..., None], np.ndarray]:
        from convrnn_model.codelets import inverse, twiddle_factors

        half, constants = self.filters // 2, twiddle_factors(self.rows.points)
        return inverse(self.rows.points, half, after, adds, pools), constants


@dataclass(frozen=True)
class CompiledWinograd(Compiled, WinogradPlan):
    """Winograd's plan, with one axis transformed after the other."""

    there_costs, back_costs = 180, 190

    @staticmethod
    def of(image: tuple[int, int], kernel: tuple[int, ...]) -> "WinogradPlan":
        """The plan for an image, (height, width) px, and a kernel's shape (3, 3, channels, filters)."""
        plan = WinogradPlan.of(image, kernel)
        if not fit(kernel):
            return plan
        return CompiledWinograd(plan.rows, plan.columns, plan.channels, plan.filters)

    @property
    def multiply_adds(self) -> int:
        """Of one image: the products, and 18 sums along each of 12 axes of a tile, 14 along each of 10 back."""
        transforms = 12 * 18 * self.channels + 10 * 14 * self.filters
        return self.positions * (transforms + self._matrices)

    @property
    def _layout(self) -> tuple[int, ...]:
        return self.rows.points, self.columns.points

    def _forward(self, channels: int) -> tuple[Callable[..., None], np.ndarray]:
        from convrnn_model.winograd_codelets import forward

        return forward(_group(channels)), axis_matrices()[1].astype(np.float32)

    def _inverse(self, after: bool, adds: bool, pools: bool) -> tuple[Callable[..., None], np.ndarray]:
        from convrnn_model.winograd_codelets import inverse

        return inverse(_group(self.filters), after, adds, pools), axis_matrices()[2].astype(np.float32)


def _group(channels: int) -> int:
    """Channels that Winograd's transforms take at once: a share of all, but not so few that registers stay empty."""
    share = math.gcd(channels, GROUP)
    return share if share >= FEWEST_CHANNELS else channels


def fit(kernel: tuple[int, ...]) -> bool:
    """Whether compiled transforms may take a kernel (r, r, channels, filters), and are there."""
    return available() and min(kernel[2:]) >= FEWEST_CHANNELS


@cache
def available() -> bool:
    """Whether numba is there."""
    return find_spec("numba") is not None


def in_parts(count: int, work: Callable[..., None], more: Sequence[Any]) -> None:
    """Call `work(begin, end, *more)` for parts of 0 to `count`, on as many threads as an operation of TensorFlow's."""
    threads = _threads()
    parts = min(count, threads * PARTS_OF_A_THREAD)
    if threads == 1 or parts < 2:
        work(0, count, *more)
        return
    edges = [count * part // parts for part in range(parts + 1)]
    for done in [_pool(threads).submit(work, *edge, *more) for edge in pairwise(edges)]:
        done.result()


def _threads() -> int:
    import tensorflow as tf

    asked = tf.config.threading.get_intra_op_parallelism_threads()
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return asked or ours or 1


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="convrnn")
