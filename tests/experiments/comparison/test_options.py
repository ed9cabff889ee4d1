"""Options that `convrnn compare` and `convrnn report` share."""

from convrnn_data.observers.conventions import MAX_UNREADABLE, MISSES
from convrnn_experiments.comparison.exits import FITTED, MEANING
from convrnn_experiments.comparison.options import ComparisonOptions, Exits


def test_defaults_fit_nothing_and_exclude_nobody():
    options = ComparisonOptions()
    assert options.exits not in FITTED
    assert options.exclude is None
    assert options.max_unreadable == MAX_UNREADABLE
    assert options.misses in MISSES


def test_every_match_has_a_meaning():
    assert set(MEANING) == set(Exits)
