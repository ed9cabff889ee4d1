"""Comparison of humans with networks of which only accuracies are known."""

from pathlib import Path

import numpy as np
import pytest

from convrnn_data.observers.table import observer_curves
from convrnn_experiments.comparison.accuracy_rows import compare_accuracies
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.conditions import Regime
from convrnn_experiments.evaluation.sources import FileSource
from convrnn_experiments.rows.accuracies import AccuracyRow

UNKNOWN = np.full(5, np.nan)


def row(regime: Regime, level: str, percent) -> AccuracyRow:
    return AccuracyRow("net", regime, level, np.array(percent, dtype=float), UNKNOWN, UNKNOWN, SOURCE)


SOURCE = FileSource(Path("results.json"), "form", "0" * 64, 0)


@pytest.fixture(scope="module")
def group(human_data):
    return read_observer_group(human_data)


def test_a_copy_of_the_human_curve_has_no_distance(group):
    trials = group.table[(group.table.experiment == "blur") & (group.table.level == "3")]
    human = observer_curves(trials, by=None).mean().to_numpy()
    (compared,) = compare_accuracies([row(Regime.BLUR, "3", human)], group)
    assert (compared.condition, compared.observers, compared.level_blocks) == ("blur 3", 4, 5)
    assert compared.values["sat_rmse_raw"] == pytest.approx(0, abs=1e-12)
    (shifted,) = compare_accuracies([row(Regime.BLUR, "3", human + 10)], group)
    assert shifted.values["sat_rmse_raw"] == pytest.approx(10)
    assert shifted.values["steepness_network"] == pytest.approx(compared.values["steepness_network"])


def test_the_distance_is_over_all_levels_and_blocks(group):
    levels, rng = ("0", "3", "9"), np.random.default_rng(0)
    percent = rng.uniform(0, 100, (3, 5))
    compared = {
        one.condition: one
        for one in compare_accuracies(
            [row(Regime.BLUR, level, line) for level, line in zip(levels, percent, strict=True)], group
        )
    }
    assert list(compared) == ["blur 0", "blur 3", "blur 9", "blur (all levels)"]
    trials = group.table[group.table.experiment == "blur"]
    cells = trials.groupby(["observer", "level", "block"]).score.mean().groupby(["level", "block"]).mean()
    gaps = percent - 100 * cells.unstack("block").loc[list(levels)].to_numpy()
    for level, line in zip(levels, gaps, strict=True):
        assert compared[f"blur {level}"].values["sat_rmse_raw"] == pytest.approx(np.sqrt(np.mean(line**2)))
    pooled = compared["blur (all levels)"]
    assert pooled.values["sat_rmse_raw"] == pytest.approx(np.sqrt(np.mean(gaps**2)))
    slope = np.polyfit(np.linspace(0, 1, 5), percent.mean(axis=0), 1)[0]
    assert pooled.values["steepness_network"] == pytest.approx(slope)
    assert pooled.level_blocks == 15


def test_levels_that_no_observer_was_shown_are_left_out(group):
    assert compare_accuracies([row(Regime.BLUR, "6", [1, 2, 3, 4, 5])], group) == []
    both = [row(Regime.COLOR, "c", [1, 2, 3, 4, 5]), row(Regime.GRAYSCALE, "g", [1, 2, 3, 4, 5])]
    assert [one.condition for one in compare_accuracies(both, group)] == ["color", "grayscale"]
