"""Figure and table of balanced accuracy, sensitivity and calibration."""

from dataclasses import replace

from convrnn_experiments.comparison.over_time import OVER_TIME, time_courses
from convrnn_experiments.report import canvas, over_time_plots
from convrnn_experiments.statistics.intervals import UNDEFINED


def test_a_panel_per_condition_and_measure_and_a_row_per_estimate(findings):
    courses = findings.courses
    groups = over_time_plots.by_condition(courses)
    with canvas.style():
        drawing = over_time_plots.over_time(courses, canvas.colour_of(findings.networks), findings.noun)
    assert len(drawing.panels) == 3 * len(groups)
    assert [measure.key for measure in over_time_plots.drawn_measures(courses)] == [
        "macro_accuracy",
        "sensitivity",
        "calibration_error",
    ]
    table = over_time_plots.over_time_table(courses, findings.noun)
    assert len(table) == sum(len(values) for course in courses for values in course.estimates.values())
    assert len({tuple(row) for row in table}) == 1
    for row in table:
        assert (
            (row["time_step"] == "") == (row["rater"] == findings.noun) == (row["response_time_block"] != "")
        )
        assert (row["observers"] > 0) == (row["rater"] == findings.noun)


def test_every_network_and_the_humans_of_a_condition_have_a_course(findings):
    courses = time_courses(findings.curves)
    networks = sum(len(panel.networks) for panel in findings.curves)
    assert sum(course.network is not None for course in courses) == networks
    assert sum(course.network is None for course in courses) == sum(
        bool(panel.rows) for panel in findings.curves
    )
    for course in courses:
        assert set(course.estimates) <= {measure.key for measure in OVER_TIME}
        assert all(
            len(values) == len(course.places) == len(course.images) for values in course.estimates.values()
        )
    assert time_courses(findings.curves[:0]) == []


def test_networks_without_confidence_have_no_panel_of_calibration(findings):
    unknown = [
        replace(course, estimates=course.estimates | {"calibration_error": [UNDEFINED] * len(course.places)})
        for course in findings.courses
    ]
    colours = canvas.colour_of(findings.networks)
    with canvas.style():
        drawing = over_time_plots.over_time(unknown, colours, findings.noun)
        partly = over_time_plots.over_time([*findings.courses[:1], *unknown[1:]], colours, findings.noun)
    groups = over_time_plots.by_condition(unknown)
    assert len(drawing.panels) == 2 * len(groups)
    assert len(partly.panels) == 3 * len(groups)
