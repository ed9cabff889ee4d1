"""Fourier transforms of tiles, compiled: a tile goes all the way while it lies in the processor's cache.

Two real signals are the real and the imaginary part of one complex signal, whose transform Z gives both: with Z* the
conjugate at the opposite frequency, that of the first is (Z + Z*) / 2, of the second (Z - Z*) / 2i. Here channel c is
paired with channel c + half, so that nothing is moved, and every loop runs over neighbouring channels.

A transform of n points is two stages (Cooley and Tukey 1965, in the self-sorting order of Stockham): n / last
butterflies of radix `first`, with twiddle factors, then n / first of radix `last`. The inverse transform is
the same with real and imaginary part exchanged.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from convrnn_model.compiling import (
    LINE,
    compiled,
    greatest,
    inlined,
    normalised_relu,
    prefetch,
    prefetch_to_write,
)

RADICES = {20: (4, 5), 24: (3, 8), 32: (4, 8), 36: (4, 9), 40: (5, 8)}
"""The transform's points -> the radices of its two stages."""

# A tile's spectrum lies in as many places far apart as it has frequencies; no processor foresees where the next one
# is. So many frequencies ahead it is told.
AHEAD = 2

HALF = np.float32(0.5)
ROOT_HALF = np.float32(0.5**0.5)
COS_3, SIN_3 = np.float32(-0.5), np.float32(0.75**0.5)
COS_5, SIN_5 = np.cos(2 * np.pi / 5).astype("f"), np.sin(2 * np.pi / 5).astype("f")
COS_5_2, SIN_5_2 = np.cos(4 * np.pi / 5).astype("f"), np.sin(4 * np.pi / 5).astype("f")
COS_9, SIN_9 = np.cos(2 * np.pi / 9).astype("f"), np.sin(2 * np.pi / 9).astype("f")
COS_9_2, SIN_9_2 = np.cos(4 * np.pi / 9).astype("f"), np.sin(4 * np.pi / 9).astype("f")
COS_9_4, SIN_9_4 = np.cos(8 * np.pi / 9).astype("f"), np.sin(8 * np.pi / 9).astype("f")


@inlined
def _of_3(ar, ai, br, bi, cr, ci):
    sr, si, dr, di = br + cr, bi + ci, (br - cr) * SIN_3, (bi - ci) * SIN_3
    mr, mi = ar + COS_3 * sr, ai + COS_3 * si
    return ar + sr, ai + si, mr + di, mi - dr, mr - di, mi + dr


@inlined
def _of_4(ar, ai, br, bi, cr, ci, dr, di):
    er, ei, fr, fi = ar + cr, ai + ci, ar - cr, ai - ci
    gr, gi, hr, hi = br + dr, bi + di, br - dr, bi - di
    return er + gr, ei + gi, fr + hi, fi - hr, er - gr, ei - gi, fr - hi, fi + hr


@inlined
def _of_5(ar, ai, br, bi, cr, ci, dr, di, er, ei):
    pr, pi, mr, mi = br + er, bi + ei, br - er, bi - ei
    qr, qi, nr, ni = cr + dr, ci + di, cr - dr, ci - di
    ur, ui = ar + COS_5 * pr + COS_5_2 * qr, ai + COS_5 * pi + COS_5_2 * qi
    vr, vi = ar + COS_5_2 * pr + COS_5 * qr, ai + COS_5_2 * pi + COS_5 * qi
    sr, si = SIN_5 * mr + SIN_5_2 * nr, SIN_5 * mi + SIN_5_2 * ni
    tr, ti = SIN_5_2 * mr - SIN_5 * nr, SIN_5_2 * mi - SIN_5 * ni
    return ar + pr + qr, ai + pi + qi, ur + si, ui - sr, vr + ti, vi - tr, vr - ti, vi + tr, ur - si, ui + sr


@inlined
def _turned(r, i, cosine, sine):
    """A complex number times cosine - i sine."""
    return r * cosine + i * sine, i * cosine - r * sine


