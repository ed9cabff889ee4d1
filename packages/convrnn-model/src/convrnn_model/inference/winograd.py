"""Winograd's minimal filtering F(4 x 4, 3 x 3) along one axis (Lavin and Gray 2016).

A tile of 4 x 4 outputs takes 36 products instead of 144. The transforms evaluate polynomials (Toom and Cook), and their
points determine the rounding error in float32 (Barabasz et al. 2020). With 0, +-1/sqrt(2), +-sqrt(2) and infinity the
error is two thirds of that with the usual 0, +-1, +-2 and infinity.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

STEP, KERNEL = 4, 3
POINTS = STEP + KERNEL - 1
_ROOTS = (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))


@cache
def matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the transforms of a kernel, (6, 3), of a tile, (6, 6), and of products, (4, 6), in double precision.

    A product of polynomials is that of their values at each point, so V_n^-1 (V_m a * V_r g) is the full convolution
    of a and g, for V the points' Vandermonde matrix; its transpose in a is the correlation.
    """
    outputs, kernel, values = (_vandermonde(columns) for columns in (STEP, KERNEL, POINTS))
    tile, inverse = np.linalg.inv(values).T, outputs.T
    # Factors may move between the three matrices; equal norms lose least precision.
    norms = np.stack([np.linalg.norm(m, axis=1) for m in (kernel, tile)] + [np.linalg.norm(inverse, axis=0)])
    of_kernel, of_tile, of_products = np.prod(norms, 0) ** (1 / 3) / norms
    return kernel * of_kernel[:, None], tile * of_tile[:, None], inverse * of_products


def forward(values: Sequence[Any]) -> list[Any]:
    """Transform six inputs to six values at the points."""
    m = matrices()[1]
    transformed = [_combined(m[0], values, even=True)]
    # Points come in pairs of opposite sign, which share their sums over even and odd powers.
    for row in (1, 3):
        even, odd = _combined(m[row], values, even=True), _combined(m[row], values, even=False)
        transformed += [even + odd, even - odd]
    return [*transformed, _combined(m[5], values, even=False)]


def inverse(products: Sequence[Any]) -> list[Any]:
    """Transform six products to four outputs."""
    m = matrices()[2]
    a, b, c, d, e, f = products
    sums, differences = (b + c, d + e), (b - c, d - e)
    return [
        a * m[0, 0] + (sums[0] * m[0, 1] + sums[1] * m[0, 3]),
        differences[0] * m[1, 1] + differences[1] * m[1, 3],
        sums[0] * m[2, 1] + sums[1] * m[2, 3],
        f * m[3, 5] + (differences[0] * m[3, 1] + differences[1] * m[3, 3]),
    ]


def _combined(row: np.ndarray, values: Sequence[Any], *, even: bool) -> Any:
    """Sum the even or the odd powers of a row; the others are zero, or shared with the opposite point."""
    terms = [value * factor for factor, value in zip(row, values, strict=True)][0 if even else 1 :: 2]
    first, *others = [
        term for term, factor in zip(terms, row[0 if even else 1 :: 2], strict=True) if abs(factor) > 1e-9
    ]
    for term in others:
        first = first + term
    return first


def _vandermonde(columns: int) -> np.ndarray:
    """Return powers of each point, (points, columns); the row of infinity has only the highest power."""
    infinity = np.eye(columns)[-1:]
    return np.concatenate([np.vander(_ROOTS, columns, increasing=True), infinity])
