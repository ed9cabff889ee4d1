"""Figure of the spread over training seeds."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from convrnn_experiments.comparison.seed_groups import SeedRow
from convrnn_experiments.report.canvas import NETWORKS, UNITS, Drawing, Margins, Sheet

_ROW = 0.42
"""Height of a group, in inches."""


def seed_values(rows: Sequence[SeedRow]) -> Drawing:
    """Draw the networks of each group and their mean, a panel per measure and a line per group and condition.

    Args:
        rows: Rows to draw; measures without a value in any of them are left out.
    """
    shown = drawn_measures(rows)
    lines = max(map(len, shown))
    sheet = Sheet(len(shown), (3.3, 0.95 + _ROW * lines), columns=3)
    for cell, members in enumerate(shown):
        axis = sheet.axes(cell, Margins(left=0.2))
        for line, row in enumerate(members):
            _line(axis, row, line)
        measure = members[0].measure
        axis.set_title(measure.label[:1].upper() + measure.label[1:])
        axis.set(xlabel=UNITS.get(measure.unit, measure.unit), yticks=[], ylim=(lines - 0.3, -0.75))
        axis.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axis.margins(x=0.08)
        axis.grid(visible=True, axis="x")
        axis.spines["left"].set_visible(False)
    return sheet.draw("seeds")


def drawn_measures(rows: Sequence[SeedRow]) -> list[list[SeedRow]]:
    """Group rows by measure, and leave out measures without a value."""
    groups: dict[str, list[SeedRow]] = {}
    for row in rows:
        groups.setdefault(row.measure.key, []).append(row)
    return [members for members in groups.values() if np.isfinite([one.values for one in members]).any()]


def _line(axis: Axes, row: SeedRow, line: int) -> None:
    colour = NETWORKS[0]
    label = f"{row.name}: {row.condition}"
    axis.annotate(
        label, (0, line), (0, 8), xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=7.5
    )
    known = [value for value in row.values if np.isfinite(value)]
    axis.plot(
        known, [line] * len(known), linestyle="none", marker="o", markersize=4.5, markerfacecolor="white",
        markeredgecolor="0.35",
    )  # fmt: skip
    if not known:
        axis.annotate(
            "undefined", (0.5, line), (0, -3), xycoords=("axes fraction", "data"), textcoords="offset points",
            color="0.4", fontsize=7.5, ha="center",
        )  # fmt: skip
    for estimate, width in ((row.spread.on_new_images, 1.0), (row.spread.mean, 3.0)):
        if np.isfinite([estimate.low, estimate.high]).all():
            axis.plot((estimate.low, estimate.high), (line + 0.22,) * 2, color=colour, linewidth=width)
    axis.plot(row.spread.mean.value, line + 0.22, marker="D", markersize=4.5, color=colour)
