"""How pictures are made: their look, cells of equal size, and from one drawing a PNG, a PDF and a picture per cell."""

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

CHANCE = 100 / 16
NETWORKS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette (2008), told apart with every common colour blindness."""
PEOPLE = "#000000"
MARKERS = ("s", "^", "D", "v", "P", "X")
DPI = 200
CSS = 104
"""Pixels of a page, CSS's, for an inch of a picture: 9 pt become 13 px."""

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
    """Room around the axes within a cell, in inches, for labels and titles."""

    left: float = 0.58
    right: float = 0.14
    bottom: float = 0.5
    top: float = 0.3


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes:
        name: of its files.
        png, pdf: the whole figure.
        panels: each cell as a PNG, or a JPEG where there are photographs in it.
        width, height: of a cell, in CSS pixels.
    """

    name: str
    png: bytes
    pdf: bytes
    panels: tuple[bytes, ...]
    width: int
    height: int


class Sheet:
    """A figure of equal cells, filled from the left and from the top.

    Cells are laid out by hand: it takes a tenth of the time of matplotlib's own layout, and each cell can be cut out.
    """

    def __init__(self, cells: int, size: tuple[float, float], *, columns: int = 4) -> None:
        """A sheet for `cells` cells of `size` (width, height) in inches."""
        self.cells = cells
        self.size = size
        self.columns = min(columns, cells)
        self.rows = -(-cells // self.columns)
        self.figure = Figure(figsize=(self.columns * size[0], self.rows * size[1]))

    def axes(self, cell: int, margins: Margins, *, share: tuple[float, float] = (0.0, 1.0)) -> Axes:
        """Axes in a cell; `share` is the part of its width, from and to, that they and their margins take."""
        row, column = divmod(cell, self.columns)
        wide, high = self.size
        total = self.columns * wide, self.rows * high
        left = column * wide + share[0] * wide + margins.left
        width = (share[1] - share[0]) * wide - margins.left - margins.right
        bottom = total[1] - (row + 1) * high + margins.bottom
        height = high - margins.bottom - margins.top
        box = (left / total[0], bottom / total[1], width / total[0], height / total[1])
        return self.figure.add_axes(box)

    def picture(self, name: str, *, photographs: bool = False) -> Picture:
        """Draw; the same sheet gives the same bytes."""
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
            panels.append(_jpeg(panel) if photographs else _png(panel))
        width, height = (round(side * CSS) for side in self.size)
        return Picture(name, _png(whole), pdf.getvalue(), tuple(panels), width, height)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()


def style() -> Any:
    """The context in which every picture is made."""
    return matplotlib.rc_context(STYLE)


def colour_of(networks: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Network -> its colour and marker, the same in every picture of a page."""
    names = list(dict.fromkeys(networks))
    return {
        name: (NETWORKS[index % len(NETWORKS)], MARKERS[index % len(MARKERS)])
        for index, name in enumerate(names)
    }
