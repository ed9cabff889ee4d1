"""Figures of speed-accuracy curves."""

from dataclasses import replace

import numpy as np
import pytest

from convrnn_experiments.comparison.curves import curves_by_condition
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import canvas, sat_plots


@pytest.mark.parametrize(("misses", "curves"), [("chance", 0), ("wrong", 1)])
def test_notebook_curves_are_drawn_only_where_misses_are_wrong(misses, curves):
    """Check that the first two blocks of blur 0, which were not read, are a gap, not zeros."""
    with canvas.style():
        axis = canvas.Sheet(1, (2, 2), columns=1).axes(0, canvas.Margins())
        sat_plots._published(axis, "blur 0", misses, np.arange(1.0, 6))
    assert len(axis.lines) == curves
    for line in axis.lines:
        assert np.isnan(line.get_ydata()[:2]).all()
        assert line.get_label() == "humans, notebook ±0.3"


def test_a_feedforward_network_has_curves_without_humans(tmp_path, human_data, make_run):
    found = read_evaluations([make_run(tmp_path / "color", "color", human_data, steps=1)])
    panels = curves_by_condition(found, [])
    with canvas.style():
        colours = canvas.colour_of(["color"])
        for cost in (False, True):
            drawing = sat_plots.sat_curves(panels, colours, "humans", cost=cost, misses=None)
            assert len(drawing.panels) == 1


def test_only_networks_whose_steps_are_mapped_to_milliseconds_are_drawn(findings):
    panel = next(panel for panel in findings.curves if panel.rows)
    row = panel.rows[0]
    without = replace(row, affine=replace(row.affine, speed=float("nan")))
    name = row.evaluation.network
    assert name in [line.network for line in sat_plots.in_milliseconds(panel).networks]
    left = sat_plots.in_milliseconds(replace(panel, rows=[without, *panel.rows[1:]]))
    assert name not in [line.network for line in left.networks]
