"""Compilation of functions over float32 arrays with numba, and helpers that several of them call."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

ZERO = np.float32(0)
LINE = 16
"""float32 values per cache line of 64 bytes."""

# Contraction and reassociation are allowed; NaN is propagated.
OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy"}
# Inlining lets the compiler know the strides, and therefore that rows do not overlap.
inlined = njit(forceinline=True, **OPTIONS)


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call; cache the result on disk if a cache directory is writable."""
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:
        return njit(**OPTIONS)(function)


def _prefetching(write: int) -> Any:
    """Return a prefetch hint for an array element that will soon be read or written; it does not change results."""

    def typed(_: Any, array: Any, place: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind, places = signature.args
            struct = context.make_array(kind)(context, builder, arguments[0])
            indices = cgutils.unpack_tuple(builder, arguments[1], len(places))
            pointer = cgutils.get_item_pointer(context, builder, kind, struct, indices, wraparound=False)
            byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
            shape = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            hint = builder.module.declare_intrinsic("llvm.prefetch", [byte], shape)
            # Arguments: read or write; locality 3, the nearest cache; data cache.
            builder.call(hint, [builder.bitcast(pointer, byte), word(write), word(3), word(1)])
            return context.get_dummy_value()

        return types.void(array, place), code

    return intrinsic(typed)


prefetch, prefetch_to_write = _prefetching(0), _prefetching(1)


@inlined
def max_of_2x2(images, image, y, x, c):
    """Maximum of the 2 x 2 px that end at (y, x); propagates NaN."""
    a = _nan_max(images[image, y - 1, x - 1, c], images[image, y - 1, x, c])
    return _nan_max(a, _nan_max(images[image, y, x - 1, c], images[image, y, x, c]))


@inlined
def _nan_max(a, b):
    return a if a > b or a != a else b


@inlined
def normalised_relu(value, scale, shift):
    """ReLU of the normalised value; propagates NaN."""
    value = value * scale + shift
    return ZERO if value < ZERO else value
