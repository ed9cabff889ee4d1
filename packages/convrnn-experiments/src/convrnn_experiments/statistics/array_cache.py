"""Cache of functions of arrays by the content of the arrays.

Networks that are compared on the same images share everything about the observers. Its computation takes longer than
hashing the arrays by orders of magnitude.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
T = TypeVar("T")

MOST = 64
"""Number of results that a function keeps: more than a report has conditions and conventions of misses."""


def cached_by_content(function: Callable[P, T]) -> Callable[P, T]:
    """Keep the results of the last `MOST` calls of a function; see `cached_results`."""
    return cached_results(MOST)(function)


def cached_results(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keep the results of the last `most` calls of a function without side effects.

    Arguments are arrays, or values whose `repr` identifies them. An array that is returned is read-only, since callers
    share it.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        return _cached(function, most)

    return decorate


def _cached(function: Callable[P, T], most: int) -> Callable[P, T]:
    results: OrderedDict[bytes, T] = OrderedDict()

    @wraps(function)
    def cached(*args: P.args, **kwargs: P.kwargs) -> T:
        key = _digest(args, kwargs)
        if key not in results:
            result = function(*args, **kwargs)
            if isinstance(result, np.ndarray):
                result.flags.writeable = False
            results[key] = result
            if len(results) > most:
                results.popitem(last=False)
        results.move_to_end(key)
        return results[key]

    return cached


def _digest(args: tuple[object, ...], kwargs: dict[str, object]) -> bytes:
    found = hashlib.blake2b()
    for name, value in [*enumerate(args), *sorted(kwargs.items())]:
        if isinstance(value, np.ndarray):
            found.update(f"{name}: {value.dtype.str} {value.shape};".encode())
            found.update(np.ascontiguousarray(value).data)
        else:
            found.update(f"{name}: {value!r};".encode())
    return found.digest()
