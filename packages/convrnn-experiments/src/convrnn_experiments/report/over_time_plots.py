"""Figure and table of balanced accuracy, sensitivity and calibration over time."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from convrnn_experiments.comparison.over_time import OVER_TIME, TimeCourse
from convrnn_experiments.report.canvas import CHANCE, HUMANS, Drawing, Margins, Sheet
from convrnn_experiments.report.formats import Table, ends
from convrnn_experiments.report.plots import Colours

DRAWN = tuple(measure for measure in OVER_TIME if measure.interval)
"""Measures with an interval, a column of panels each."""
_UNITS = {"percent": "%", "percentage points": "points"}
_CHANCE = {"macro_accuracy": CHANCE, "sensitivity": 0.0}


def by_condition(courses: Iterable[TimeCourse]) -> dict[str, list[TimeCourse]]:
    """Group courses by condition, in order."""
    groups: dict[str, list[TimeCourse]] = {}
    for course in courses:
        groups.setdefault(course.condition, []).append(course)
    return groups


def over_time(courses: Sequence[TimeCourse], colours: Colours, observers: str) -> Drawing:
    """Draw a row of panels per condition, a panel per measure with an interval.

    Args:
        courses: Courses from `time_courses`.
        colours: Colour and marker of each network.
        observers: Name of the observers.
    """
    groups = by_condition(courses)
    rows = -(-max(map(len, groups.values())) // 2)
    sheet = Sheet(len(groups) * len(DRAWN), (3.3, 2.4 + 0.16 * rows), columns=len(DRAWN))
    for row, (condition, members) in enumerate(groups.items()):
        for column, measure in enumerate(DRAWN):
            axis = sheet.axes(row * len(DRAWN) + column, Margins(top=0.34 + 0.16 * rows))
            for course in members:
                if measure.key in course.estimates:
                    _line(axis, course, measure.key, colours, observers)
            if measure.key in _CHANCE:
                axis.axhline(_CHANCE[measure.key], color="0.55", linestyle=(0, (1, 2)), linewidth=1)
            axis.grid(visible=True)
            axis.set(
                xlabel="Time step",
                ylabel=f"{measure.label.capitalize()} ({_UNITS.get(measure.unit, measure.unit)})",
            )
            if measure.key == "macro_accuracy":
                axis.set_ylim(0, 100)
            elif measure.key == "calibration_error":
                axis.set_ylim(bottom=0)
            axis.set_xlim(left=0.7)
            axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
            axis.set_title(condition, pad=7 + 11.5 * rows)
            axis.legend(
                loc="lower left", bbox_to_anchor=(-0.17, 1.0), ncols=2, fontsize=7.2, handlelength=1.5,
                columnspacing=0.9, handletextpad=0.5,
            )  # fmt: skip
    return sheet.draw("over_time")


def _line(axis: Axes, course: TimeCourse, key: str, colours: Colours, observers: str) -> None:
    colour, marker = (HUMANS, "o") if course.network is None else colours[course.network]
    label = observers if course.network is None else f"network {course.network}"
    value, low, high = np.array([[one.value, one.low, one.high] for one in course.estimates[key]]).T
    axis.plot(course.places, value, color=colour, marker=marker, markersize=3.5, linewidth=1.3, label=label)
    axis.fill_between(course.places, low, high, color=colour, alpha=0.15, linewidth=0)


def over_time_table(courses: Iterable[TimeCourse], observers: str) -> Table:
    """Tabulate every measure of every rater at every time, a row each."""
    return [
        {
            "condition": course.condition,
            "rater": observers if course.network is None else course.network,
            "time_step": "" if course.network is None else time + 1,
            "response_time_block": time + 1 if course.network is None else "",
            "measure": measure.key,
            "unit": measure.unit,
            "value": estimate.value,
            **ends(estimate),
            "images": course.images[time],
            "observers": course.observers,
        }
        for course in courses
        for measure in OVER_TIME
        for time, estimate in enumerate(course.estimates.get(measure.key, []))
    ]
