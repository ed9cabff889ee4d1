"""Memory that large arrays use again."""

import math
from collections.abc import Callable

import numpy as np

ALIGNMENT = 64
"""Where an array may begin for TensorFlow to take it as it is, bytes."""
# How much larger than an array the memory may be that it gets.
SPARE = 2


class Memory:
    """Memory for arrays, used again once nobody holds them: the system would fill new memory with zeros first.

    Threads may share it without a lock: each of the dictionary's operations is whole, and two that want the same
    memory see who got it.

    Args:
        most: Arrays' memory that is kept for later.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._free: dict[int, np.ndarray] = {}

    def empty(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array of float32 that begins where TensorFlow takes it as it is, without copying it."""
        size = 4 * math.prod(shape)
        lent = Lent(self._take(size + ALIGNMENT), self._give_back)
        whole = np.asarray(lent)
        start = -whole.ctypes.data % ALIGNMENT
        return whole[start : start + size].view(np.float32).reshape(shape)

    def _take(self, size: int) -> np.ndarray:
        fits = [one for one in list(self._free.values()) if size <= one.size <= SPARE * size]
        for memory in sorted(fits, key=len):
            if self._free.pop(id(memory), None) is not None:
                return memory
        return np.empty(size, np.uint8)

    def _give_back(self, memory: np.ndarray) -> None:
        self._free[id(memory)] = memory
        for oldest in list(self._free)[: -self._most]:
            self._free.pop(oldest, None)


class Lent:
    """What every view of an array holds; with the last of them it gives the array back."""

    def __init__(self, memory: np.ndarray, give_back: Callable[[np.ndarray], None]) -> None:
        self.__array_interface__ = memory.__array_interface__
        self._memory, self._give_back = memory, give_back

    def __del__(self) -> None:
        self._give_back(self._memory)
