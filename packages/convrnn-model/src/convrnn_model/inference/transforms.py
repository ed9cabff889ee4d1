"""Compiled transforms of image tiles and of their products with a kernel's spectrum."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from convrnn_model.inference import dft, winograd
from convrnn_model.inference.vectors import INT, Pointer, compiled, emits, zeros

CHUNK = 128
"""Channels that are transformed together, so that whole cache lines are written in order."""


def _row(values: list[Any]) -> list[tuple[Any, Any]]:
    """Unpack the n vectors of a row's half spectrum: all but the first and last are complex."""
    return [(values[0], None), *zip(values[1:-1:2], values[2:-1:2], strict=True), (values[-1], None)]


@emits(2)
def fourier_row(b, points, lanes, image, first, width, stride, blank, out):
    """Transform `points` px of an image row from px `first`; px outside 0 to `width` are zeros."""
    values = []
    for x in range(points):
        px = b.add(first, INT(x))
        outside = b.icmp_unsigned(">=", px, width)
        values.append(image.at(b.mul(px, stride)).unless(outside, blank).load(lanes))
    spectrum = dft.real_dft(values)
    flat = [part for pair in spectrum for part in pair if part is not None]
    for slot, vector in enumerate(flat):
        out.at(slot * lanes).store(vector)


@emits(2)
def fourier_real_column(b, points, lanes, rows, spectrum, between):
    """Transform a column of real values; writes the real and imaginary part of each frequency."""
    values = [rows.at(y * points * lanes).load(lanes) for y in range(points)]
    _store_complex(b, dft.real_dft(values), spectrum, between)


@emits(2)
def fourier_column(b, points, lanes, rows, spectrum, between):
    """Transform a column of complex values; writes the real and imaginary part of each frequency."""
    starts = [rows.at(y * points * lanes) for y in range(points)]
    values = [(row.load(lanes), row.at(lanes).load(lanes)) for row in starts]
    _store_complex(b, dft.complex_dft(values), spectrum, between)


def _store_complex(b: Any, values: list[tuple[Any, Any]], out: Pointer, between: Any) -> None:
    zero = zeros(b, values[0][0].value.type.count)
    for frequency, pair in enumerate(values):
        for part, vector in enumerate(pair):
            place = out.at(b.mul(between, INT(2 * frequency + part)))
            place.store(zero if vector is None else vector)


def _load_complex(b: Any, count: int, lanes: int, source: Pointer, between: Any) -> list[tuple[Any, Any]]:
    places = [source.at(b.mul(between, INT(2 * f))) for f in range(count)]
    return [(place.load(lanes), place.at(between).load(lanes)) for place in places]


