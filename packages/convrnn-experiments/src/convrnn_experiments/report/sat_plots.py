"""Figures of speed-accuracy curves over time steps, multiply-adds and milliseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.curves import ConditionCurves, NetworkCurve
from convrnn_experiments.comparison.observer_estimates import mean_time_estimates
from convrnn_experiments.comparison.satbench import comparable
from convrnn_experiments.report.canvas import CHANCE, HUMANS, Drawing, Margins, Sheet
from convrnn_experiments.rows.accuracies import AccuracyRow
from convrnn_experiments.statistics.intervals import Estimate

Colours = Mapping[str, tuple[str, str]]
LEGEND: dict[str, float] = {"fontsize": 7.2, "handlelength": 1.5, "columnspacing": 0.9, "handletextpad": 0.5}
"""Options of a legend of two columns above a panel."""


def sat_curves(
    panels: Sequence[ConditionCurves], colours: Colours, observers: str, *, cost: bool, misses: str | None
) -> Drawing:
    """Draw accuracy over time steps, or over multiply-adds, a panel per condition.

    Filled markers show all images at each step. Hollow markers show the accuracies that the RMSE compares with humans:
    the images of each response-time block at the matched step.

    Args:
        panels: Curves from `curves_by_condition`.
        colours: Colour and marker of each network.
        observers: Name of the observers.
        cost: Use multiply-adds instead of time steps.
        misses: Convention for missed trials, which selects the published curves to draw; None draws none.
    """
    published = {
        panel.condition: comparable(panel.condition, misses) if misses and not cost else []
        for panel in panels
    }
    entries = [
        len(panel.networks) + len(panel.accuracies) + bool(panel.rows) + len(published[panel.condition])
        for panel in panels
    ]
    rows = -(-max(entries) // 2)
    sheet = Sheet(len(panels), (3.3, 2.62 + 0.16 * rows), columns=3)
    scale, unit = _cost_scale(panels)
    for cell, panel in enumerate(panels):
        axis = sheet.axes(cell, Margins(top=0.34 + 0.16 * rows))
        axis.grid(visible=True)
        for line in panel.networks:
            x = line.multiply_adds / scale if cost else np.arange(1, len(line.accuracy) + 1)
            _network_line(axis, line, x, colours)
        for other in panel.accuracies:
            _accuracy_line(axis, other, other.multiply_adds / scale if cost else np.arange(1, 6), colours)
        for row in panel.rows:
            _matched_marks(axis, row, colours, scale if cost else None)
        if panel.rows:
            # The network with the most exits determines the positions of the human response times.
            longest = max(panel.rows, key=lambda row: row.answers.answers.shape[1])
            _human_line(axis, _places(longest, scale if cost else None), longest.human, observers)
            if not cost:
                _published(axis, panel.condition, misses or "", longest.positions + 1)
        _time_axis(axis, f"Multiply-adds ({unit})" if cost else "Time step", panel if not cost else None)
        axis.set_title(panel.title, pad=7 + 11.5 * rows)
        axis.legend(loc="lower left", bbox_to_anchor=(-0.17, 1.0), ncols=2, **LEGEND)
    return sheet.draw("curves_multiply_adds" if cost else "curves_steps")


def millisecond_curves(panels: Sequence[ConditionCurves], colours: Colours, observers: str) -> Drawing:
    """Draw human accuracy over mean response times, and networks over time steps mapped to milliseconds."""
    shown = [panel for panel in panels if panel.rows]
    rows = -(-(max(len(panel.rows) for panel in shown) + 1) // 2)
    sheet = Sheet(len(shown), (3.3, 2.62 + 0.16 * rows), columns=3)
    for cell, panel in enumerate(shown):
        axis = sheet.axes(cell, Margins(top=0.34 + 0.16 * rows))
        axis.grid(visible=True)
        affine = {row.evaluation.network: row.affine for row in panel.rows}
        for line in in_milliseconds(panel).networks:
            match = affine[line.network]
            steps = np.arange(1, len(line.accuracy) + 1)
            _network_line(axis, line, match.delay + match.speed * steps, colours)
        row = panel.rows[0]
        times, accuracy = mean_time_estimates(row.observers), row.human
        x, y = (np.array([estimate.value for estimate in estimates]) for estimates in (times, accuracy))
        axis.errorbar(
            x, y, xerr=_error_bars(times), yerr=_error_bars(accuracy), color=HUMANS, marker="o", markersize=4,
            linewidth=1.2, elinewidth=1, capsize=2, label=observers,
        )  # fmt: skip
        _time_axis(axis, "Response time (ms)", None)
        axis.set_xlim(0, 1.15 * np.nanmax(x))
        axis.set_title(panel.title, pad=7 + 11.5 * rows)
        axis.legend(loc="lower left", bbox_to_anchor=(-0.17, 1.0), ncols=2, **LEGEND)
    return sheet.draw("curves_milliseconds")


def in_milliseconds(panel: ConditionCurves) -> ConditionCurves:
    """Select the networks whose time steps are mapped to milliseconds."""
    mapped = {row.evaluation.network for row in panel.rows if np.isfinite(row.affine.speed)}
    return replace(panel, networks=[line for line in panel.networks if line.network in mapped])


def _error_bars(estimates: Sequence[Estimate]) -> np.ndarray:
    """Return the lengths of error bars below and above, (2, n); 0 without an interval."""
    value, low, high = _columns(estimates)
    return np.nan_to_num([value - low, high - value])


def _columns(estimates: Sequence[Estimate]) -> np.ndarray:
    """Return values, low ends and high ends, (3, n)."""
    return np.array([[estimate.value, estimate.low, estimate.high] for estimate in estimates]).T


def _cost_scale(panels: Sequence[ConditionCurves]) -> tuple[float, str]:
    largest = max(
        float(np.nanmax(line.multiply_adds, initial=0)) for panel in panels for line in panel.networks
    )
    return (1e9, "billions") if largest >= 1e9 else (1e6, "millions")


def _network_line(axis: Axes, line: NetworkCurve, x: np.ndarray, colours: Colours) -> None:
    colour, marker = colours[line.network]
    value, low, high = _columns(line.accuracy)
    axis.plot(x, value, color=colour, marker=marker, markersize=4, label=f"network {line.network}")
    axis.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)


def _accuracy_line(axis: Axes, row: AccuracyRow, x: np.ndarray, colours: Colours) -> None:
    """Draw accuracies by response-time block, dashed because each is on other images."""
    colour, marker = colours[row.network]
    axis.plot(
        x, row.percent, color=colour, linestyle="--", linewidth=1, marker=marker, markersize=5.5,
        markerfacecolor="white", label=f"network {row.network}",
    )  # fmt: skip


def _places(row: Comparison, scale: float | None) -> np.ndarray:
    """Return the positions of the response-time blocks on the axis of steps, or of multiply-adds divided by `scale`."""
    if scale is None:
        return row.positions + 1
    macs = row.evaluation.multiply_adds / scale
    return np.interp(row.positions, np.arange(len(macs)), macs)


def _matched_marks(axis: Axes, row: Comparison, colours: Colours, scale: float | None) -> None:
    colour, marker = colours[row.evaluation.network]
    axis.plot(
        _places(row, scale), _columns(row.network)[0], linestyle="none", marker=marker, markersize=5.5,
        markerfacecolor="white", markeredgecolor=colour, markeredgewidth=1, zorder=3,
    )  # fmt: skip


def _human_line(axis: Axes, x: np.ndarray, accuracy: Sequence[Estimate], label: str) -> None:
    value, low, high = _columns(accuracy)
    axis.plot(x, value, color=HUMANS, marker="o", markersize=4, label=label)
    axis.fill_between(x, low, high, color=HUMANS, alpha=0.15, linewidth=0)


def _published(axis: Axes, condition: str, misses: str, human_steps: np.ndarray) -> None:
    """Draw SATBench's human curves at the steps matched to the blocks, and its network curves at steps 1 to 5."""
    for curve in comparable(condition, misses):
        steps = human_steps if curve.human else np.arange(1.0, len(curve.percent) + 1)
        axis.plot(
            steps, curve.percent, color="0.62", linestyle="--" if curve.human else ":",
            marker="o" if curve.human else "s", markersize=3, linewidth=1, label=curve.label,
        )  # fmt: skip


def _time_axis(axis: Axes, label: str, steps: ConditionCurves | None) -> None:
    axis.axhline(CHANCE, color="0.55", linestyle=(0, (1, 2)), linewidth=1)
    axis.annotate(
        "chance", (1, CHANCE), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="right", color="0.4", fontsize=7, zorder=5, path_effects=[withStroke(linewidth=2, foreground="white")],
    )  # fmt: skip
    axis.set(ylim=(0, 100), xlabel=label, ylabel="Accuracy (%)")
    longest = max((len(line.accuracy) for line in steps.networks), default=1) if steps else 0
    if 0 < longest <= 12:
        axis.set_xticks(range(1, max(longest, 5) + 1))
    else:
        axis.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axis.set_xlim(left=0.7 if steps else 0)
