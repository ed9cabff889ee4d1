"""Picture of the answer: speed-accuracy curves of networks and humans in each condition, with the ranking below."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from convrnn_experiments.comparison.observer_estimates import mean_time_estimates
from convrnn_experiments.report.answer import Ranking, short
from convrnn_experiments.report.canvas import CHANCE, HUMANS, Drawing, Margins, Sheet
from convrnn_experiments.report.plots import Colours
from convrnn_experiments.statistics.intervals import Estimate

_LINE = 0.34
"""Height of a network in the ranking, in inches."""
_CURVES = 2.25


def overview(rankings: Sequence[Ranking], colours: Colours) -> Drawing:
    """Draw a panel per condition: curves above, and the distances of the networks from the humans below.

    Args:
        rankings: Rankings over all levels of each regime.
        colours: Colour and marker of each network; several seeds have those of the first.
    """
    most = max(len(one.places) for one in rankings)
    below = 0.5 + _LINE * (most + 0.4)
    height = _CURVES + 0.35 + below
    sheet = Sheet(len(rankings), (2.66, height), columns=4)
    reach = 1.08 * max(_upper(place.distance) for one in rankings for place in one.places)
    for cell, one in enumerate(rankings):
        curves = sheet.axes(cell, Margins(left=0.56, right=0.1, top=0.3, bottom=below + 0.45))
        _curves(curves, one, colours)
        curves.set_title(short(one.condition))
        distances = sheet.axes(cell, Margins(left=0.56, right=0.1, top=_CURVES + 0.4, bottom=0.45))
        _distances(distances, one, colours, max(reach, 1.0), most)
    return sheet.draw("overview")


def _upper(estimate: Estimate) -> float:
    return estimate.high if np.isfinite(estimate.high) else estimate.value


def _curves(axis: Axes, one: Ranking, colours: Colours) -> None:
    row = one.first.row
    times = np.array([estimate.value for estimate in mean_time_estimates(row.observers)])
    value, low, high = np.array([[point.value, point.low, point.high] for point in row.human]).T
    axis.grid(visible=True)
    axis.axhline(CHANCE, color="0.55", linestyle=(0, (1, 2)), linewidth=1)
    axis.fill_between(times, low, high, color=HUMANS, alpha=0.15, linewidth=0)
    axis.plot(times, value, color=HUMANS, marker="o", markersize=4, linewidth=1.8, zorder=3)
    for place in reversed(one.places):
        colour, marker = colours[place.contender.networks[0]]
        axis.plot(times, place.contender.accuracies, color=colour, marker=marker, markersize=4)
    axis.set(ylim=(0, 100), ylabel="Accuracy (%)", xlabel="Mean response time (ms)")


def _distances(axis: Axes, one: Ranking, colours: Colours, reach: float, most: int) -> None:
    """Draw the RMSE of each network with its interval, its name above it, and the noise floor as a line."""
    for line, place in enumerate(one.places):
        colour, marker = colours[place.contender.networks[0]]
        distance, level = place.distance, -line - 0.25
        axis.plot([distance.low, distance.high], [level, level], color=colour, linewidth=1.6)
        axis.plot(distance.value, level, color=colour, marker=marker, markersize=5.5)
        name = axis.text(
            0, -line + 0.32, f"{place.rank}. {place.network}", fontsize=8, va="center", clip_on=True
        )
        name.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.8})
    floor = one.first.estimates["sat_rmse_floor"].value
    if np.isfinite(floor):
        axis.axvline(floor, color="0.45", linestyle="--", linewidth=1, zorder=0)
    axis.set(xlim=(0, max(reach, 1.08 * (floor if np.isfinite(floor) else 0))), ylim=(-most + 0.45, 0.6))
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("Distance of the curves (points)")
