"""How functions over arrays of float32 are compiled, and what several of them call."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

ZERO = np.float32(0)
LINE = 16
"""Numbers in a line of the processor's cache, 64 bytes."""

# Sums may be joined and reordered; what is no number stays none.
OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy"}
# Into their callers, so that the compiler knows the distances between rows, and with these that nothing overlaps.
inlined = njit(forceinline=True, **OPTIONS)


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call, and keep that for later processes where there is a folder to keep it in."""
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:
        return njit(**OPTIONS)(function)


def _prefetching(write: int) -> Any:
    """A function of an array and the place in it that will soon be read, or written; a hint that changes nothing."""

    def typed(_: Any, array: Any, place: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind, places = signature.args
            struct = context.make_array(kind)(context, builder, arguments[0])
            indices = cgutils.unpack_tuple(builder, arguments[1], len(places))
            pointer = cgutils.get_item_pointer(context, builder, kind, struct, indices, wraparound=False)
            byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
            shape = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            hint = builder.module.declare_intrinsic("llvm.prefetch", [byte], shape)
            # Its arguments: for reading or writing; into the nearest cache, 3; data.
            builder.call(hint, [builder.bitcast(pointer, byte), word(write), word(3), word(1)])
            return context.get_dummy_value()

        return types.void(array, place), code

    return intrinsic(typed)


prefetch, prefetch_to_write = _prefetching(0), _prefetching(1)


@inlined
def greatest(images, image, y, x, c):
    """Of 2 x 2 px, the last of them at (y, x); what is no number stays none."""
    a = _greater(images[image, y - 1, x - 1, c], images[image, y - 1, x, c])
    return _greater(a, _greater(images[image, y, x - 1, c], images[image, y, x, c]))


@inlined
def _greater(a, b):
    return a if a > b or a != a else b


@inlined
def normalised_relu(value, scale, shift):
    """What is no number stays none."""
    value = value * scale + shift
    return ZERO if value < ZERO else value