@inlined
def _first_3(xr, xi, yr, yi, m, x_row, y_row, width, twiddles):
    for p in range(m):
        c1, s1, c2, s2 = twiddles[p, 1, 0], twiddles[p, 1, 1], twiddles[p, 2, 0], twiddles[p, 2, 1]
        x0, x1, x2 = p * x_row, (p + m) * x_row, (p + 2 * m) * x_row
        y0 = 3 * p * y_row
        y1, y2 = y0 + y_row, y0 + 2 * y_row
        for v in range(width):
            ar, ai, br, bi, cr, ci = _of_3(
                xr[x0 + v], xi[x0 + v], xr[x1 + v], xi[x1 + v], xr[x2 + v], xi[x2 + v]
            )
            yr[y0 + v], yi[y0 + v] = ar, ai
            yr[y1 + v], yi[y1 + v] = _turned(br, bi, c1, s1)
            yr[y2 + v], yi[y2 + v] = _turned(cr, ci, c2, s2)


@inlined
def _first_4(xr, xi, yr, yi, m, x_row, y_row, width, twiddles):
    for p in range(m):
        c1, s1, c2, s2 = twiddles[p, 1, 0], twiddles[p, 1, 1], twiddles[p, 2, 0], twiddles[p, 2, 1]
        c3, s3 = twiddles[p, 3, 0], twiddles[p, 3, 1]
        x0, x1, x2, x3 = p * x_row, (p + m) * x_row, (p + 2 * m) * x_row, (p + 3 * m) * x_row
        y0 = 4 * p * y_row
        y1, y2, y3 = y0 + y_row, y0 + 2 * y_row, y0 + 3 * y_row
        for v in range(width):
            ar, ai, br, bi, cr, ci, dr, di = _of_4(
                xr[x0 + v], xi[x0 + v], xr[x1 + v], xi[x1 + v], xr[x2 + v], xi[x2 + v], xr[x3 + v], xi[x3 + v]
            )
            yr[y0 + v], yi[y0 + v] = ar, ai
            yr[y1 + v], yi[y1 + v] = _turned(br, bi, c1, s1)
            yr[y2 + v], yi[y2 + v] = _turned(cr, ci, c2, s2)
            yr[y3 + v], yi[y3 + v] = _turned(dr, di, c3, s3)


@inlined
def _first_5(xr, xi, yr, yi, m, x_row, y_row, width, twiddles):
    for p in range(m):
        c1, s1, c2, s2 = twiddles[p, 1, 0], twiddles[p, 1, 1], twiddles[p, 2, 0], twiddles[p, 2, 1]
        c3, s3, c4, s4 = twiddles[p, 3, 0], twiddles[p, 3, 1], twiddles[p, 4, 0], twiddles[p, 4, 1]
        x0, x1, x2 = p * x_row, (p + m) * x_row, (p + 2 * m) * x_row
        x3, x4 = (p + 3 * m) * x_row, (p + 4 * m) * x_row
        y0 = 5 * p * y_row
        y1, y2, y3, y4 = y0 + y_row, y0 + 2 * y_row, y0 + 3 * y_row, y0 + 4 * y_row
        for v in range(width):
            ar, ai, br, bi, cr, ci, dr, di, er, ei = _of_5(
                xr[x0 + v], xi[x0 + v], xr[x1 + v], xi[x1 + v], xr[x2 + v], xi[x2 + v],
                xr[x3 + v], xi[x3 + v], xr[x4 + v], xi[x4 + v],
            )  # fmt: skip
            yr[y0 + v], yi[y0 + v] = ar, ai
            yr[y1 + v], yi[y1 + v] = _turned(br, bi, c1, s1)
            yr[y2 + v], yi[y2 + v] = _turned(cr, ci, c2, s2)
            yr[y3 + v], yi[y3 + v] = _turned(dr, di, c3, s3)
            yr[y4 + v], yi[y4 + v] = _turned(er, ei, c4, s4)


@inlined
def _last_5(xr, xi, yr, yi, m, x_row, y_row, width):
    x, y = m * x_row, m * y_row
    for q in range(m):
        x0, y0 = q * x_row, q * y_row
        x1, x2, x3, x4 = x0 + x, x0 + 2 * x, x0 + 3 * x, x0 + 4 * x
        y1, y2, y3, y4 = y0 + y, y0 + 2 * y, y0 + 3 * y, y0 + 4 * y
        for v in range(width):
            ar, ai, br, bi, cr, ci, dr, di, er, ei = _of_5(
                xr[x0 + v], xi[x0 + v], xr[x1 + v], xi[x1 + v], xr[x2 + v], xi[x2 + v],
                xr[x3 + v], xi[x3 + v], xr[x4 + v], xi[x4 + v],
            )  # fmt: skip
            yr[y0 + v], yi[y0 + v], yr[y1 + v], yi[y1 + v], yr[y2 + v], yi[y2 + v] = ar, ai, br, bi, cr, ci
            yr[y3 + v], yi[y3 + v], yr[y4 + v], yi[y4 + v] = dr, di, er, ei


