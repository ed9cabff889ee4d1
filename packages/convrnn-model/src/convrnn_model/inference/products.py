"""Compiled products of the spectra of tiles with the spectrum of a kernel: one matrix product per point.

A register block of rows times columns is summed over all channels, in their order, before it is written. Each sum
therefore has the same bits whatever the number of rows, columns or threads.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from convrnn_model.inference.vectors import INT, Pointer, Vector, compiled, emits, fused_multiply_add, zeros

ROWS_AT_ONCE = 48
"""Rows whose channels stay in the nearest caches while all columns pass."""


def _summed(
    b: Any, rows: int, vectors: int, lanes: int, left: Pointer, stride: Any, right: Pointer, depth: Any
) -> list[list[Vector]]:
    """Emit a loop over channels; returns the sums by row and vector of columns."""
    before = b.block
    loop, after = b.append_basic_block("channels"), b.append_basic_block("summed")
    starts = [left.at(b.mul(stride, INT(row))) for row in range(rows)]
    b.branch(loop)
    b.position_at_end(loop)
    channel = b.phi(INT)
    channel.add_incoming(INT(0), before)
    zero = zeros(b, lanes)
    sums = [[b.phi(zero.value.type) for _ in range(vectors)] for _ in range(rows)]
    columns = right.at(b.mul(channel, INT(vectors * lanes)))
    factors = [columns.at(i * lanes).load(lanes) for i in range(vectors)]
    updated = []
    for start, row in zip(starts, sums, strict=True):
        factor = start.at(channel).broadcast(lanes)
        updated.append(
            [fused_multiply_add(factor, f, Vector(b, s)) for f, s in zip(factors, row, strict=True)]
        )
    following = b.add(channel, INT(1))
    channel.add_incoming(following, loop)
    for row, new in zip(sums, updated, strict=True):
        for phi, vector in zip(row, new, strict=True):
            phi.add_incoming(zero.value, before)
            phi.add_incoming(vector.value, loop)
    b.cbranch(b.icmp_signed("<", following, depth), loop, after)
    b.position_at_end(after)
    return updated


def _store(b: Any, lanes: int, out: Pointer, stride: Any, values: list[list[Vector]]) -> None:
    for row, vectors in enumerate(values):
        for i, vector in enumerate(vectors):
            out.at(b.mul(stride, INT(row))).at(i * lanes).store(vector)


@emits(3)
def real_block(b, rows, vectors, lanes, left, left_stride, right, depth, out, out_stride):
    """Multiply (rows, depth) by (depth, vectors x lanes)."""
    sums = _summed(b, rows, vectors, lanes, left, left_stride, right, depth)
    _store(b, lanes, out, out_stride, sums)


@emits(3)
def complex_block(
    b, rows, vectors, lanes, re, im, left_stride, both, right_re, right_im, right_both, depth,
    out_re, out_im, out_stride,
):  # fmt: skip
    """Multiply complex matrices by three real products (Karatsuba); `both` are sums of real and imaginary part."""
    p = _summed(b, rows, vectors, lanes, re, left_stride, right_re, depth)
    q = _summed(b, rows, vectors, lanes, im, left_stride, right_im, depth)
    pairs = [list(zip(x, y, strict=True)) for x, y in zip(p, q, strict=True)]
    _store(b, lanes, out_re, out_stride, [[x - y for x, y in row] for row in pairs])
    r = _summed(b, rows, vectors, lanes, both, depth, right_both, depth)
    imaginary = [
        [s - (x + y) for s, (x, y) in zip(sums, row, strict=True)] for sums, row in zip(r, pairs, strict=True)
    ]
    _store(b, lanes, out_im, out_stride, imaginary)


@emits(1)
def add(b, lanes, first, second, out):
    """Write the sum of two vectors."""
    out.store(first.load(lanes) + second.load(lanes))


@lru_cache
def real_products(rows: int, vectors: int, lanes: int) -> Callable[..., None]:
    """Return a function that multiplies, for each point, (tiles, channels) by (channels, filters).

    Its arguments:

    - left (tiles, points, channels), right (points, panels, all channels, columns), out (tiles, points, filters),
      flattened; a panel has vectors x lanes columns;
    - tiles, points, channels, of `all_channels` of the kernel, panels;
    - first and last point, panel and tile of the part to compute.
    """
    columns, half = vectors * lanes, rows // 2

    @compiled
    def multiply(
        left, right, out, points, channels, all_channels, panels, p_first, p_last, q_first, q_last, t_first, t_last
    ):  # fmt: skip
        filters = panels * columns
        left_stride, out_stride = points * channels, points * filters
        for p in range(p_first, p_last):
            for block in range(t_first, t_last, ROWS_AT_ONCE):
                end = min(t_last, block + ROWS_AT_ONCE)
                for q in range(q_first, q_last):
                    b = right[(p * panels + q) * all_channels * columns :]
                    t = block
                    while t < end:
                        a = left[t * left_stride + p * channels :]
                        c = out[t * out_stride + p * filters + q * columns :]
                        if end - t >= rows:
                            real_block(rows, vectors, lanes, a, left_stride, b, channels, c, out_stride)
                            t += rows
                        elif end - t >= half:
                            real_block(half, vectors, lanes, a, left_stride, b, channels, c, out_stride)
                            t += half
                        else:
                            real_block(1, vectors, lanes, a, left_stride, b, channels, c, out_stride)
                            t += 1

    return multiply


@lru_cache
def complex_products(rows: int, vectors: int, lanes: int) -> Callable[..., None]:
    """Return the function of `real_products` for complex numbers.

    Arrays have an axis of real and imaginary part after that of points.
    """
    columns, half = vectors * lanes, rows // 2

    @compiled
    def multiply(
        left, right, out, points, channels, all_channels, panels, p_first, p_last, q_first, q_last, t_first, t_last
    ):  # fmt: skip
        filters = panels * columns
        left_stride, out_stride = 2 * points * channels, 2 * points * filters
        both = np.empty((t_last - t_first) * channels, np.float32)
        right_both = np.empty((q_last - q_first) * channels * columns, np.float32)
        for p in range(p_first, p_last):
            for t in range(t_first, t_last):
                a = left[t * left_stride + 2 * p * channels :]
                for c in range(0, channels, lanes):
                    add(lanes, a[c:], a[channels + c :], both[(t - t_first) * channels + c :])
            for q in range(q_first, q_last):
                re = right[(2 * p * panels + q) * all_channels * columns :]
                im = re[panels * all_channels * columns :]
                for i in range(0, channels * columns, lanes):
                    add(lanes, re[i:], im[i:], right_both[(q - q_first) * channels * columns + i :])
            for block in range(t_first, t_last, ROWS_AT_ONCE):
                end = min(t_last, block + ROWS_AT_ONCE)
                for q in range(q_first, q_last):
                    re = right[(2 * p * panels + q) * all_channels * columns :]
                    im = re[panels * all_channels * columns :]
                    sums = right_both[(q - q_first) * channels * columns :]
                    t = block
                    while t < end:
                        a = left[t * left_stride + 2 * p * channels :]
                        s = both[(t - t_first) * channels :]
                        c = out[t * out_stride + 2 * p * filters + q * columns :]
                        if end - t >= rows:
                            complex_block(
                                rows, vectors, lanes, a, a[channels:], left_stride, s, re, im, sums, channels,
                                c, c[filters:], out_stride,
                            )  # fmt: skip
                            t += rows
                        elif end - t >= half:
                            complex_block(
                                half, vectors, lanes, a, a[channels:], left_stride, s, re, im, sums, channels,
                                c, c[filters:], out_stride,
                            )  # fmt: skip
                            t += half
                        else:
                            complex_block(
                                1, vectors, lanes, a, a[channels:], left_stride, s, re, im, sums, channels,
                                c, c[filters:], out_stride,
                            )  # fmt: skip
                            t += 1

    return multiply
