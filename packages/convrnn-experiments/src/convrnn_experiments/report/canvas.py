"""Canvas of the figures: style, cells of equal size, and output as PNG, PDF and one image per cell."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from convrnn_data import categories

CHANCE = 100 * categories.CHANCE
"""Chance level in percent."""
NETWORKS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#332288", "#882255", "#999933", "#44AA99"),
)
"""Palette of Okabe and Ito (2008), then of Tol (2021), distinguishable with every common form of colour blindness."""
HUMANS = "#000000"
MARKERS = ("s", "^", "D", "v", "P", "X", "p", "*")
"""More markers than colours, so that networks of one colour have different markers."""
_WHITE = 251
"""Least value of a colour that a palette represents as white: averaging with near-white pixels tints the background."""
UNITS = {"percent": "%", "percentage points": "points"}
"""Unit of a measure -> short form on an axis."""
DPI = 200
CSS = 104
"""CSS pixels of the page per inch of a drawing: 9 pt become 13 px."""

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
}


@dataclass(frozen=True)
class Margins:
    """Margins of the axes within a cell, in inches, for labels and titles."""

    left: float = 0.58
    right: float = 0.14
    bottom: float = 0.5
    top: float = 0.3


@dataclass(frozen=True)
class Drawing:
    """Drawn figure.

    Attributes:
        name: Stem of the file names.
        png, pdf: Whole figure, encoded.
        panels: Each cell as WebP, which is lossy if it shows photographs.
        width, height: Size of a cell, in CSS pixels.
    """

    name: str
    png: bytes
    pdf: bytes
    panels: tuple[bytes, ...]
    width: int
    height: int


class Sheet:
    """Grid of equal cells, filled row by row.

    Cells have fixed positions, so each can be cropped, and drawing takes a tenth of the time of matplotlib's layout.
    """

    def __init__(self, cells: int, size: tuple[float, float], *, columns: int = 4) -> None:
        """Lay out `cells` cells of `size` (width, height) in inches."""
        self.cells = cells
        self.size = size
        self.columns = min(columns, cells)
        self.rows = -(-cells // self.columns)
        self.figure = Figure(figsize=(self.columns * size[0], self.rows * size[1]))

    def axes(self, cell: int, margins: Margins, *, share: tuple[float, float] = (0.0, 1.0)) -> Axes:
        """Add axes to a cell; `share` is the range of the cell's width for the axes with their margins."""
        row, column = divmod(cell, self.columns)
        wide, high = self.size
        total = self.columns * wide, self.rows * high
        left = column * wide + share[0] * wide + margins.left
        width = (share[1] - share[0]) * wide - margins.left - margins.right
        bottom = total[1] - (row + 1) * high + margins.bottom
        height = high - margins.bottom - margins.top
        box = (left / total[0], bottom / total[1], width / total[0], height / total[1])
        return self.figure.add_axes(box)

    def draw(self, name: str, *, photographs: bool = False) -> Drawing:
        """Draw the sheet; equal sheets give equal bytes."""
        canvas = FigureCanvasAgg(self.figure)
        canvas.draw()
        whole = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        pdf = io.BytesIO()
        self.figure.savefig(
            pdf, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None}
        )
        wide, high = (side * DPI for side in self.size)
        panels = []
        for cell in range(self.cells):
            row, column = divmod(cell, self.columns)
            left, top = round(column * wide), round(row * high)
            panel = whole.crop((left, top, left + round(wide), top + round(high)))
            panels.append(_photograph(panel) if photographs else _plot(panel))
        width, height = (round(side * CSS) for side in self.size)
        return Drawing(name, _png(whole), pdf.getvalue(), tuple(panels), width, height)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _plot(image: Image.Image) -> bytes:
    """Encode a panel of a plot in a palette of 256 colours: a fifth of the size of a PNG in all colours."""
    reduced = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    colours = np.array(reduced.getpalette()).reshape(-1, 3)
    colours[(colours >= _WHITE).all(axis=1)] = 255
    reduced.putpalette(colours.astype(np.uint8).tobytes())
    # Method 2 is as fast as a PNG and a third smaller; higher ones take longer for the same size.
    return _webp(reduced.convert("RGB"), lossless=True, method=2, quality=50)


def _photograph(image: Image.Image) -> bytes:
    """Encode a panel with photographs: a third of the size of a JPEG of the same quality."""
    return _webp(image, method=2, quality=75)


def _webp(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", **options)
    return buffer.getvalue()


def style() -> Any:
    """Return a context manager with the style of all figures."""
    return matplotlib.rc_context(STYLE)


def colour_of(networks: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Assign each network a colour and marker for all figures of a page."""
    names = list(dict.fromkeys(networks))
    return {
        name: (NETWORKS[index % len(NETWORKS)], MARKERS[index % len(MARKERS)])
        for index, name in enumerate(names)
    }