@inlined
def _last_8(xr, xi, yr, yi, m, x_row, y_row, width):
    x, y = m * x_row, m * y_row
    for q in range(m):
        x0, y0 = q * x_row, q * y_row
        x1, x2, x3, x4, x5, x6, x7 = (
            x0 + x,
            x0 + 2 * x,
            x0 + 3 * x,
            x0 + 4 * x,
            x0 + 5 * x,
            x0 + 6 * x,
            x0 + 7 * x,
        )
        y1, y2, y3, y4, y5, y6, y7 = (
            y0 + y,
            y0 + 2 * y,
            y0 + 3 * y,
            y0 + 4 * y,
            y0 + 5 * y,
            y0 + 6 * y,
            y0 + 7 * y,
        )
        for v in range(width):
            ar, ai, br, bi, cr, ci, dr, di = _of_4(
                xr[x0 + v], xi[x0 + v], xr[x2 + v], xi[x2 + v], xr[x4 + v], xi[x4 + v], xr[x6 + v], xi[x6 + v]
            )
            er, ei, fr, fi, gr, gi, hr, hi = _of_4(
                xr[x1 + v], xi[x1 + v], xr[x3 + v], xi[x3 + v], xr[x5 + v], xi[x5 + v], xr[x7 + v], xi[x7 + v]
            )
            fr, fi = (fr + fi) * ROOT_HALF, (fi - fr) * ROOT_HALF
            gr, gi = gi, -gr
            hr, hi = (hi - hr) * ROOT_HALF, (hr + hi) * -ROOT_HALF
            yr[y0 + v], yi[y0 + v], yr[y4 + v], yi[y4 + v] = ar + er, ai + ei, ar - er, ai - ei
            yr[y1 + v], yi[y1 + v], yr[y5 + v], yi[y5 + v] = br + fr, bi + fi, br - fr, bi - fi
            yr[y2 + v], yi[y2 + v], yr[y6 + v], yi[y6 + v] = cr + gr, ci + gi, cr - gr, ci - gi
            yr[y3 + v], yi[y3 + v], yr[y7 + v], yi[y7 + v] = dr + hr, di + hi, dr - hr, di - hi


@inlined
def _last_9(xr, xi, yr, yi, m, x_row, y_row, width):
    x, y = m * x_row, m * y_row
    for q in range(m):
        x0, y0 = q * x_row, q * y_row
        x1, x2, x3, x4 = x0 + x, x0 + 2 * x, x0 + 3 * x, x0 + 4 * x
        x5, x6, x7, x8 = x0 + 5 * x, x0 + 6 * x, x0 + 7 * x, x0 + 8 * x
        y1, y2, y3, y4 = y0 + y, y0 + 2 * y, y0 + 3 * y, y0 + 4 * y
        y5, y6, y7, y8 = y0 + 5 * y, y0 + 6 * y, y0 + 7 * y, y0 + 8 * y
        for v in range(width):
            ar, ai, br, bi, cr, ci = _of_3(
                xr[x0 + v], xi[x0 + v], xr[x3 + v], xi[x3 + v], xr[x6 + v], xi[x6 + v]
            )
            dr, di, er, ei, fr, fi = _of_3(
                xr[x1 + v], xi[x1 + v], xr[x4 + v], xi[x4 + v], xr[x7 + v], xi[x7 + v]
            )
            gr, gi, hr, hi, ir, ii = _of_3(
                xr[x2 + v], xi[x2 + v], xr[x5 + v], xi[x5 + v], xr[x8 + v], xi[x8 + v]
            )
            er, ei = _turned(er, ei, COS_9, SIN_9)
            fr, fi = _turned(fr, fi, COS_9_2, SIN_9_2)
            hr, hi = _turned(hr, hi, COS_9_2, SIN_9_2)
            ir, ii = _turned(ir, ii, COS_9_4, SIN_9_4)
            (yr[y0 + v], yi[y0 + v], yr[y3 + v], yi[y3 + v], yr[y6 + v], yi[y6 + v]) = _of_3(
                ar, ai, dr, di, gr, gi
            )
            (yr[y1 + v], yi[y1 + v], yr[y4 + v], yi[y4 + v], yr[y7 + v], yi[y7 + v]) = _of_3(
                br, bi, er, ei, hr, hi
            )
            (yr[y2 + v], yi[y2 + v], yr[y5 + v], yi[y5 + v], yr[y8 + v], yi[y8 + v]) = _of_3(
                cr, ci, fr, fi, ir, ii
            )


