"""Figures of speed-accuracy curves."""

import numpy as np
import pytest

from convrnn_experiments.comparison.curves import curves_by_condition
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import canvas, sat_plots


@pytest.mark.parametrize(("misses", "people"), [("chance", 0), ("wrong", 1)])
def test_the_plot_draws_the_notebook_only_where_misses_are_wrong(misses, people):
    """The first two blocks of blur 0 were not read: the line has a gap, not a zero."""
    with canvas.style():
        axis = canvas.Sheet(1, (2, 2), columns=1).axes(0, canvas.Margins())
        sat_plots._published(axis, "blur 0", misses, np.arange(1.0, 6))
    assert len(axis.lines) == people
    for line in axis.lines:
        assert np.isnan(line.get_ydata()[:2]).all()
        assert line.get_label() == "humans, notebook ±0.3"


def test_curves_of_a_feedforward_network_and_without_people(tmp_path, seen, make_run):
    found = read_evaluations([make_run(tmp_path / "color", "color", seen, steps=1)])
    panels = curves_by_condition(found, [])
    with canvas.style():
        colours = canvas.colour_of(["color"])
        for cost in (False, True):
            picture = sat_plots.sat_curves(panels, colours, "people", cost=cost, misses=None)
            assert len(picture.panels) == 1