@emits(3)
def inverse_real_column(b, points, step, lanes, products, between, rows):
    """Invert `fourier_real_column`, to the first `step` rows."""
    values = _load_complex(b, points // 2 + 1, lanes, products, between)
    values = [(re, None if 2 * f in (0, points) else im) for f, (re, im) in enumerate(values)]
    for y, vector in enumerate(dft.inverse_real_dft(values, points)[:step]):
        rows.at(y * points * lanes).store(vector)


@emits(3)
def inverse_column(b, points, step, lanes, products, between, rows):
    """Invert `fourier_column`, to the first `step` rows."""
    values = _load_complex(b, points, lanes, products, between)
    for y, pair in enumerate(dft.complex_dft(values, sign=1)[:step]):
        for part, vector in enumerate(pair):
            rows.at((y * points + part) * lanes).store(vector)


@emits(3)
def inverse_row(b, points, step, lanes, rows, epilogue, added, added_stride, width, out, stride, sink):
    """Invert `fourier_row` to the first `step` px, apply the epilogue, and write the first `width`."""
    values = dft.inverse_real_dft(_row([rows.at(i * lanes).load(lanes) for i in range(points)]), points)
    _finish(b, values[:step], lanes, epilogue, added, added_stride, width, out, stride, sink)


def _finish(b, values, lanes, epilogue, added, added_stride, width, out, stride, sink):
    """Write max((value + added) * scale + shift, floor) of a row of px."""
    scale, shift, floor = (epilogue.at(i * lanes).load(lanes) for i in range(3))
    for x, vector in enumerate(values):
        px = INT(x)
        outside = b.icmp_signed(">=", px, width)
        more = added.at(b.mul(px, added_stride)).unless(outside, sink).load(lanes)
        result = ((vector + more) * scale + shift).at_least(floor)
        out.at(b.mul(px, stride)).unless(outside, sink).store(result)


@emits(1)
def pool(b, lanes, above, below, stride, out):
    """Write the maximum of 2 x 2 px."""
    a, c = (row.load(lanes).maximum(row.at(stride).load(lanes)) for row in (above, below))
    out.store(a.maximum(c))


@emits(1)
def winograd_tile(b, lanes, image, top, left, height, width, stride, blank, out, depth):
    """Transform a tile of 6 x 6 px at (top, left); px outside the image are zeros."""
    lines = []
    for y in range(winograd.POINTS):
        line = b.add(top, INT(y))
        above = b.icmp_unsigned(">=", line, height)
        row = []
        for x in range(winograd.POINTS):
            px = b.add(left, INT(x))
            outside = b.or_(above, b.icmp_unsigned(">=", px, width))
            place = b.mul(b.add(b.mul(line, width), px), stride)
            row.append(image.at(place).unless(outside, blank).load(lanes))
        lines.append(winograd.forward(row))
    for x, column in enumerate(zip(*lines, strict=True)):
        for y, vector in enumerate(winograd.forward(column)):
            out.at(b.mul(depth, INT(y * winograd.POINTS + x))).store(vector)


@emits(1)
def winograd_inverse_tile(
    b, lanes, products, depth, epilogue, added, added_stride, height, width, breadth, out, stride, sink
):  # fmt: skip
    """Invert 6 x 6 products to 4 x 4 px and write the first `height` x `width`; `breadth` is the image's width."""
    points = range(winograd.POINTS)
    lines = []
    for y in points:
        row = [products.at(b.mul(depth, INT(y * winograd.POINTS + x))).load(lanes) for x in points]
        lines.append(winograd.inverse(row))
    columns = [winograd.inverse(column) for column in zip(*lines, strict=True)]
    for y, values in enumerate(zip(*columns, strict=True)):
        line = b.mul(breadth, INT(y))
        here, more = out.at(b.mul(line, stride)), added.at(b.mul(line, added_stride))
        count = b.select(b.icmp_signed(">=", INT(y), height), INT(0), width)
        _finish(b, values, lanes, epilogue, more, added_stride, count, here, stride, sink)


@emits(1)
def finish_pixel(b, lanes, value, epilogue, added, out):
    """Apply the epilogue to one pixel."""
    _finish(b, [value.load(lanes)], lanes, epilogue, added, INT(0), INT(1), out, INT(0), out)


@lru_cache
def fourier_forward(points: int, lanes: int) -> Callable[..., None]:
    """Return a function that transforms tiles of `points` x `points` px.

    Its arguments:

    - images (batch, height, width, channels), flattened; height, width, channels;
    - spectrum (tiles, frequencies, 2, depth), flattened, the output; at, the channel of the output to begin with, and
      depth; frequencies are ordered by column, and those of the first and last column are half of the others';
    - begin and end of the range of tiles, counted over batch, rows and columns; rows and columns of tiles per image;
      step, their distance, px; before, the zero padding, px.
    """
    half, area, share = points // 2, points * points * lanes, CHUNK // lanes
    size = (points**2 // 2 + 2) * 2

    @compiled
    def transform(
        images, height, width, channels, spectrum, at, depth, begin, end, rows, columns, step, before
    ):  # fmt: skip
        scratch, blank = np.empty(share * area, np.float32), np.zeros(lanes, np.float32)
        for tile in range(begin, end):
            image, row, column = tile // (rows * columns), tile // columns % rows, tile % columns
            top, left = row * step - before, column * step - before
            for chunk in range(0, channels, CHUNK):
                groups = min(share, (channels - chunk) // lanes)
                for y in range(points):
                    start = (image * height + top + y) * width * channels + chunk
                    for g in range(groups):
                        line = scratch[g * area + y * points * lanes :]
                        if 0 <= top + y < height:
                            source = images[start + g * lanes :]
                            fourier_row(points, lanes, source, left, width, channels, blank, line)
                        else:
                            for i in range(points * lanes):
                                line[i] = 0
                first = tile * size * depth + at + chunk
                for x in range(half + 1):
                    for g in range(groups):
                        out = spectrum[first + g * lanes :]
                        line = scratch[g * area + max(0, 2 * x - 1) * lanes :]
                        if x in (0, half):
                            fourier_real_column(points, lanes, line, out, depth)
                        else:
                            fourier_column(points, lanes, line, out, depth)
                    first += 2 * (half + 1 if x in (0, half) else points) * depth

    return transform


@lru_cache
def fourier_inverse(points: int, step: int, lanes: int) -> Callable[..., None]:
    """Return a function that inverts tiles of `points` x `points` frequencies to `step` x `step` px, with the epilogue.

    Its arguments:

    - products (tiles, frequencies, 2, filters), flattened, in the order of `fourier_forward`; filters;
    - epilogue (groups, 3, lanes), flattened: scale, shift and smallest value; added (batch, height, width, filters),
      flattened, and its stride, `filters`, or 0 where nothing is added;
    - images (batch, height, width, filters), flattened, the output; height, width; smaller (batch, height // 2,
      width // 2, filters), flattened, their maxima over 2 x 2 px, written if `pools`;
    - begin, end, rows, columns, distance: as for `fourier_forward`.
    """
    half, area, share = points // 2, points * points * lanes, CHUNK // lanes
    size = (points**2 // 2 + 2) * 2

    @compiled
    def transform(
        products, filters, epilogue, added, added_stride, images, height, width, smaller, pools,
        begin, end, rows, columns, distance,
    ):  # fmt: skip
        scratch, sink = np.empty(share * area, np.float32), np.empty(lanes, np.float32)
        for tile in range(begin, end):
            image, row, column = tile // (rows * columns), tile // columns % rows, tile % columns
            top, left = row * distance, column * distance
            y_end, x_end = min(distance, height - top), min(distance, width - left)
            for chunk in range(0, filters, CHUNK):
                groups = min(share, (filters - chunk) // lanes)
                first = tile * size * filters + chunk
                for x in range(half + 1):
                    for g in range(groups):
                        source = products[first + g * lanes :]
                        line = scratch[g * area + max(0, 2 * x - 1) * lanes :]
                        if x in (0, half):
                            inverse_real_column(points, step, lanes, source, filters, line)
                        else:
                            inverse_column(points, step, lanes, source, filters, line)
                    first += 2 * (half + 1 if x in (0, half) else points) * filters
                for y in range(y_end):
                    pixel = (image * height + top + y) * width + left
                    for g in range(groups):
                        group = chunk + g * lanes
                        line, out = (
                            scratch[g * area + y * points * lanes :],
                            images[pixel * filters + group :],
                        )
                        more = added[pixel * added_stride + group :] if added_stride else added
                        inverse_row(
                            points, step, lanes, line, epilogue[3 * group :], more, added_stride, x_end, out,
                            filters, sink,
                        )  # fmt: skip
                    if pools and y % 2:
                        pooled = (image * (height // 2) + (top + y) // 2) * (width // 2) + left // 2
                        for x in range(x_end // 2):
                            for c in range(chunk, chunk + groups * lanes, lanes):
                                below = images[(pixel + 2 * x) * filters + c :]
                                above = images[(pixel + 2 * x - width) * filters + c :]
                                pool(lanes, above, below, filters, smaller[(pooled + x) * filters + c :])

    return transform


@lru_cache
def winograd_forward(lanes: int) -> Callable[..., None]:
    """Return a function that transforms tiles of 6 x 6 px; its arguments are those of `fourier_forward`.

    The spectrum is (tiles, 36, depth).
    """

    @compiled
    def transform(
        images, height, width, channels, spectrum, at, depth, begin, end, rows, columns, step, before
    ):  # fmt: skip
        blank = np.zeros(lanes, np.float32)
        for tile in range(begin, end):
            image, row, column = tile // (rows * columns), tile // columns % rows, tile % columns
            top, left = row * step - before, column * step - before
            for group in range(0, channels, lanes):
                source = images[image * height * width * channels + group :]
                out = spectrum[tile * 36 * depth + at + group :]
                winograd_tile(lanes, source, top, left, height, width, channels, blank, out, depth)

    return transform


@lru_cache
def winograd_inverse(lanes: int) -> Callable[..., None]:
    """Return a function that inverts 36 products to 4 x 4 px; its arguments are those of `fourier_inverse`."""

    @compiled
    def transform(
        products, filters, epilogue, added, added_stride, images, height, width, smaller, pools,
        begin, end, rows, columns, distance,
    ):  # fmt: skip
        sink = np.empty(lanes, np.float32)
        for tile in range(begin, end):
            image, row, column = tile // (rows * columns), tile // columns % rows, tile % columns
            top, left = row * distance, column * distance
            y_end, x_end = min(distance, height - top), min(distance, width - left)
            pixel = (image * height + top) * width + left
            for group in range(0, filters, lanes):
                source, out = products[tile * 36 * filters + group :], images[pixel * filters + group :]
                more = added[pixel * added_stride + group :] if added_stride else added
                winograd_inverse_tile(
                    lanes, source, filters, epilogue[3 * group :], more, added_stride, y_end, x_end, width, out,
                    filters, sink,
                )  # fmt: skip
            if pools:
                pooled = (image * (height // 2) + top // 2) * (width // 2) + left // 2
                for y in range(y_end // 2):
                    for x in range(x_end // 2):
                        for c in range(0, filters, lanes):
                            above = images[(pixel + 2 * y * width + 2 * x) * filters + c :]
                            small = smaller[(pooled + y * (width // 2) + x) * filters + c :]
                            pool(lanes, above, above[width * filters :], filters, small)

    return transform


@compiled
def unfold(images, height, width, channels, side, rows, at, depth, begin, end):
    """Copy the neighbourhood of each pixel from `begin` to `end`, zero outside the image.

    Args:
        images: (batch, height, width, channels), flattened.
        height: Of the image, px.
        width: Of the image, px.
        channels: Of the image.
        side: Of the neighbourhood, px.
        rows: (end - begin, depth), flattened, the output.
        at: Column of the output to begin with.
        depth: Columns of the output.
        begin: First pixel, counted over batch, rows and columns.
        end: End of the range of pixels.
    """
    before = (side - 1) // 2
    for pixel in range(begin, end):
        image, y, x = pixel // (height * width), pixel // width % height, pixel % width
        out = rows[(pixel - begin) * depth + at :]
        for v in range(side):
            from_y = y + v - before
            for u in range(side):
                from_x = x + u - before
                to = (v * side + u) * channels
                if 0 <= from_y < height and 0 <= from_x < width:
                    source = images[((image * height + from_y) * width + from_x) * channels :]
                    for c in range(channels):
                        out[to + c] = source[c]
                else:
                    for c in range(channels):
                        out[to + c] = 0


@lru_cache
def pointwise(lanes: int) -> Callable[..., None]:
    """Return a function that applies the epilogue to products that are images; arguments as for `fourier_inverse`.

    Tiles are rows of images, and a range must begin with an even row. Rows, columns and distance are unused.
    """

    @compiled
    def transform(
        products, filters, epilogue, added, added_stride, images, height, width, smaller, pools,
        begin, end, rows, columns, distance,
    ):  # fmt: skip
        for line in range(begin, end):
            for pixel in range(line * width, (line + 1) * width):
                for group in range(0, filters, lanes):
                    here = pixel * filters + group
                    more = added[pixel * added_stride + group :] if added_stride else added
                    finish_pixel(lanes, products[here:], epilogue[3 * group :], more, images[here:])
            image, y = line // height, line % height
            if pools and y % 2:
                for x in range(width // 2):
                    for group in range(0, filters, lanes):
                        below = images[(line * width + 2 * x) * filters + group :]
                        above = images[((line - 1) * width + 2 * x) * filters + group :]
                        pooled = (image * (height // 2) + y // 2) * (width // 2) + x
                        pool(lanes, above, below, filters, smaller[pooled * filters + group :])

    return transform
