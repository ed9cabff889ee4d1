"""Machine code on vectors of float32, written in Python and called from functions that numba compiles.

`emits` turns a Python function that computes with `Vector` objects into straight-line code. The function runs once, at
compile time; its loops and conditions over Python values are unrolled. The same function, called with NumPy arrays,
computes their values, which is how tests check it.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

FLOAT, INT = ir.FloatType(), ir.IntType(64)
BYTES = 4
# A product may be added without rounding. Order of operations is kept, so all processors with fused multiply-adds
# round alike.
FLAGS = ("contract",)


@dataclass(frozen=True)
class VectorShape:
    """Shape of the blocks of numbers that a processor's registers hold.

    Args:
        lanes: float32 numbers per vector.
        rows: Rows of a block of matrix products.
        vectors: Vectors of columns of a block.
    """

    lanes: int
    rows: int
    vectors: int

    def padded(self, count: int) -> int:
        """Return the number of channels that are stored for `count`."""
        return -(-count // self.lanes) * self.lanes

    def columns(self, filters: int) -> int:
        """Return the columns per block for a stored number of filters."""
        whole = self.lanes * self.vectors
        return whole if filters % whole == 0 else self.lanes


def vector_shape(kind: str) -> VectorShape:
    """Return the shape for a kind of processor, as `processor` names it."""
    if kind.startswith(("avx512", "amx")):
        return VectorShape(lanes=16, rows=8, vectors=2)
    if kind == "avx2":
        return VectorShape(lanes=8, rows=4, vectors=2)
    return VectorShape(lanes=4, rows=4, vectors=2)


class Vector:
    """Vector of float32 in generated code; numbers are the same in all lanes."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def _ir(self, other: "Vector | float") -> ir.Value:
        if isinstance(other, Vector):
            return other.value
        kind = self.value.type
        return ir.Constant(kind, [ir.Constant(FLOAT, float(other))] * kind.count)

    def __add__(self, other: "Vector") -> "Vector":
        return Vector(self.builder, self.builder.fadd(self.value, self._ir(other), flags=FLAGS))

    def __sub__(self, other: "Vector") -> "Vector":
        return Vector(self.builder, self.builder.fsub(self.value, self._ir(other), flags=FLAGS))

    def __mul__(self, other: "Vector | float") -> "Vector":
        return Vector(self.builder, self.builder.fmul(self.value, self._ir(other), flags=FLAGS))

    def __neg__(self) -> "Vector":
        return Vector(self.builder, self.builder.fneg(self.value))

    def at_least(self, floor: "Vector") -> "Vector":
        """Replace smaller values by those of `floor`; keeps NaN."""
        b = self.builder
        return Vector(b, b.select(b.fcmp_ordered("<", self.value, floor.value), floor.value, self.value))

    def maximum(self, other: "Vector") -> "Vector":
        """Return the larger value in each lane; keeps NaN of either."""
        b, larger = self.builder, self.at_least(other)
        return Vector(
            b, b.select(b.fcmp_unordered("uno", other.value, other.value), other.value, larger.value)
        )


class Pointer:
    """Address of an element of a float32 array in generated code."""

    __slots__ = ("address", "builder")

    def __init__(self, builder: ir.IRBuilder, address: ir.Value) -> None:
        self.builder, self.address = builder, address

    def at(self, offset: Any) -> "Pointer":
        """Move by a number of elements, an int or a generated integer."""
        offset = INT(offset) if isinstance(offset, int) else offset
        return Pointer(self.builder, self.builder.gep(self.address, [offset]))

    def load(self, lanes: int) -> Vector:
        """Read a vector."""
        kind = ir.VectorType(FLOAT, lanes).as_pointer()
        value = self.builder.load(self.builder.bitcast(self.address, kind))
        value.align = BYTES
        return Vector(self.builder, value)

    def broadcast(self, lanes: int) -> Vector:
        """Read one number into all lanes."""
        kind, lane = ir.VectorType(FLOAT, lanes), ir.IntType(32)
        unset = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(unset, self.builder.load(self.address), lane(0))
        zeros = ir.Constant(ir.VectorType(lane, lanes), [lane(0)] * lanes)
        return Vector(self.builder, self.builder.shuffle_vector(first, unset, zeros))

    def store(self, vector: Vector) -> None:
        """Write a vector."""
        kind = vector.value.type.as_pointer()
        self.builder.store(vector.value, self.builder.bitcast(self.address, kind)).align = BYTES

    def unless(self, outside: ir.Value, other: "Pointer") -> "Pointer":
        """Return this address, or `other` where the condition `outside` holds."""
        return Pointer(self.builder, self.builder.select(outside, other.address, self.address))


def fused_multiply_add(a: Vector, b: Vector, c: Vector) -> Vector:
    """Return a * b + c, rounded once where the processor can."""
    kind, builder = a.value.type, a.builder
    form = ir.FunctionType(kind, [kind] * 3)
    function = cgutils.get_or_insert_function(builder.module, form, f"llvm.fmuladd.v{kind.count}f32")
    return Vector(builder, builder.call(function, [a.value, b.value, c.value]))


def zeros(builder: ir.IRBuilder, lanes: int) -> Vector:
    """Return a vector of zeros."""
    return Vector(builder, ir.Constant(ir.VectorType(FLOAT, lanes), [ir.Constant(FLOAT, 0.0)] * lanes))


def emits(literals: int) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator that makes a function emit code where compiled functions call it.

    Args:
        literals: Number of leading arguments that are known at compile time; the function gets them as int. Of the
            others, it gets arrays as `Pointer`, integers as generated values. Its first argument is the code builder.
    """

    def decorate(emit: Callable[..., None]) -> Any:
        def typed(_: Any, *kinds: Any) -> Any:
            if not all(isinstance(kind, types.IntegerLiteral) for kind in kinds[:literals]):
                return None
            known = [kind.literal_value for kind in kinds[:literals]]
            others = [kind if isinstance(kind, types.Array) else types.int64 for kind in kinds[literals:]]

            def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                given: list[Any] = []
                for kind, value in zip(signature.args[literals:], values[literals:], strict=True):
                    if isinstance(kind, types.Array):
                        value = Pointer(builder, context.make_array(kind)(context, builder, value).data)
                    given.append(value)
                emit(builder, *known, *given)
                return context.get_dummy_value()

            return types.void(*kinds[:literals], *others), code

        typed.__name__ = typed.__qualname__ = emit.__name__
        # Numba matches arguments to named parameters; the code builder takes the place of the typing context.
        typed.__signature__ = inspect.signature(emit)  # type: ignore[attr-defined]
        return intrinsic(prefer_literal=True)(typed)

    return decorate


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call; cache the result on disk if a cache directory is writable."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        return njit(**options)(function)
