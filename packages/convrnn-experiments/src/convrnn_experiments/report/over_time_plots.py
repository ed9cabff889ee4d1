"""Figure and table of balanced accuracy, sensitivity and calibration over time."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from convrnn_experiments.comparison.columns import Measure
from convrnn_experiments.comparison.over_time import OVER_TIME, TimeCourse
from convrnn_experiments.report.canvas import CHANCE, HUMANS, UNITS, Drawing, Margins, Sheet
from convrnn_experiments.report.formats import Table, ends
from convrnn_experiments.report.plots import Colours
from convrnn_experiments.report.sat_plots import LEGEND

_CHANCE = {"macro_accuracy": CHANCE, "sensitivity": 0.0}


def by_condition(courses: Iterable[TimeCourse]) -> dict[str, list[TimeCourse]]:
    """Group courses by condition, in order."""
    groups: dict[str, list[TimeCourse]] = {}
    for course in courses:
        groups.setdefault(course.condition, []).append(course)
    return groups


def drawn_measures(courses: Sequence[TimeCourse]) -> list[Measure]:
    """Select the measures with an interval that any rater has."""
    return [
        measure
        for measure in OVER_TIME
        if measure.interval and any(_known(course, measure.key) for course in courses)
    ]


def _known(course: TimeCourse, key: str) -> bool:
    return any(np.isfinite(estimate.value) for estimate in course.estimates.get(key, []))


def over_time(courses: Sequence[TimeCourse], colours: Colours, observers: str) -> Drawing:
    """Draw a row of panels per condition, a panel per measure with an interval.

    Args:
        courses: Courses from `time_courses`.
        colours: Colour and marker of each network.
        observers: Name of the observers.
    """
    groups, measures = by_condition(courses), drawn_measures(courses)
    rows = -(-max(map(len, groups.values())) // 2)
    sheet = Sheet(len(groups) * len(measures), (3.3, 2.4 + 0.16 * rows), columns=len(measures))
    for row, (condition, members) in enumerate(groups.items()):
        for column, measure in enumerate(measures):
            axis = sheet.axes(row * len(measures) + column, Margins(top=0.34 + 0.16 * rows))
            for course in members:
                if _known(course, measure.key):
                    _line(axis, course, measure.key, colours, observers)
            if not axis.lines:
                axis.text(
                    0.5, 0.5, "not known", transform=axis.transAxes, ha="center", color="0.4", fontsize=8
                )
            if measure.key in _CHANCE:
                axis.axhline(_CHANCE[measure.key], color="0.55", linestyle=(0, (1, 2)), linewidth=1)
            axis.grid(visible=True)
            axis.set(
                xlabel="Time step",
                ylabel=f"{measure.label.capitalize()} ({UNITS.get(measure.unit, measure.unit)})",
            )
            if measure.key == "macro_accuracy":
                axis.set_ylim(0, 100)
            elif measure.key == "calibration_error":
                axis.set_ylim(bottom=0)
            longest = max(float(np.max(course.places)) for course in members)
            axis.set_xlim(0.7, longest + 0.3)
            axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
            axis.set_title(condition, pad=7 + 11.5 * rows)
            if axis.get_legend_handles_labels()[0]:
                axis.legend(loc="lower left", bbox_to_anchor=(-0.17, 1.0), ncols=2, **LEGEND)
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
