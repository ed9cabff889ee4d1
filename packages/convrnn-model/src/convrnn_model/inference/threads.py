"""Parts of a computation on several threads."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

PARTS_PER_THREAD = 4
"""More than one, so that a thread that is interrupted delays the others little."""
SHORTEST_PART = 1e-4
"""Seconds; starting a part in another thread takes about as long."""


class Threads:
    """Threads that compute the parts of a stage together; the calling thread is one of them.

    Args:
        count: Number of threads.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count - 1, thread_name_prefix="convrnn") if count > 1 else None

    def parts(self, seconds: float) -> int:
        """Return the number of parts into which a stage that takes some seconds on one core should be split."""
        return (
            max(1, min(self.count * PARTS_PER_THREAD, int(seconds / SHORTEST_PART))) if self.count > 1 else 1
        )

    def run(self, parts: Sequence[Callable[[], None]]) -> None:
        """Compute all parts, in any order; returns, or raises the error of one, when all have ended."""
        following = itertools.count()

        def work() -> None:
            # Counting is atomic, so no part is computed twice.
            while (part := next(following)) < len(parts):
                parts[part]()

        helpers = min(self.count, len(parts)) - 1
        futures = [self._pool.submit(work) for _ in range(helpers)] if self._pool else []
        try:
            work()
        finally:
            # All have to end before an error is raised, since they write into buffers that the next call reuses.
            wait(futures)
        for future in futures:
            future.result()

    def ranges(self, count: int, seconds: float, multiple: int = 1) -> list[tuple[int, int]]:
        """Split 0 to `count`, which take some seconds, into ranges of similar length that begin at multiples."""
        units = -(-count // multiple)
        parts = min(units, self.parts(seconds))
        edges = [min(count, multiple * (units * part // parts)) for part in range(parts + 1)]
        return list(itertools.pairwise(edges))
