"""Drawing primitives: a pen with an affine map, and colors that stand out from the background."""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]

_MIN_CONTRAST = 0.3
"""Minimum luma difference between object and background, which is a noise SD of 0.06 at contrast 0.2."""


class Pen:
    """Draws shapes given in the unit square onto an image, through an affine map.

    Args:
        image: RGB image, modified in place.
        matrix: (2, 3), maps unit coordinates to pixels.
    """

    def __init__(self, image: Image.Image, matrix: np.ndarray) -> None:
        self._draw = ImageDraw.Draw(image)
        self._matrix = matrix
        self._scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))

    def _pixels(self, points: Sequence[Point] | np.ndarray) -> list[Point]:
        moved = np.asarray(points, dtype=float) @ self._matrix[:, :2].T + self._matrix[:, 2]
        return [(float(x), float(y)) for x, y in moved]

    def polygon(self, points: Sequence[Point] | np.ndarray, fill: Color) -> None:
        """Fill the polygon through `points`."""
        self._draw.polygon(self._pixels(points), fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Color) -> None:
        """Fill an upright rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Color, tilt: float = 0.0) -> None:
        """Fill an ellipse around `(x, y)`, rotated by `tilt` degrees."""
        self.polygon(_oval(x, y, rx, ry, tilt), fill)

    def blob(self, points: Sequence[Point], fill: Color) -> None:
        """Fill the smooth closed curve (Catmull-Rom) through `points`."""
        self.polygon(smooth(np.asarray(points, dtype=float)), fill)

    def line(self, points: Sequence[Point] | np.ndarray, width: float, fill: Color) -> None:
        """Draw a line with round ends; `width` is in units of the square."""
        pixels, thick = self._pixels(points), max(1, round(width * self._scale))
        self._draw.line(pixels, fill=fill, width=thick, joint="curve")
        for x, y in (pixels[0], pixels[-1]):
            self._draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=fill)

    def ring(self, x: float, y: float, radius: float, width: float, fill: Color) -> None:
        """Draw a circle's outline."""
        points = _oval(x, y, radius, radius)
        self.line([*points, points[0], points[1]], width, fill)


def _oval(x: float, y: float, rx: float, ry: float, tilt: float = 0.0) -> np.ndarray:
    angle, turn = np.linspace(0, 2 * np.pi, 32, endpoint=False), math.radians(tilt)
    across, down = rx * np.cos(angle), ry * np.sin(angle)
    return np.stack(
        [
            x + across * math.cos(turn) - down * math.sin(turn),
            y + across * math.sin(turn) + down * math.cos(turn),
        ],
        axis=1,
    )


def smooth(points: np.ndarray, steps: int = 6) -> np.ndarray:
    """Return a closed Catmull-Rom curve through points, (points, 2), with `steps` points per segment."""
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    later = np.roll(points, -2, axis=0)
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (before, points, after, later))
    cubic = (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return (cubic / 2).reshape(-1, 2)


@dataclass(frozen=True)
class Paint:
    """Colors of an object: `ink` stands out from `body`, `line` from the background."""

    body: Color
    shade: Color
    light: Color
    ink: Color
    line: Color


def luma(color: Color) -> float:
    """Return the Rec. 601 luma in [0, 1]."""
    return (0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]) / 255


def mix(a: Color, b: Color, share: float) -> Color:
    """Interpolate between two colors."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def random_color(rng: Generator, saturation: float = 0.8) -> Color:
    """Draw a random color of any hue, with saturation up to `saturation` and value from 0.15 to 1."""
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), saturation * rng.random(), rng.uniform(0.15, 1))
    return round(255 * red), round(255 * green), round(255 * blue)


def random_paint(rng: Generator, background: Color) -> Paint:
    """Draw random colors for an object that stands out from `background`."""
    body, away = random_color(rng), luma(background)
    while abs(luma(body) - away) < _MIN_CONTRAST:
        body = random_color(rng)
    black, white = (20, 20, 24), (245, 244, 238)
    return Paint(
        body=body,
        shade=mix(body, black, 0.35),
        light=mix(body, white, 0.5),
        ink=black if luma(body) > 0.45 else white,
        line=black if away > 0.4 else white,
    )
