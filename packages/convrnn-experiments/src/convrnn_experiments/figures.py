"""Pictures of results: legible in print, safe for colour-blind readers, with units and intervals."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

CHANCE = 100 / 16
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette (2008), told apart with every common colour blindness."""
MARKERS = ("o", "s", "^", "D", "v", "P")

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "savefig.dpi": 200,
}


def accuracy_curves(panels: Sequence[Mapping[str, Any]]) -> Figure:
    """Accuracy over time steps, a panel per evaluation and a line per level, with 95 % intervals.

    Args:
        panels: each with `title`, `unit` of the levels, and `lines`, which maps a label to a dict of `percent`,
            `low`, `high` (lists over time).
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(panels) + 0.4, 3.7), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, panel in zip(axes, panels, strict=True):
            _curves(axis, panel)
        axes[0].set_ylabel("Accuracy (%)")
        axes[0].set_ylim(0, 100)
    return figure


def _curves(axis: Axes, panel: Mapping[str, Any]) -> None:
    longest = 1
    for index, (label, line) in enumerate(panel["lines"].items()):
        steps = np.arange(1, len(line["percent"]) + 1)
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        axis.plot(steps, line["percent"], color=colour, marker=marker, markersize=5, label=label)
        axis.fill_between(steps, line["low"], line["high"], color=colour, alpha=0.18, linewidth=0)
        longest = max(longest, len(steps))
    axis.axhline(CHANCE, color="0.45", linestyle="--", linewidth=1)
    axis.annotate(
        "chance", (longest, CHANCE), (0, 3), textcoords="offset points", ha="right", va="bottom", color="0.35"
    )
    axis.set_title(panel["title"], loc="left")
    axis.set_xlabel("Time step")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(panel["lines"]) > 1:
        axis.legend(title=panel["unit"] or None, loc="best")


def png(figure: Figure) -> bytes:
    """The figure as a PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
