"""Speed-accuracy curves of networks and people, over time steps, multiply-adds and milliseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from convrnn_experiments.comparison.compare import Row
from convrnn_experiments.comparison.observer_estimates import mean_time_estimates
from convrnn_experiments.comparison.satbench import PEOPLE as DIGITISED_PEOPLE
from convrnn_experiments.comparison.satbench import comparable
from convrnn_experiments.evaluation.accuracy import accuracy_estimates
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.report.canvas import CHANCE, PEOPLE, Margins, Picture, Sheet
from convrnn_experiments.statistics.intervals import Estimate

Colours = Mapping[str, tuple[str, str]]
_KEY = {"fontsize": 7.2, "handlelength": 1.5, "columnspacing": 0.9, "handletextpad": 0.5}


@dataclass(frozen=True)
class Line:
    """A network's curve in one condition, (time,) estimates of accuracy in percent, and the images behind it."""

    network: str
    accuracy: list[Estimate]
    multiply_adds: np.ndarray
    images: int


@dataclass(frozen=True)
class Panel:
    """One condition: the curves of networks, and their comparisons with people where people were shown it."""

    title: str
    condition: str
    lines: list[Line]
    rows: list[Row]


def panels_of(evaluations: Sequence[Evaluation], rows: Sequence[Row]) -> list[Panel]:
    """A panel for each condition of the human stimuli and each other test set, in the order of evaluations.

    Where a network is compared with people, its curve is of the images that the comparison is of.
    """
    panels: dict[tuple[bool, str], Panel] = {}
    for one in evaluations:
        for condition, mask in one.conditions.items():
            if one.human and len(one.levels) > 1 and mask.all():
                continue
            kind = one.measures["kind"]
            title = condition if one.human else f"{condition.removesuffix(' (all levels)')}, {kind}"
            panel = panels.setdefault((one.human, condition), Panel(title, condition, [], []))
            row = next((row for row in rows if row.evaluation is one and row.condition == condition), None)
            if row is not None:
                panel.rows.append(row)
            answers = one.answers.of(mask) if row is None else row.answers
            estimates = accuracy_estimates(answers.right, answers.levels, answers.blocks, answers.labels)
            panel.lines.append(Line(one.network, estimates, one.multiply_adds, len(answers.labels)))
    return list(panels.values())


