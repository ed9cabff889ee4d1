"""Compiled Fourier transforms of tiles, each computed completely within the processor's cache.

Two real signals form the real and imaginary part of one complex signal, whose transform Z gives both: with Z* the
conjugate at the opposite frequency, that of the first is (Z + Z*) / 2, of the second (Z - Z*) / 2i. Channel c is paired
with channel c + half, so data need not move, and inner loops run over adjacent channels.

A transform of n points has two stages (Cooley and Tukey 1965, in Stockham's self-sorting order): `last` butterflies of
radix `first`, with twiddle factors, then `first` butterflies of radix `last`. The inverse transform is the same with
real and imaginary part exchanged.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from convrnn_model.compiling import (
    LINE,
    compiled,
    inlined,
    max_of_2x2,
    normalised_relu,
    prefetch,
    prefetch_to_write,
)

RADICES = {20: (4, 5), 24: (3, 8), 32: (4, 8), 36: (4, 9), 40: (5, 8)}
"""Points of a transform -> radices of its two stages."""

# In frequencies. The frequencies of a tile are far apart in memory, beyond what hardware prefetchers predict.
PREFETCH_DISTANCE = 2

HALF = np.float32(0.5)
ROOT_HALF = np.float32(0.5**0.5)
COS_3, SIN_3 = np.float32(-0.5), np.float32(0.75**0.5)
COS_5, SIN_5 = np.cos(2 * np.pi / 5).astype("f"), np.sin(2 * np.pi / 5).astype("f")
COS_5_2, SIN_5_2 = np.cos(4 * np.pi / 5).astype("f"), np.sin(4 * np.pi / 5).astype("f")
COS_9, SIN_9 = np.cos(2 * np.pi / 9).astype("f"), np.sin(2 * np.pi / 9).astype("f")
COS_9_2, SIN_9_2 = np.cos(4 * np.pi / 9).astype("f"), np.sin(4 * np.pi / 9).astype("f")
COS_9_4, SIN_9_4 = np.cos(8 * np.pi / 9).astype("f"), np.sin(8 * np.pi / 9).astype("f")


@inlined
def _dft_3(ar, ai, br, bi, cr, ci):
    sr, si, dr, di = br + cr, bi + ci, (br - cr) * SIN_3, (bi - ci) * SIN_3
    mr, mi = ar + COS_3 * sr, ai + COS_3 * si
    return ar + sr, ai + si, mr + di, mi - dr, mr - di, mi + dr


@inlined
def _dft_4(ar, ai, br, bi, cr, ci, dr, di):
    er, ei, fr, fi = ar + cr, ai + ci, ar - cr, ai - ci
    gr, gi, hr, hi = br + dr, bi + di, br - dr, bi - di
    return er + gr, ei + gi, fr + hi, fi - hr, er - gr, ei - gi, fr - hi, fi + hr


@inlined
def _dft_5(ar, ai, br, bi, cr, ci, dr, di, er, ei):
    pr, pi, mr, mi = br + er, bi + ei, br - er, bi - ei
    qr, qi, nr, ni = cr + dr, ci + di, cr - dr, ci - di
    ur, ui = ar + COS_5 * pr + COS_5_2 * qr, ai + COS_5 * pi + COS_5_2 * qi
    vr, vi = ar + COS_5_2 * pr + COS_5 * qr, ai + COS_5_2 * pi + COS_5 * qi
    sr, si = SIN_5 * mr + SIN_5_2 * nr, SIN_5 * mi + SIN_5_2 * ni
    tr, ti = SIN_5_2 * mr - SIN_5 * nr, SIN_5_2 * mi - SIN_5 * ni
    return ar + pr + qr, ai + pi + qi, ur + si, ui - sr, vr + ti, vi - tr, vr - ti, vi + tr, ur - si, ui + sr


@inlined
def _rotated(r, i, cosine, sine):
    """Multiply a complex number by cosine - i sine."""
    return r * cosine + i * sine, i * cosine - r * sine


@inlined
def _first_stage_3(xr, xi, yr, yi, m, x_row, y_row, width, twiddles):
    for p in range(m):
        c1, s1, c2, s2 = twiddles[p, 1, 0], twiddles[p, 1, 1], twiddles[p, 2, 0], twiddles[p, 2, 1]
        x0, x1, x2 = p * x_row, (p + m) * x_row, (p + 2 * m) * x_row
        y0 = 3 * p * y_row
        y1, y2 = y0 + y_row, y0 + 2 * y_row
        for v in range(width):
            ar, ai, br, bi, cr, ci = _dft_3(
                xr[x0 + v], xi[x0 + v], xr[x1 + v], xi[x1 + v], xr[x2 + v], xi[x2 + v]
            )
            yr[y0 + v], yi[y0 + v] = ar, ai
            yr[y1 + v], yi[y1 + v] = _rotated(br, bi, c1, s1)
            yr[y2 + v], yi[y2 + v] = _rotated(cr, ci, c2, s2)


@inlined
def _first_stage_4(xr, xi, yr, yi, m, x_row, y_row, width, twiddles):
    for p in range(m):
        c1, s1, c2, s2 = twiddles[p, 1, 0], twiddles[p, 1, 1], twiddles[p, 2, 0], twiddles[p, 2, 1]
        c3, s3 = twiddles[p, 3, 0], twiddles[p, 3, 1]
        x0, x1, x2, x3 = p * x_row, (p + m) * x_row, (p + 2 * m) * x_row, (p + 3 * m) * x_row
        y0 = 4 * p * y_row
        y1, y2, y3 = y0 + y_row, y0 + 2 * y_row, y0 + 3 * y_row
        for v in range(width):
            ar, ai, br, bi, cr, ci, dr, di = _dft_4(
                xr[x0 + v], xi[x0 + v], xr[x1 + v], xi[x1 + v], xr[x2 + v], xi[x2 + v], xr[x3 + v], xi[x3 + v]
            )
            yr[y0 + v], yi[y0 + v] = ar, ai
            yr[y1 + v], yi[y1 + v] = _rotated(br, bi, c1, s1)
            yr[y2 + v], yi[y2 + v] = _rotated(cr, ci, c2, s2)
            yr[y3 + v], yi[y3 + v] = _rotated(dr, di, c3, s3)


@inlined
def _first_stage_5(xr, xi, yr, yi, m, x_row, y_row, width, twiddles):
    for p in range(m):
        c1, s1, c2, s2 = twiddles[p, 1, 0], twiddles[p, 1, 1], twiddles[p, 2, 0], twiddles[p, 2, 1]
        c3, s3, c4, s4 = twiddles[p, 3, 0], twiddles[p, 3, 1], twiddles[p, 4, 0], twiddles[p, 4, 1]
        x0, x1, x2 = p * x_row, (p + m) * x_row, (p + 2 * m) * x_row
        x3, x4 = (p + 3 * m) * x_row, (p + 4 * m) * x_row
        y0 = 5 * p * y_row
        y1, y2, y3, y4 = y0 + y_row, y0 + 2 * y_row, y0 + 3 * y_row, y0 + 4 * y_row
        for v in range(width):
            ar, ai, br, bi, cr, ci, dr, di, er, ei = _dft_5(
                xr[x0 + v], xi[x0 + v], xr[x1 + v], xi[x1 + v], xr[x2 + v], xi[x2 + v],
                xr[x3 + v], xi[x3 + v], xr[x4 + v], xi[x4 + v],
            )  # fmt: skip
            yr[y0 + v], yi[y0 + v] = ar, ai
            yr[y1 + v], yi[y1 + v] = _rotated(br, bi, c1, s1)
            yr[y2 + v], yi[y2 + v] = _rotated(cr, ci, c2, s2)
            yr[y3 + v], yi[y3 + v] = _rotated(dr, di, c3, s3)
            yr[y4 + v], yi[y4 + v] = _rotated(er, ei, c4, s4)


@inlined
def _last_stage_5(xr, xi, yr, yi, m, x_row, y_row, width):
    x, y = m * x_row, m * y_row
    for q in range(m):
        x0, y0 = q * x_row, q * y_row
        x1, x2, x3, x4 = x0 + x, x0 + 2 * x, x0 + 3 * x, x0 + 4 * x
        y1, y2, y3, y4 = y0 + y, y0 + 2 * y, y0 + 3 * y, y0 + 4 * y
        for v in range(width):
            ar, ai, br, bi, cr, ci, dr, di, er, ei = _dft_5(
                xr[x0 + v], xi[x0 + v], xr[x1 + v], xi[x1 + v], xr[x2 + v], xi[x2 + v],
                xr[x3 + v], xi[x3 + v], xr[x4 + v], xi[x4 + v],
            )  # fmt: skip
            yr[y0 + v], yi[y0 + v], yr[y1 + v], yi[y1 + v], yr[y2 + v], yi[y2 + v] = ar, ai, br, bi, cr, ci
            yr[y3 + v], yi[y3 + v], yr[y4 + v], yi[y4 + v] = dr, di, er, ei


@inlined
def _last_stage_8(xr, xi, yr, yi, m, x_row, y_row, width):
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
            ar, ai, br, bi, cr, ci, dr, di = _dft_4(
                xr[x0 + v], xi[x0 + v], xr[x2 + v], xi[x2 + v], xr[x4 + v], xi[x4 + v], xr[x6 + v], xi[x6 + v]
            )
            er, ei, fr, fi, gr, gi, hr, hi = _dft_4(
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
def _last_stage_9(xr, xi, yr, yi, m, x_row, y_row, width):
    x, y = m * x_row, m * y_row
    for q in range(m):
        x0, y0 = q * x_row, q * y_row
        x1, x2, x3, x4 = x0 + x, x0 + 2 * x, x0 + 3 * x, x0 + 4 * x
        x5, x6, x7, x8 = x0 + 5 * x, x0 + 6 * x, x0 + 7 * x, x0 + 8 * x
        y1, y2, y3, y4 = y0 + y, y0 + 2 * y, y0 + 3 * y, y0 + 4 * y
        y5, y6, y7, y8 = y0 + 5 * y, y0 + 6 * y, y0 + 7 * y, y0 + 8 * y
        for v in range(width):
            ar, ai, br, bi, cr, ci = _dft_3(
                xr[x0 + v], xi[x0 + v], xr[x3 + v], xi[x3 + v], xr[x6 + v], xi[x6 + v]
            )
            dr, di, er, ei, fr, fi = _dft_3(
                xr[x1 + v], xi[x1 + v], xr[x4 + v], xi[x4 + v], xr[x7 + v], xi[x7 + v]
            )
            gr, gi, hr, hi, ir, ii = _dft_3(
                xr[x2 + v], xi[x2 + v], xr[x5 + v], xi[x5 + v], xr[x8 + v], xi[x8 + v]
            )
            er, ei = _rotated(er, ei, COS_9, SIN_9)
            fr, fi = _rotated(fr, fi, COS_9_2, SIN_9_2)
            hr, hi = _rotated(hr, hi, COS_9_2, SIN_9_2)
            ir, ii = _rotated(ir, ii, COS_9_4, SIN_9_4)
            (yr[y0 + v], yi[y0 + v], yr[y3 + v], yi[y3 + v], yr[y6 + v], yi[y6 + v]) = _dft_3(
                ar, ai, dr, di, gr, gi
            )
            (yr[y1 + v], yi[y1 + v], yr[y4 + v], yi[y4 + v], yr[y7 + v], yi[y7 + v]) = _dft_3(
                br, bi, er, ei, hr, hi
            )
            (yr[y2 + v], yi[y2 + v], yr[y5 + v], yi[y5 + v], yr[y8 + v], yi[y8 + v]) = _dft_3(
                cr, ci, fr, fi, ir, ii
            )


@lru_cache
def twiddle_factors(points: int) -> np.ndarray:
    """Return the twiddle factors of the first stage as cosine and sine, (butterflies, first, 2)."""
    first, last = RADICES[points]
    angle = 2 * np.pi * np.outer(np.arange(last), np.arange(first)) / points
    return np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)


@inlined
def _transform(xr, xi, sr, si, first, last, row, width, twiddles):
    """Transform `width` adjacent signals in place, with stride `row` between points; sr and si are scratch buffers."""
    if first == 3:
        _first_stage_3(xr, xi, sr, si, last, row, width, width, twiddles)
    elif first == 4:
        _first_stage_4(xr, xi, sr, si, last, row, width, width, twiddles)
    else:
        _first_stage_5(xr, xi, sr, si, last, row, width, width, twiddles)
    if last == 5:
        _last_stage_5(sr, si, xr, xi, first, width, row, width)
    elif last == 8:
        _last_stage_8(sr, si, xr, xi, first, width, row, width)
    else:
        _last_stage_9(sr, si, xr, xi, first, width, row, width)


@inlined
def _cut(images, image, top, left, n, half, real, imaginary):
    """Cut a zero-padded tile; the first half of the channels is the real part, the second the imaginary part."""
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
def _prefetched(y, x, n):
    """Return the frequency to prefetch."""
    return min(y + (x + PREFETCH_DISTANCE) // n, n // 2), (x + PREFETCH_DISTANCE) % n


@inlined
def _opposite(y, x, n):
    return (n - y) % n * n + (n - x) % n


@inlined
def _separate(real, imaginary, n, half, spectrum, tile, at):
    """Split the transform of paired signals: real part, imaginary part and their sum for each."""
    for y in range(n // 2 + 1):
        for x in range(n):
            y_next, x_next = _prefetched(y, x, n)
            for part in range(3):
                for c in range(at, at + 2 * half, LINE):
                    prefetch_to_write(spectrum, (y_next, x_next, part, tile, c))
            here, opposite = (y * n + x) * half, _opposite(y, x, n) * half
            for c in range(half):
                zr, zi, wr, wi = (
                    real[here + c],
                    imaginary[here + c],
                    real[opposite + c],
                    imaginary[opposite + c],
                )
                ar, ai, br, bi = (zr + wr) * HALF, (zi - wi) * HALF, (zi + wi) * HALF, (wr - zr) * HALF
                spectrum[y, x, 0, tile, at + c] = ar
                spectrum[y, x, 1, tile, at + c] = ai
                spectrum[y, x, 2, tile, at + c] = ar + ai
                spectrum[y, x, 0, tile, at + half + c] = br
                spectrum[y, x, 1, tile, at + half + c] = bi
                spectrum[y, x, 2, tile, at + half + c] = br + bi


@inlined
def _combine(products, tile, n, half, real, imaginary):
    """Invert `_separate` for products with a kernel's spectrum, and divide by the number of points."""
    share = np.float32(1 / n**2)
    for y in range(n // 2 + 1):
        for x in range(n):
            y_next, x_next = _prefetched(y, x, n)
            for part in range(3):
                for c in range(0, 2 * half, LINE):
                    prefetch(products, (y_next, x_next, part, tile, c))
            here, opposite = (y * n + x) * half, _opposite(y, x, n) * half
            for c in range(half):
                p, q, s = products[y, x, 0, tile, c], products[y, x, 1, tile, c], products[y, x, 2, tile, c]
                ar, ai = (p - q) * share, (s - p - q) * share
                p, q = products[y, x, 0, tile, half + c], products[y, x, 1, tile, half + c]
                s = products[y, x, 2, tile, half + c]
                br, bi = (p - q) * share, (s - p - q) * share
                real[opposite + c], imaginary[opposite + c] = ar + bi, br - ai
                real[here + c], imaginary[here + c] = ar - bi, ai + br


@lru_cache
def forward(n: int, half: int) -> Callable[..., None]:
    """Return a function that transforms tiles of n x n px with 2 x half channels.

    Its arguments:

    - images (batch, H, W, 2 half), float32;
    - spectrum (n // 2 + 1, n, 3, tiles, channels), the output: real part, imaginary part and their sum;
    - at: the first channel of the output;
    - begin, end: the range of tiles, counted over batch, rows and columns;
    - rows, columns: tiles per image; row_step, column_step: their distance, px; before: zero padding, px;
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
    n: int, half: int, epilogue: bool = False, adds: bool = False, pools: bool = False
) -> Callable[..., None]:
    """Return a function that inverts products, applies the epilogue and assembles the tiles; see `tiles.Epilogue`.

    Its arguments:

    - products (n // 2 + 1, n, 3, tiles, 2 half), of the outputs of `forward` for images and kernel;
    - scale, shift (2 half), read if `epilogue`, and added (batch, H, W, 2 half), read if `adds`;
    - images (batch, H, W, 2 half), float32, the output;
    - smaller (batch, H // 2, W // 2, 2 half), their pooling, written if `pools`;
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
            _combine(products, tile, n, half, real, imaginary)
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
                        if epilogue:
                            a = normalised_relu(a, scale[c], shift[c])
                            b = normalised_relu(b, scale[half + c], shift[half + c])
                        images[image, to_y, to_x, c], images[image, to_y, to_x, half + c] = a, b
                if pools and y % 2:
                    to_y = row * row_step + y
                    for x in range(1, x_end, 2):
                        to_x = column * column_step + x
                        for c in range(2 * half):
                            smaller[image, to_y // 2, to_x // 2, c] = max_of_2x2(images, image, to_y, to_x, c)

    return transform