@lru_cache
def twiddle_factors(points: int) -> np.ndarray:
    """Cosine and sine by which the first stage's outputs are turned, (butterflies, first, 2)."""
    first, last = RADICES[points]
    angle = 2 * np.pi * np.outer(np.arange(last), np.arange(first)) / points
    return np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)


@inlined
def _transform(xr, xi, sr, si, first, last, row, width, twiddles):
    """`width` neighbouring signals, whose points lie `row` numbers apart, in place, by way of a small store."""
    if first == 3:
        _first_3(xr, xi, sr, si, last, row, width, width, twiddles)
    elif first == 4:
        _first_4(xr, xi, sr, si, last, row, width, width, twiddles)
    else:
        _first_5(xr, xi, sr, si, last, row, width, width, twiddles)
    if last == 5:
        _last_5(sr, si, xr, xi, first, width, row, width)
    elif last == 8:
        _last_8(sr, si, xr, xi, first, width, row, width)
    else:
        _last_9(sr, si, xr, xi, first, width, row, width)


@inlined
def _cut(images, image, top, left, n, half, real, imaginary):
    """A tile of an image, zeros around it; its channels' halves are real and imaginary part."""
    for y in range(n):
        from_y = top + y
        for x in range(n):
            from_x = left + x
            to = (y * n + x) * half
            if 0 <= from_y < images.shape[1] and 0 <= from_x < images.shape[2]:
                for c in range(half):
                    real[to + c] = images[image, from_y, from_x, c]
                    imaginary[to + c] = images[image, from_y, from_x, half + c]
            else:
                for c in range(half):
                    real[to + c] = 0
                    imaginary[to + c] = 0