def sat_curves(
    panels: Sequence[Panel], colours: Colours, people: str, *, cost: bool, misses: str | None
) -> Picture:
    """Accuracy over time steps, or over multiply-adds, a panel for each condition.

    Filled marks are all images at each step. Hollow marks are what the RMSE compares with people: the images of each
    response-time block at the step matched to it.

    Args:
        panels: of `panels_of`.
        colours: of the networks.
        people: what to call them.
        cost: whether time is in multiply-adds instead of steps.
        misses: how missed trials are scored: published curves of that convention are drawn, none where None.
    """
    published = {panel.condition: comparable(panel.condition, misses) if misses else [] for panel in panels}
    entries = [len(panel.lines) + bool(panel.rows) + len(published[panel.condition]) for panel in panels]
    rows = -(-max(entries) // 2)
    sheet = Sheet(len(panels), (3.3, 2.62 + 0.16 * rows), columns=3)
    scale, unit = _cost_scale(panels)
    for cell, panel in enumerate(panels):
        axis = sheet.axes(cell, Margins(top=0.34 + 0.16 * rows))
        axis.grid(visible=True)
        for line in panel.lines:
            x = line.multiply_adds / scale if cost else np.arange(1, len(line.accuracy) + 1)
            _network_line(axis, line, x, colours)
        for row in panel.rows:
            _matched_marks(axis, row, colours, scale if cost else None)
        if panel.rows:
            # Of the network with most exits, which tells where people's response times are on the axis.
            most = max(panel.rows, key=lambda row: row.answers.answers.shape[1])
            _band(axis, _places(most, scale if cost else None), most.people, people)
            if not cost:
                _published(axis, panel.condition, misses or "", most.where + 1)
        _time_axis(axis, f"Multiply-adds ({unit})" if cost else "Time step", panel if not cost else None)
        axis.set_title(panel.title, pad=7 + 11.5 * rows)
        axis.legend(loc="lower left", bbox_to_anchor=(-0.17, 1.0), ncols=2, **_KEY)
    return sheet.picture("curves_multiply_adds" if cost else "curves_steps")


def millisecond_curves(panels: Sequence[Panel], colours: Colours, people: str) -> Picture:
    """People's accuracy over their mean response times, and networks' over time steps mapped to milliseconds."""
    shown = [panel for panel in panels if panel.rows]
    rows = -(-(max(len(panel.rows) for panel in shown) + 1) // 2)
    sheet = Sheet(len(shown), (3.3, 2.62 + 0.16 * rows), columns=3)
    for cell, panel in enumerate(shown):
        axis = sheet.axes(cell, Margins(top=0.34 + 0.16 * rows))
        axis.grid(visible=True)
        for row in panel.rows:
            line = next(line for line in panel.lines if line.network == row.evaluation.network)
            if np.isfinite(row.affine.speed):
                steps = np.arange(1, len(line.accuracy) + 1)
                _network_line(axis, line, row.affine.delay + row.affine.speed * steps, colours)
        row = panel.rows[0]
        times, accuracy = mean_time_estimates(row.crowd), row.people
        x, y = (np.array([one.value for one in found]) for found in (times, accuracy))
        axis.errorbar(
            x, y, xerr=_arms(times), yerr=_arms(accuracy), color=PEOPLE, marker="o", markersize=4, linewidth=1.2,
            elinewidth=1, capsize=2, label=people,
        )  # fmt: skip
        _time_axis(axis, "Response time (ms)", None)
        axis.set_xlim(0, 1.15 * np.nanmax(x))
        axis.set_title(panel.title, pad=7 + 11.5 * rows)
        axis.legend(loc="lower left", bbox_to_anchor=(-0.17, 1.0), ncols=2, **_KEY)
    return sheet.picture("curves_milliseconds")


def _arms(found: Sequence[Estimate]) -> np.ndarray:
    """(2, n) lengths of error bars below and above; 0 where there is no interval."""
    return np.nan_to_num([[one.value - one.low for one in found], [one.high - one.value for one in found]])


def _cost_scale(panels: Sequence[Panel]) -> tuple[float, str]:
    largest = max(float(line.multiply_adds.max()) for panel in panels for line in panel.lines)
    return (1e9, "billions") if largest >= 1e9 else (1e6, "millions")


def _network_line(axis: Axes, line: Line, x: np.ndarray, colours: Colours) -> None:
    colour, marker = colours[line.network]
    value, low, high = ([getattr(one, end) for one in line.accuracy] for end in ("value", "low", "high"))
    axis.plot(x, value, color=colour, marker=marker, markersize=4, label=f"network {line.network}")
    axis.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)


def _places(row: Row, scale: float | None) -> np.ndarray:
    """Where the response-time blocks are on the axis of steps, or of multiply-adds."""
    if scale is None:
        return row.where + 1
    macs = row.evaluation.multiply_adds / scale
    return np.interp(row.where, np.arange(len(macs)), macs)


def _matched_marks(axis: Axes, row: Row, colours: Colours, scale: float | None) -> None:
    colour, marker = colours[row.evaluation.network]
    value = [one.value for one in row.network]
    axis.plot(
        _places(row, scale), value, linestyle="none", marker=marker, markersize=5.5, markerfacecolor="white",
        markeredgecolor=colour, markeredgewidth=1, zorder=3,
    )  # fmt: skip


def _band(axis: Axes, x: np.ndarray, found: Sequence[Estimate], label: str) -> None:
    value, low, high = (np.array([getattr(one, end) for one in found]) for end in ("value", "low", "high"))
    axis.plot(x, value, color=PEOPLE, marker="o", markersize=4, label=label)
    axis.fill_between(x, low, high, color=PEOPLE, alpha=0.15, linewidth=0)


def _published(axis: Axes, condition: str, misses: str, people_steps: np.ndarray) -> None:
    """SATBench's people at the steps matched to their blocks, its network at its steps 1 to 5."""
    for curve in comparable(condition, misses):
        people = curve.who == DIGITISED_PEOPLE
        steps = people_steps if people else np.arange(1.0, len(curve.percent) + 1)
        axis.plot(
            steps, curve.percent, color="0.62", linestyle="--" if people else ":", marker="o" if people else "s",
            markersize=3, linewidth=1, label=curve.label,
        )  # fmt: skip


def _time_axis(axis: Axes, label: str, steps: Panel | None) -> None:
    axis.axhline(CHANCE, color="0.55", linestyle=(0, (1, 2)), linewidth=1)
    axis.annotate(
        "chance", (1, CHANCE), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="right", color="0.4", fontsize=7,
    )  # fmt: skip
    axis.set(ylim=(0, 100), xlabel=label, ylabel="Accuracy (%)")
    longest = max((len(line.accuracy) for line in steps.lines), default=1) if steps else 0
    if 0 < longest <= 12:
        axis.set_xticks(range(1, max(longest, 5) + 1))
    else:
        axis.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axis.set_xlim(left=0.7 if steps else 0)
