"""Fourier tiles whose transforms are compiled for this processor, where numba is there: see `codelets.py`.

What is computed is what `FourierPlan` computes. TensorFlow hands its arrays to compiled code through
`tf.numpy_function`, which cannot be saved: a graph that may be exported takes `FourierPlan`'s own operations.
"""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np

from convrnn_model.fourier import FourierAxis, FourierPlan
from convrnn_model.tiles import BATCH, OPERATIONS_PER_BYTE

# Measured as `tiles.OPERATIONS_PER_BYTE` was: what transforming one point of one channel costs, there and back, in
# operations of a large matrix product; copying included.
THERE, BACK = 230, 160
# Channels of a half tile that fill the processor's registers a few times.
FEWEST_CHANNELS = 32
# What a smaller spectrum, which is kept in memory, may cost in time.
MEMORY_IS_WORTH = 1.1
PARTS_OF_A_THREAD = 4
ALIGNMENT = 64


@dataclass(frozen=True)
class CompiledPlan(FourierPlan):
    """A plan for tiles of n x n px, n one of `codelets.RADICES`."""

    @staticmethod
    @lru_cache(maxsize=256)
    def of(image: tuple[int, int], kernel: tuple[int, ...]) -> "CompiledPlan | None":
        """The best for an image, (height, width) px, and a kernel (r, r, channels, filters); None where there is none.

        It is the one with the smallest spectrum among those that are nearly the cheapest.
        """
        if not available() or kernel[2] % 2 or kernel[3] % 2 or min(kernel[2:]) < FEWEST_CHANNELS:
            return None
        from convrnn_model.codelets import RADICES

        side = kernel[0]
        before = (side - 1) // 2
        plans = []
        for points in RADICES:
            step = points - side + 1
            if step > side:
                rows, columns = (FourierAxis(length, side, step, before) for length in image)
                plans.append(CompiledPlan(rows, columns, kernel[2], kernel[3]))
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
    def bytes(self) -> float:
        """Read and written for one image in float32, with its share of the kernel's spectrum."""
        pixels = self.rows.length * self.columns.length
        tiles = 2 * self.positions * self.products
        return 4 * ((pixels + tiles) * (self.channels + self.filters)) + self._spectrum_bytes

    @property
    def cost(self) -> float:
        """In operations of a large matrix product."""
        points = self.rows.points * self.columns.points
        tile = points * (THERE * self.channels + BACK * self.filters)
        moved = 4 * self.positions * self.products * (self.channels + self.filters) + self._spectrum_bytes
        return self.positions * (2 * self._matrices + tile) + OPERATIONS_PER_BYTE * moved

    @property
    def _matrices(self) -> int:
        return self.products * self.channels * self.filters

    @property
    def _spectrum_bytes(self) -> float:
        return 4 * self._matrices / BATCH

    def convolve_each(self, images: Sequence[Any], spectrum: Any) -> Any:
        """`convolve` of images side by side, which are not laid so.

        Args:
            images: Each (batch, H, W, some of the channels), float32; the channels are even and add up.
            spectrum: `kernel_spectrum` of the kernels side by side, (products, channels, filters).
        """
        import tensorflow as tf

        there = tf.numpy_function(self._there, images, tf.float32, stateful=False)
        there.set_shape((self.products, None, self.channels))
        back = tf.numpy_function(self._back, [tf.matmul(there, spectrum)], tf.float32, stateful=False)
        back.set_shape((images[0].shape[0], self.rows.length, self.columns.length, self.filters))
        return back

    def _there(self, *images: np.ndarray) -> np.ndarray:
        from convrnn_model.codelets import forward, twiddle_factors

        n, r, c = self.rows.points, self.rows, self.columns
        tiles = len(images[0]) * self.positions
        spectrum = empty((r.frequencies, n, 3, tiles, self.channels))
        layout, at = (r.tiles, c.tiles, r.step, c.step, r.before, twiddle_factors(n)), 0
        for image in images:
            in_parts(tiles, partial(forward(n, image.shape[3] // 2), image, spectrum, at), layout)
            at += image.shape[3]
        return spectrum.reshape(self.products, tiles, self.channels)

    def _back(self, products: np.ndarray) -> np.ndarray:
        from convrnn_model.codelets import inverse, twiddle_factors

        n, r, c = self.rows.points, self.rows, self.columns
        tiles = products.shape[1]
        images = empty((tiles // self.positions, r.length, c.length, self.filters))
        products = products.reshape(r.frequencies, n, 3, tiles, self.filters)
        layout = (r.tiles, c.tiles, r.step, c.step, twiddle_factors(n))
        in_parts(tiles, partial(inverse(n, self.filters // 2), products, images), layout)
        return images


@cache
def available() -> bool:
    """Whether numba is there."""
    return find_spec("numba") is not None


def empty(shape: tuple[int, ...]) -> np.ndarray:
    """An array of float32 that begins where TensorFlow takes it as it is, without copying it."""
    size = 4 * math.prod(shape)
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)


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