@inlined
def _ahead(y, x, n):
    """The frequency after the next."""
    return min(y + (x + AHEAD) // n, n // 2), (x + AHEAD) % n


@inlined
def _opposite(y, x, n):
    return (n - y) % n * n + (n - x) % n


@inlined
def _separate(real, imaginary, n, half, spectrum, tile, at):
    """The transform of two signals in one to those of both: real part, imaginary part and their sum."""
    for y in range(n // 2 + 1):
        for x in range(n):
            y_next, x_next = _ahead(y, x, n)
            for part in range(3):
                for c in range(at, at + 2 * half, LINE):
                    prefetch_to_write(spectrum, (y_next, x_next, part, tile, c))
            here, there = (y * n + x) * half, _opposite(y, x, n) * half
            for c in range(half):
                zr, zi, wr, wi = real[here + c], imaginary[here + c], real[there + c], imaginary[there + c]
                ar, ai, br, bi = (zr + wr) * HALF, (zi - wi) * HALF, (zi + wi) * HALF, (wr - zr) * HALF
                spectrum[y, x, 0, tile, at + c] = ar
                spectrum[y, x, 1, tile, at + c] = ai
                spectrum[y, x, 2, tile, at + c] = ar + ai
                spectrum[y, x, 0, tile, at + half + c] = br
                spectrum[y, x, 1, tile, at + half + c] = bi
                spectrum[y, x, 2, tile, at + half + c] = br + bi


@inlined
def _unite(products, tile, n, half, real, imaginary):
    """`_separate`'s inverse, of products with a kernel's, and divided by the points."""
    share = np.float32(1 / n**2)
    for y in range(n // 2 + 1):
        for x in range(n):
            y_next, x_next = _ahead(y, x, n)
            for part in range(3):
                for c in range(0, 2 * half, LINE):
                    prefetch(products, (y_next, x_next, part, tile, c))
            here, there = (y * n + x) * half, _opposite(y, x, n) * half
            for c in range(half):
                p, q, s = products[y, x, 0, tile, c], products[y, x, 1, tile, c], products[y, x, 2, tile, c]
                ar, ai = (p - q) * share, (s - p - q) * share
                p, q = products[y, x, 0, tile, half + c], products[y, x, 1, tile, half + c]
                s = products[y, x, 2, tile, half + c]
                br, bi = (p - q) * share, (s - p - q) * share
                real[there + c], imaginary[there + c] = ar + bi, br - ai
                real[here + c], imaginary[here + c] = ar - bi, ai + br


@lru_cache
def forward(n: int, half: int) -> Callable[..., None]:
    """What transforms tiles of n x n px with 2 x half channels.

    The answer is a function of

    - images (batch, H, W, 2 half), float32;
    - spectrum (n // 2 + 1, n, 3, tiles, channels), where it writes real part, imaginary part and their sum;
    - at: the first channel that it writes;
    - begin, end: the tiles that it transforms, counted over batch, rows and columns;
    - rows, columns: tiles of an image; row_step, column_step: their distance, px; before: zeros in front, px;
    - twiddles: `twiddle_factors(n)`.
    """
    first, last = RADICES[n]
    pitch, wide = n * half, 4 * half

    @compiled
    def transform(images, spectrum, at, begin, end, rows, columns, row_step, column_step, before, twiddles):
        real, imaginary = np.empty(n * pitch, np.float32), np.empty(n * pitch, np.float32)
        sr, si = np.empty(n * wide, np.float32), np.empty(n * wide, np.float32)
        for tile in range(begin, end):
            image, row, column = tile // (rows * columns), tile // columns % rows, tile % columns
            top, left = row * row_step - before, column * column_step - before
            _cut(images, image, top, left, n, half, real, imaginary)
            for x in range(0, pitch, wide):
                _transform(real[x:], imaginary[x:], sr, si, first, last, pitch, wide, twiddles)
            for y in range(0, n * pitch, pitch):
                _transform(real[y:], imaginary[y:], sr, si, first, last, half, half, twiddles)
            _separate(real, imaginary, n, half, spectrum, tile, at)

    return transform


@lru_cache
def inverse(
    n: int, half: int, after: bool = False, adds: bool = False, pools: bool = False
) -> Callable[..., None]:
    """What transforms products back, and lays the tiles together; the last three as for `tiles.After`.

    The answer is a function of

    - products (n // 2 + 1, n, 3, tiles, 2 half), of what `forward` gives with that of a kernel;
    - scale, shift (2 half), which it reads after, and added (batch, H, W, 2 half), which it adds;
    - images (batch, H, W, 2 half), float32, which it writes, and smaller (batch, H // 2, W // 2, 2 half), likewise;
    - begin, end, rows, columns, row_step, column_step, twiddles: as for `forward`.
    """
    first, last = RADICES[n]
    pitch, wide = n * half, 4 * half

    @compiled
    def transform(
        products,
        scale,
        shift,
        added,
        images,
        smaller,
        begin,
        end,
        rows,
        columns,
        row_step,
        column_step,
        twiddles,
    ):
        height, breadth = images.shape[1], images.shape[2]
        real, imaginary = np.empty(n * pitch, np.float32), np.empty(n * pitch, np.float32)
        sr, si = np.empty(n * wide, np.float32), np.empty(n * wide, np.float32)
        for tile in range(begin, end):
            image, row, column = tile // (rows * columns), tile // columns % rows, tile % columns
            _unite(products, tile, n, half, real, imaginary)
            for x in range(0, pitch, wide):
                _transform(imaginary[x:], real[x:], si, sr, first, last, pitch, wide, twiddles)
            y_end, x_end = (
                min(row_step, height - row * row_step),
                min(column_step, breadth - column * column_step),
            )
            for y in range(y_end):
                start = y * pitch
                _transform(imaginary[start:], real[start:], si, sr, first, last, half, half, twiddles)
                for x in range(x_end):
                    here, to_y, to_x = start + x * half, row * row_step + y, column * column_step + x
                    for c in range(half):
                        a, b = real[here + c], imaginary[here + c]
                        if adds:
                            a, b = a + added[image, to_y, to_x, c], b + added[image, to_y, to_x, half + c]
                        if after:
                            a = normalised_relu(a, scale[c], shift[c])
                            b = normalised_relu(b, scale[half + c], shift[half + c])
                        images[image, to_y, to_x, c], images[image, to_y, to_x, half + c] = a, b
                if pools and y % 2:
                    to_y = row * row_step + y
                    for x in range(1, x_end, 2):
                        to_x = column * column_step + x
                        for c in range(2 * half):
                            smaller[image, to_y // 2, to_x // 2, c] = greatest(images, image, to_y, to_x, c)

    return transform
