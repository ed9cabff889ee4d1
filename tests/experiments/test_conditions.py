"""Table of regimes: levels, names and their order."""

import numpy as np
import pytest

from convrnn_data.human.stimuli import CONDITIONS as HUMAN_CONDITIONS
from convrnn_data.human.stimuli import EXPERIMENTS
from convrnn_experiments.conditions import (
    ALL_LEVELS,
    CONDITIONS,
    Regime,
    condition_name,
    level_order,
    plain_level,
)
from convrnn_experiments.errors import ConvRNNError


def test_the_table_has_a_row_for_each_regime():
    assert list(CONDITIONS) == list(Regime)
    assert all(condition.regime == regime for regime, condition in CONDITIONS.items())
    assert list(HUMAN_CONDITIONS) == [str(regime) for regime in Regime]
    assert {condition.experiment for condition in CONDITIONS.values()} == set(EXPERIMENTS)


def test_levels_are_those_of_satbench():
    assert CONDITIONS[Regime.NOISE].levels == (0.0, 0.01, 0.02, 0.03, 0.04)
    blur = CONDITIONS[Regime.BLUR].levels
    assert len(blur) == 31
    assert blur[0] == 0
    assert blur[-1] == 3.0
    assert np.allclose(np.diff(blur), 0.1)
    assert CONDITIONS[Regime.COLOR].levels == CONDITIONS[Regime.GRAYSCALE].levels == (0.0,)


def test_levels_can_be_replaced():
    noise = CONDITIONS[Regime.NOISE]
    assert noise.with_levels(None) is noise
    changed = noise.with_levels((0, 0.5))
    assert changed.levels == (0.0, 0.5)
    assert (changed.test_levels, changed.contrast) == (noise.test_levels, 0.2)


@pytest.mark.parametrize("levels", [(), (-0.1,), (0.1, float("inf")), (float("nan"),)])
def test_levels_that_are_not_finite_sds_are_refused(levels):
    with pytest.raises(ConvRNNError, match="cannot set blur levels: each must be a finite SD of at least 0"):
        CONDITIONS[Regime.BLUR].with_levels(levels)


def test_a_regime_without_levels_refuses_them():
    with pytest.raises(ConvRNNError, match=r"must be noise or blur, got levels .* for grayscale"):
        CONDITIONS[Regime.GRAYSCALE].with_levels((0.1,))


def test_every_condition_has_one_name():
    names = [
        condition_name(regime, plain_level(level))
        for regime, condition in CONDITIONS.items()
        for level in condition.test_levels
    ]
    expected = ["color", "grayscale", "noise 0", "noise 0.04", "noise 0.16", "blur 0", "blur 3", "blur 9"]
    assert names == expected
    assert condition_name(Regime.BLUR, ALL_LEVELS) == "blur (all levels)"
    assert condition_name(Regime.COLOR, ALL_LEVELS) == "color"


@pytest.mark.parametrize(
    ("level", "plain"), [(0, "0"), (0.0, "0"), ("0.0", "0"), ("3.0", "3"), ("0.04", "0.04"), ("c", "c")]
)
def test_a_level_has_one_spelling(level, plain):
    assert plain_level(level) == plain


def test_levels_are_sorted_by_number_then_by_name():
    assert sorted(["g", "9", "0.16", "c", "10", "0"], key=level_order) == ["0", "0.16", "9", "10", "c", "g"]
