"""Figure of the spread over training seeds."""

from dataclasses import replace

import numpy as np
import pytest

from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.seed_groups import ACCURACY, SeedRow
from convrnn_experiments.report import canvas, seed_plots
from convrnn_experiments.statistics.training_seeds import spread_of_values


@pytest.fixture
def row():
    values = (50.0, 52.0, 57.0)
    networks = tuple(f"blur-seed{seed}" for seed in range(3))
    return SeedRow(
        "blur", networks, (0, 1, 2), "blur", "blur", True, ACCURACY, 90, values, spread_of_values(values)
    )


def test_a_panel_per_measure_with_a_value(row):
    unknown = (np.nan,) * 3
    other = replace(row, measure=MEASURES[0], values=unknown, spread=spread_of_values(unknown))
    assert [members[0].measure for members in seed_plots.drawn_measures([row, other])] == [ACCURACY]
    assert seed_plots.drawn_measures([other]) == []
    with canvas.style():
        drawing = seed_plots.seed_values([row, replace(row, name="noise"), other])
    assert drawing.name == "seeds"
    assert len(drawing.panels) == 1


def test_networks_their_mean_and_the_interval_are_drawn(row, monkeypatch):
    sheets = []

    class Kept(canvas.Sheet):
        def draw(self, name, **options):
            sheets.append(self)
            return super().draw(name, **options)

    monkeypatch.setattr(seed_plots, "Sheet", Kept)
    undefined = replace(row, name="noise", values=(np.nan,) * 3, spread=spread_of_values([np.nan] * 3))
    with canvas.style():
        seed_plots.seed_values([row, undefined])
    (axis,) = sheets[0].figure.axes
    drawn = [line.get_xdata().tolist() for line in axis.lines]
    assert list(row.values) in drawn
    assert [pytest.approx(np.mean(row.values))] in drawn
    assert [row.spread.mean.low, row.spread.mean.high] in drawn
    assert {text.get_text() for text in axis.texts} >= {"blur: blur", "noise: blur", "undefined"}
