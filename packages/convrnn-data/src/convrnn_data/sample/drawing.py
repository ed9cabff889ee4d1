"""Drawings of the 16 categories: the objects of the sample, with backgrounds and clutter.

Every object consists of polygons in the unit square, with y downwards, facing right. A `Pen` applies an affine map
(size, rotation, stretch, flip, position), so that every pose is sharp. Categories differ in outline and parts, not only
in color, since the images must remain recognizable in gray, with noise and when blurred.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image

from convrnn_data.sample.canvas import (
    Color,
    Paint,
    Pen,
    Point,
    luma,
    mix,
    random_color,
    random_paint,
    smooth,
)

_OVERSAMPLING = 2


def _airplane(pen: Pen, paint: Paint, rng: Generator) -> None:
    sweep = rng.uniform(0.08, 0.2)
    for side in (-1, 1):
        tip = 0.5 + side * 0.46
        pen.polygon([(0.62, 0.5), (0.44, 0.5), (0.36 - sweep, tip), (0.47 - sweep, tip)], paint.body)
        pen.polygon(
            [(0.16, 0.5), (0.07, 0.5), (0.0, 0.5 + side * 0.19), (0.08, 0.5 + side * 0.19)], paint.body
        )
        pen.ellipse(0.47, 0.5 + side * 0.2, 0.07, 0.025, paint.shade)
    pen.ellipse(0.5, 0.5, 0.5, 0.07, paint.body)
    pen.line([(0.2, 0.5), (0.84, 0.5)], 0.02, paint.light)
    pen.polygon([(0.9, 0.47), (0.96, 0.48), (0.96, 0.52), (0.9, 0.53)], paint.ink)
    pen.line([(0.03, 0.5), (0.18, 0.5)], 0.025, paint.shade)


def _legs(pen: Pen, fill: Color, feet: Sequence[float], top: float, width: float, rng: Generator) -> None:
    for x in feet:
        step = rng.uniform(-0.05, 0.05)
        pen.polygon(
            [
                (x - width, top),
                (x + width, top),
                (x + step + width * 0.8, 0.95),
                (x + step - width * 0.8, 0.95),
            ],
            fill,
        )


def _bear(pen: Pen, paint: Paint, rng: Generator) -> None:
    nod = rng.uniform(-0.04, 0.08)
    _legs(pen, paint.shade, (0.24, 0.66), 0.6, 0.085, rng)
    _legs(pen, paint.body, (0.12, 0.54), 0.55, 0.09, rng)
    back = [(0.0, 0.55), (0.05, 0.33), (0.25, 0.26), (0.45, 0.28), (0.57, 0.18), (0.72, 0.3), (0.72, 0.6)]
    pen.blob([*back, (0.5, 0.74), (0.2, 0.74)], paint.body)
    for x in (0.7, 0.86):
        pen.ellipse(x, 0.25 + nod, 0.06, 0.06, paint.body)
        pen.ellipse(x, 0.25 + nod, 0.03, 0.03, paint.shade)
    pen.ellipse(0.79, 0.38 + nod, 0.15, 0.15, paint.body)
    pen.ellipse(0.9, 0.44 + nod, 0.1, 0.075, paint.light)
    pen.ellipse(0.98, 0.42 + nod, 0.03, 0.025, paint.ink)
    pen.ellipse(0.82, 0.34 + nod, 0.02, 0.02, paint.ink)


def _bicycle(pen: Pen, paint: Paint, rng: Generator) -> None:
    radius, turn = rng.uniform(0.2, 0.23), rng.uniform(0, math.pi)
    for x in (0.22, 0.78):
        for spoke in range(3):
            dx, dy = radius * math.cos(turn + spoke * 1.05), radius * math.sin(turn + spoke * 1.05)
            pen.line([(x - dx, 0.68 - dy), (x + dx, 0.68 + dy)], 0.008, paint.body)
        pen.ring(x, 0.68, radius, 0.04, paint.line)
    for line in (
        [(0.22, 0.68), (0.37, 0.38), (0.68, 0.38), (0.48, 0.68), (0.22, 0.68)],
        [(0.48, 0.68), (0.35, 0.3)],
        [(0.78, 0.68), (0.66, 0.24), (0.76, 0.2)],
    ):
        pen.line(line, 0.034, paint.body)
    pen.line([(0.28, 0.29), (0.43, 0.29)], 0.05, paint.line)
    pen.ring(0.48, 0.68, 0.045, 0.02, paint.line)


def _bird(pen: Pen, paint: Paint, rng: Generator) -> None:
    tail = rng.uniform(-0.12, 0.12)
    for x in (0.47, 0.56):
        pen.line([(x, 0.7), (x + 0.01, 0.95), (x + 0.07, 0.95)], 0.02, paint.line)
    pen.polygon([(0.3, 0.5), (0.3, 0.66), (0.0, 0.66 + tail), (0.0, 0.76 + tail)], paint.shade)
    pen.blob([(0.2, 0.56), (0.42, 0.4), (0.66, 0.32), (0.78, 0.5), (0.66, 0.74), (0.42, 0.78)], paint.body)
    pen.ellipse(0.74, 0.29, 0.145, 0.145, paint.body)
    pen.polygon([(0.85, 0.22), (1.02, 0.31), (0.85, 0.36)], paint.line)
    pen.blob([(0.16, 0.64), (0.34, 0.47), (0.6, 0.46), (0.58, 0.62), (0.4, 0.7)], paint.light)
    for y in (0.55, 0.62):
        pen.line([(0.27, y + 0.04), (0.55, y - 0.03)], 0.015, paint.shade)
    pen.ellipse(0.79, 0.26, 0.03, 0.03, paint.ink)


def _boat(pen: Pen, paint: Paint, rng: Generator) -> None:
    lean, high = rng.uniform(0.0, 0.08), rng.uniform(0.0, 0.08)
    pen.line([(0.48, 0.75), (0.48, 0.02)], 0.03, paint.line)
    pen.polygon([(0.51, 0.04 + high), (0.51, 0.64), (0.9 - lean, 0.64)], paint.light)
    pen.polygon([(0.45, 0.12 + high), (0.45, 0.64), (0.12 + lean, 0.64)], paint.body)
    pen.blob([(0.48, 0.02), (0.6, 0.05), (0.48, 0.09)], paint.line)
    pen.polygon([(0.02, 0.7), (0.98, 0.7), (0.8, 0.94), (0.2, 0.94)], paint.body)
    pen.polygon([(0.02, 0.7), (0.98, 0.7), (0.94, 0.76), (0.07, 0.76)], paint.ink)


def _bottle(pen: Pen, paint: Paint, rng: Generator) -> None:
    wide, shoulder = rng.uniform(0.13, 0.2), rng.uniform(0.32, 0.44)
    neck = wide * 0.36
    side = [(wide, 0.97), (wide, shoulder + 0.1), (wide * 0.8, shoulder), (neck, shoulder - 0.1), (neck, 0.1)]
    outline = [(0.5 - x, y) for x, y in side] + [(0.5 + x, y) for x, y in reversed(side)]
    pen.polygon(outline, paint.body)
    pen.box(0.5 - neck * 1.2, 0.02, 0.5 + neck * 1.2, 0.12, paint.line)
    pen.box(0.5 - wide, 0.58, 0.5 + wide, 0.82, paint.light)
    for y in (0.65, 0.73):
        pen.line([(0.5 - wide * 0.6, y), (0.5 + wide * 0.6, y)], 0.025, paint.shade)
    pen.line([(0.5 - wide * 0.6, shoulder + 0.12), (0.5 - wide * 0.6, 0.53)], 0.025, paint.light)


def _wheel(pen: Pen, x: float, y: float, radius: float, paint: Paint) -> None:
    pen.ellipse(x, y, radius, radius, paint.line)
    pen.ellipse(x, y, radius * 0.55, radius * 0.55, paint.light)
    pen.ellipse(x, y, radius * 0.2, radius * 0.2, paint.shade)


def _car(pen: Pen, paint: Paint, rng: Generator) -> None:
    roof = rng.uniform(0.27, 0.34)
    pen.blob(
        [(0.18, 0.55), (0.27, roof), (0.42, roof - 0.03), (0.6, roof), (0.78, 0.53), (0.5, 0.6)], paint.body
    )
    pen.blob(
        [(0.0, 0.68), (0.04, 0.52), (0.3, 0.49), (0.72, 0.5), (0.96, 0.57), (1.0, 0.7), (0.5, 0.74)],
        paint.body,
    )
    pen.polygon([(0.26, 0.5), (0.31, roof + 0.04), (0.44, roof + 0.02), (0.44, 0.5)], paint.ink)
    pen.polygon([(0.48, 0.5), (0.48, roof + 0.02), (0.57, roof + 0.05), (0.69, 0.5)], paint.ink)
    pen.line([(0.46, 0.54), (0.46, 0.68)], 0.012, paint.shade)
    pen.line([(0.05, 0.62), (0.95, 0.64)], 0.02, paint.shade)
    pen.ellipse(0.95, 0.6, 0.03, 0.025, paint.light)
    for x in (0.23, 0.77):
        _wheel(pen, x, 0.71, 0.115, paint)


def _cat(pen: Pen, paint: Paint, rng: Generator) -> None:
    sway = rng.uniform(-0.06, 0.06)
    tail = [(0.62, 0.9), (0.85, 0.88), (0.93, 0.7), (0.84 + sway, 0.52), (0.92 + sway, 0.42)]
    pen.line(_curve(tail), 0.075, paint.body)
    pen.blob([(0.3, 0.95), (0.27, 0.7), (0.36, 0.45), (0.58, 0.45), (0.69, 0.7), (0.68, 0.95)], paint.body)
    for x in (0.42, 0.54):
        pen.line([(x, 0.68), (x, 0.93)], 0.018, paint.shade)
    for side in (-1, 1):
        pen.polygon(
            [(0.48 + side * 0.22, 0.0), (0.48 + side * 0.21, 0.3), (0.48 + side * 0.03, 0.15)], paint.body
        )
        pen.polygon(
            [(0.48 + side * 0.18, 0.07), (0.48 + side * 0.18, 0.2), (0.48 + side * 0.08, 0.14)], paint.shade
        )
    pen.ellipse(0.48, 0.29, 0.225, 0.19, paint.body)
    for side in (-1, 1):
        pen.ellipse(0.48 + side * 0.09, 0.25, 0.04, 0.045, paint.ink)
        for y in (0.34, 0.39):
            pen.line([(0.48 + side * 0.07, 0.35), (0.48 + side * 0.32, y)], 0.01, paint.line)
    pen.polygon([(0.45, 0.32), (0.51, 0.32), (0.48, 0.365)], paint.ink)


def _curve(points: Sequence[Point]) -> np.ndarray:
    bent = smooth(np.asarray(points, dtype=float))
    return bent[: 6 * (len(points) - 1) + 1]


def _chair(pen: Pen, paint: Paint, rng: Generator) -> None:
    depth, slats = rng.uniform(0.1, 0.16), int(rng.integers(2, 5))
    for x in (0.24 + depth, 0.76 + depth * 0.6):
        pen.line([(x, 0.55), (x, 0.86)], 0.04, paint.shade)
    for x in (0.22, 0.7):
        pen.line([(x + 0.05, 0.02), (x + 0.05, 0.5)], 0.045, paint.body)
        pen.line([(x - 0.02, 0.62), (x - 0.03, 0.98)], 0.05, paint.body)
    for i in range(slats):
        y = 0.06 + 0.34 * i / max(1, slats - 1)
        pen.line([(0.27, y), (0.75, y)], 0.05, paint.body)
    pen.polygon([(0.14, 0.62), (0.27, 0.48), (0.76 + depth, 0.48), (0.74, 0.62)], paint.light)
    pen.polygon([(0.14, 0.62), (0.74, 0.62), (0.74, 0.67), (0.14, 0.67)], paint.body)


def _clock(pen: Pen, paint: Paint, rng: Generator) -> None:
    pen.ellipse(0.5, 0.5, 0.48, 0.48, paint.body)
    face = (
        mix(paint.light, (255, 255, 255), 0.6) if luma(paint.body) < 0.6 else mix(paint.shade, (0, 0, 0), 0.5)
    )
    mark: Color = (20, 20, 24) if luma(face) > 0.5 else (245, 244, 238)
    pen.ellipse(0.5, 0.5, 0.39, 0.39, face)
    for hour in range(12):
        dx, dy = math.sin(hour * math.pi / 6), math.cos(hour * math.pi / 6)
        inner = 0.28 if hour % 3 == 0 else 0.32
        pen.line([(0.5 + inner * dx, 0.5 + inner * dy), (0.5 + 0.36 * dx, 0.5 + 0.36 * dy)], 0.025, mark)
    for length, width in ((0.2, 0.045), (0.3, 0.03)):
        angle = rng.uniform(0, 2 * math.pi)
        pen.line([(0.5, 0.5), (0.5 + length * math.sin(angle), 0.5 - length * math.cos(angle))], width, mark)
    pen.ellipse(0.5, 0.5, 0.035, 0.035, mark)


def _dog(pen: Pen, paint: Paint, rng: Generator) -> None:
    wag = rng.uniform(-0.1, 0.08)
    pen.line(_curve([(0.1, 0.46), (0.03, 0.34), (0.03 + wag * 0.4, 0.16)]), 0.055, paint.body)
    _legs(pen, paint.shade, (0.2, 0.6), 0.55, 0.038, rng)
    _legs(pen, paint.body, (0.11, 0.53), 0.52, 0.042, rng)
    pen.blob(
        [(0.05, 0.48), (0.16, 0.4), (0.45, 0.42), (0.66, 0.36), (0.68, 0.6), (0.4, 0.62), (0.12, 0.66)],
        paint.body,
    )
    pen.polygon([(0.5, 0.45), (0.62, 0.14), (0.76, 0.2), (0.68, 0.56)], paint.body)
    pen.ellipse(0.72, 0.2, 0.13, 0.12, paint.body)
    pen.polygon([(0.76, 0.12), (0.98, 0.2), (0.98, 0.3), (0.74, 0.32)], paint.body)
    pen.ellipse(0.97, 0.21, 0.035, 0.03, paint.ink)
    pen.blob([(0.6, 0.1), (0.68, 0.14), (0.66, 0.38), (0.58, 0.42), (0.54, 0.26)], paint.shade)
    pen.ellipse(0.77, 0.17, 0.022, 0.022, paint.ink)
    pen.line([(0.56, 0.46), (0.68, 0.5)], 0.04, paint.ink)


def _elephant(pen: Pen, paint: Paint, rng: Generator) -> None:
    swing = rng.uniform(-0.08, 0.06)
    _legs(pen, paint.shade, (0.2, 0.56), 0.6, 0.07, rng)
    _legs(pen, paint.body, (0.1, 0.46), 0.55, 0.075, rng)
    pen.line([(0.02, 0.36), (-0.02, 0.6)], 0.02, paint.body)
    pen.blob(
        [(0.0, 0.5), (0.05, 0.22), (0.3, 0.12), (0.55, 0.16), (0.66, 0.4), (0.55, 0.7), (0.1, 0.72)],
        paint.body,
    )
    pen.ellipse(0.74, 0.3, 0.17, 0.19, paint.body)
    trunk = [(0.82, 0.3), (0.9, 0.46), (0.9, 0.66), (0.88 + swing, 0.84), (0.98 + swing, 0.9)]
    pen.line(_curve(trunk), 0.085, paint.body)
    pen.blob([(0.5, 0.14), (0.66, 0.12), (0.72, 0.3), (0.66, 0.52), (0.52, 0.48), (0.44, 0.3)], paint.shade)
    pen.line([(0.8, 0.48), (0.86, 0.62), (0.98, 0.62)], 0.035, (250, 248, 235))
    pen.ellipse(0.8, 0.25, 0.022, 0.022, paint.ink)


def _keyboard(pen: Pen, paint: Paint, rng: Generator) -> None:
    rows, columns = int(rng.integers(4, 6)), int(rng.integers(9, 13))
    top, bottom = 0.5 - 0.055 * rows, 0.5 + 0.055 * rows
    pen.box(0.0, top - 0.04, 1.0, bottom + 0.04, paint.body)
    high, wide = (bottom - top) / rows, 0.94 / columns
    for row in range(rows - 1):
        for column in range(columns):
            x, y = 0.03 + wide * column, top + high * row
            pen.box(x + wide * 0.1, y + high * 0.1, x + wide * 0.9, y + high * 0.88, paint.ink)
    y = top + high * (rows - 1)
    for left, right in ((0.04, 0.12), (0.15, 0.23), (0.27, 0.7), (0.74, 0.84), (0.88, 0.96)):
        pen.box(left, y + high * 0.1, right, y + high * 0.88, paint.ink)


def _knife(pen: Pen, paint: Paint, rng: Generator) -> None:
    belly = rng.uniform(0.06, 0.11)
    pen.polygon(
        [(0.36, 0.44), (0.86, 0.44), (1.0, 0.5), (0.86, 0.5 + belly), (0.36, 0.5 + belly)],
        paint.light if luma(paint.body) > 0.5 else paint.body,
    )
    pen.line([(0.4, 0.5), (0.84, 0.5)], 0.012, paint.shade)
    pen.blob([(0.0, 0.46), (0.18, 0.45), (0.34, 0.43), (0.34, 0.57), (0.18, 0.55), (0.02, 0.6)], paint.line)
    pen.box(0.33, 0.42, 0.375, 0.6, paint.shade)
    for x in (0.09, 0.18, 0.27):
        pen.ellipse(x, 0.505, 0.018, 0.018, paint.light)


def _oven(pen: Pen, paint: Paint, rng: Generator) -> None:
    knobs = int(rng.integers(3, 6))
    pen.box(0.08, 0.04, 0.92, 0.94, paint.body)
    pen.box(0.08, 0.04, 0.92, 0.24, paint.shade)
    for i in range(knobs):
        x = 0.2 + 0.6 * i / (knobs - 1)
        pen.ellipse(x, 0.14, 0.05, 0.05, paint.ink)
    pen.line([(0.2, 0.32), (0.8, 0.32)], 0.045, paint.light)
    pen.box(0.2, 0.42, 0.8, 0.8, paint.ink)
    glass = mix(paint.ink, paint.body, 0.45)
    for y in (0.54, 0.67):
        pen.line([(0.24, y), (0.76, y)], 0.018, glass)
    for x in (0.14, 0.86):
        pen.box(x - 0.05, 0.94, x + 0.05, 0.98, paint.line)


def _truck(pen: Pen, paint: Paint, rng: Generator) -> None:
    top = rng.uniform(0.14, 0.24)
    pen.box(0.0, top, 0.64, 0.68, paint.body)
    for x in (0.16, 0.32, 0.48):
        pen.line([(x, top + 0.05), (x, 0.63)], 0.014, paint.shade)
    pen.box(0.0, 0.68, 0.98, 0.74, paint.line)
    pen.polygon([(0.68, 0.68), (0.68, 0.32), (0.86, 0.32), (0.98, 0.5), (0.98, 0.68)], paint.light)
    pen.polygon([(0.74, 0.5), (0.74, 0.37), (0.84, 0.37), (0.92, 0.5)], paint.shade)
    for x in (0.13, 0.32, 0.82):
        _wheel(pen, x, 0.77, 0.1, paint)


OBJECTS: dict[str, Callable[[Pen, Paint, Generator], None]] = {
    "airplane": _airplane,
    "bear": _bear,
    "bicycle": _bicycle,
    "bird": _bird,
    "boat": _boat,
    "bottle": _bottle,
    "car": _car,
    "cat": _cat,
    "chair": _chair,
    "clock": _clock,
    "dog": _dog,
    "elephant": _elephant,
    "keyboard": _keyboard,
    "knife": _knife,
    "oven": _oven,
    "truck": _truck,
}
"""Category -> function that draws an object, in label order."""


def draw(rng: Generator, category: str | None, size: tuple[int, int]) -> Image.Image:
    """Draw an image: a background, clutter, and an object in a random pose.

    Args:
        rng: Random generator.
        category: A key of `OBJECTS`, or None for a scene without an object.
        size: Width and height in pixels.

    Returns:
        An RGB image.
    """
    wide, high = size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING
    background = random_color(rng, 0.6)
    image = _backdrop(rng, (wide, high), background)
    _clutter(rng, image, background, count=int(rng.integers(4, 13)), largest=0.22)
    if category is not None:
        pen = Pen(image, _pose(rng, wide, high))
        OBJECTS[category](pen, random_paint(rng, background), rng)
        _clutter(rng, image, background, count=int(rng.integers(1, 6)), largest=0.11)
    return image.reduce(_OVERSAMPLING)


def _pose(rng: Generator, wide: int, high: int) -> np.ndarray:
    """Draw a random affine map of the unit square to 50 to 98 % of the shorter side, mostly inside the image."""
    side = rng.uniform(0.5, 0.98) * min(wide, high)
    turn, stretch = math.radians(rng.normal(0, 18)), math.exp(rng.normal(0, 0.12))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    linear = side * turned @ np.diag([flip * stretch, 1 / stretch])
    margin = np.maximum(0, np.array([wide, high]) - side) / 2
    center = np.array([wide, high]) / 2 + rng.uniform(-1, 1, 2) * margin
    return np.column_stack([linear, center - linear @ np.array([0.5, 0.5])])


def _backdrop(rng: Generator, size: tuple[int, int], color: Color) -> Image.Image:
    """Draw a gradient with a texture (clouds, grain, stripes or none) and a mean near `color`."""
    wide, high = size
    fall = np.linspace(-1, 1, 16)
    slope = rng.uniform(-18, 18, 3)
    plane = rng.uniform(-1, 1) * fall[None, :] + rng.uniform(-1, 1) * fall[:, None]
    kind = rng.integers(4)
    texture = np.zeros((16, 16))
    if kind == 1:
        texture = rng.normal(0, 14, (16, 16))
    elif kind == 2:
        texture = 14 * np.sin(fall[None, :] * rng.uniform(3, 14) + fall[:, None] * rng.uniform(-9, 9))
    pixels = np.array(color) + plane[:, :, None] * slope + texture[:, :, None]
    small = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if kind == 3:
        grain = rng.normal(0, 9, (high // 6, wide // 6, 1))
        fine = np.asarray(small.resize((wide // 6, high // 6), Image.Resampling.BILINEAR)) + grain
        small = Image.fromarray(np.clip(fine, 0, 255).astype(np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def _clutter(rng: Generator, image: Image.Image, background: Color, count: int, largest: float) -> None:
    """Draw blobs, sticks and tiles of no category, with less contrast than the object."""
    wide, high = image.size
    pen = Pen(image, np.array([[wide, 0.0, 0.0], [0.0, wide, 0.0]]))
    for _ in range(count):
        x, y, size = rng.random(), rng.random() * high / wide, rng.uniform(0.02, largest)
        fill = mix(background, random_color(rng), rng.uniform(0.25, 0.9))
        kind = rng.integers(3)
        if kind == 0:
            pen.ellipse(x, y, size * 0.6, size * rng.uniform(0.2, 0.6), fill, tilt=rng.uniform(0, 180))
        elif kind == 1:
            angle = rng.uniform(0, math.pi)
            dx, dy = size * math.cos(angle), size * math.sin(angle)
            pen.line([(x - dx, y - dy), (x + dx, y + dy)], 0.015, fill)
        else:
            corners = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 6))))
            pen.polygon([(x + size * 0.6 * math.cos(a), y + size * 0.6 * math.sin(a)) for a in corners], fill)
