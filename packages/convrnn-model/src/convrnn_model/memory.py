"""Buffer reuse for large arrays."""

import math
from collections.abc import Callable

import numpy as np

ALIGNMENT = 64
"""Alignment in bytes that lets TensorFlow use an array without copying it."""
LARGEST_RATIO = 2
"""Largest size of a reused buffer relative to the requested size."""


class BufferPool:
    """Buffers for arrays, reused once no view refers to them, so that the system need not zero new memory.

    Threads can share a pool without a lock: dictionary operations are atomic, and `pop` decides which thread gets a
    buffer.

    Args:
        most: Number of free buffers kept for reuse.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._free: dict[int, np.ndarray] = {}

    def empty(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return an uninitialised float32 array that TensorFlow uses without copying."""
        size = 4 * math.prod(shape)
        lease = BufferLease(self._acquire(size + ALIGNMENT), self._release)
        whole = np.asarray(lease)
        start = -whole.ctypes.data % ALIGNMENT
        return whole[start : start + size].view(np.float32).reshape(shape)

    def _acquire(self, size: int) -> np.ndarray:
        fitting = [
            buffer for buffer in list(self._free.values()) if size <= buffer.size <= LARGEST_RATIO * size
        ]
        for buffer in sorted(fitting, key=len):
            if self._free.pop(id(buffer), None) is not None:
                return buffer
        return np.empty(size, np.uint8)

    def _release(self, buffer: np.ndarray) -> None:
        self._free[id(buffer)] = buffer
        for oldest in list(self._free)[: -self._most]:
            self._free.pop(oldest, None)


class BufferLease:
    """Base object of every view of a buffer; releases the buffer with the last view."""

    def __init__(self, buffer: np.ndarray, release: Callable[[np.ndarray], None]) -> None:
        self.__array_interface__ = buffer.__array_interface__
        self._buffer, self._release = buffer, release

    def __del__(self) -> None:
        self._release(self._buffer)
