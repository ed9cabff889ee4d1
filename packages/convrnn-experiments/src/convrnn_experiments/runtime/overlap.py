"""Overlap of the network's computation with the preparation of the next batches and with the use of its results."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int = 1
) -> Generator[Result, None, None]:
    """Apply a function in background threads, and yield the results in order.

    The caller's thread produces the items and uses the results. It is one item ahead, so the threads do not wait for it
    unless producing an item takes longer than the function. An exception on either side ends the iteration once the
    running calls of the function have returned; calls that have not started are dropped.

    Args:
        function: Function of an item; it should release the GIL.
        items: At most `threads + 1` of them wait or are in use.
        threads: Number of parallel calls.
    """
    pool = ThreadPoolExecutor(threads)
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
