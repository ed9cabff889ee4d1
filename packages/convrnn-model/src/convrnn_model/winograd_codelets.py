"""Compiled Winograd transforms of tiles: those of `winograd.py`, one axis after the other.

Points other than 0 and infinity come in pairs of opposite sign, so pairs of matrix rows share their sums over even and
odd powers.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from convrnn_model.compiling import compiled, inlined, max_of_2x2, normalised_relu


@inlined
def _forward(a, b, c, d, e, f, m):
    """Transform six inputs along an axis; `m` is the matrix, (6, 6)."""
    p, q = m[1, 2] * c + m[1, 4] * e, m[1, 1] * b + m[1, 3] * d
    r, s = m[3, 2] * c + m[3, 4] * e, m[3, 1] * b + m[3, 3] * d
    first = m[0, 0] * a + m[0, 2] * c + m[0, 4] * e
    return first, p + q, p - q, r + s, r - s, m[5, 1] * b + m[5, 3] * d + m[5, 5] * f


@inlined
def _inverse(a, b, c, d, e, f, m):
    """Transform six products to four outputs; `m` is the matrix, (4, 6)."""
    p, q, r, s = b + c, b - c, d + e, d - e
    return (
        m[0, 0] * a + m[0, 1] * p + m[0, 3] * r,
        m[1, 1] * q + m[1, 3] * s,
        m[2, 1] * p + m[2, 3] * r,
        m[3, 1] * q + m[3, 3] * s + m[3, 5] * f,
    )


@inlined
def _forward_along(x, y, start, step, width, m):
    """Transform `width` adjacent axes from `x` to `y`, with stride `step` between points."""
    for v in range(start, start + width):
        (
            y[v],
            y[step + v],
            y[2 * step + v],
            y[3 * step + v],
            y[4 * step + v],
            y[5 * step + v],
        ) = _forward(
            x[v], x[step + v], x[2 * step + v], x[3 * step + v], x[4 * step + v], x[5 * step + v], m
        )  # fmt: skip


@inlined
def _inverse_along(x, y, start, to, step, width, m):
    """Invert `width` adjacent axes from `x` at `start` to `y` at `to`."""
    for v in range(width):
        p, q = start + v, to + v
        y[q], y[step + q], y[2 * step + q], y[3 * step + q] = _inverse(
            x[p], x[step + p], x[2 * step + p], x[3 * step + p], x[4 * step + p], x[5 * step + p], m
        )


@lru_cache
def forward(width: int) -> Callable[..., None]:
    """Return a function that transforms tiles of 6 x 6 px in groups of `width` channels, so it serves many layers.

    Its arguments:

    - images (batch, H, W, channels), float32, the channels a multiple of `width`;
    - spectrum (6, 6, tiles, channels), the output;
    - at: the first channel of the output;
    - begin, end: the range of tiles, counted over batch, rows and columns;
    - rows, columns: tiles per image; row_step, column_step: their distance, px; before: zero padding, px;
    - matrix: (6, 6), along one axis.
    """
    pitch = 6 * width

    @compiled
    def transform(images, spectrum, at, begin, end, rows, columns, row_step, column_step, before, matrix):
        height, breadth = images.shape[1], images.shape[2]
        pixels, between = np.empty(6 * pitch, np.float32), np.empty(6 * pitch, np.float32)
        for tile in range(begin, end):
            image, row, column = tile // (rows * columns), tile // columns % rows, tile % columns
            for group in range(0, images.shape[3], width):
                for y in range(6):
                    from_y = row * row_step - before + y
                    for x in range(6):
                        from_x = column * column_step - before + x
                        to = y * pitch + x * width
                        if 0 <= from_y < height and 0 <= from_x < breadth:
                            for c in range(width):
                                pixels[to + c] = images[image, from_y, from_x, group + c]
                        else:
                            for c in range(width):
                                pixels[to + c] = 0
                _forward_along(pixels, between, 0, pitch, pitch, matrix)
                for y in range(0, 6 * pitch, pitch):
                    _forward_along(between, pixels, y, width, width, matrix)
                for y in range(6):
                    for x in range(6):
                        here = y * pitch + x * width
                        for c in range(width):
                            spectrum[y, x, tile, at + group + c] = pixels[here + c]

    return transform


@lru_cache
def inverse(
    width: int, epilogue: bool = False, adds: bool = False, pools: bool = False
) -> Callable[..., None]:
    """Return a function that inverts products, applies the epilogue and assembles the tiles; see `tiles.Epilogue`.

    Its arguments:

    - products (6, 6, tiles, filters), of the outputs of `forward` for images and kernel; filters a multiple of `width`;
    - scale, shift (filters), read if `epilogue`, and added (batch, H, W, filters), read if `adds`;
    - images (batch, H, W, filters), float32, the output;
    - smaller (batch, H // 2, W // 2, filters), their pooling, written if `pools`;
    - begin, end, rows, columns, row_step, column_step: as for `forward`; matrix: (4, 6), along one axis.
    """
    pitch = 6 * width

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
        matrix,
    ):
        height, breadth = images.shape[1], images.shape[2]
        values, between = np.empty(6 * pitch, np.float32), np.empty(4 * pitch, np.float32)
        pixels = np.empty(4 * width, np.float32)
        for tile in range(begin, end):
            image, row, column = tile // (rows * columns), tile // columns % rows, tile % columns
            y_end, x_end = (
                min(row_step, height - row * row_step),
                min(column_step, breadth - column * column_step),
            )
            for group in range(0, images.shape[3], width):
                for y in range(6):
                    for x in range(6):
                        to = y * pitch + x * width
                        for c in range(width):
                            values[to + c] = products[y, x, tile, group + c]
                _inverse_along(values, between, 0, 0, pitch, pitch, matrix)
                for y in range(y_end):
                    to_y = row * row_step + y
                    _inverse_along(between, pixels, y * pitch, 0, width, width, matrix)
                    for x in range(x_end):
                        to_x = column * column_step + x
                        for c in range(width):
                            a = pixels[x * width + c]
                            if adds:
                                a = a + added[image, to_y, to_x, group + c]
                            if epilogue:
                                a = normalised_relu(a, scale[group + c], shift[group + c])
                            images[image, to_y, to_x, group + c] = a
                    if pools and y % 2:
                        for x in range(1, x_end, 2):
                            to_x = column * column_step + x
                            for c in range(group, group + width):
                                smaller[image, to_y // 2, to_x // 2, c] = max_of_2x2(
                                    images, image, to_y, to_x, c
                                )

    return transform
