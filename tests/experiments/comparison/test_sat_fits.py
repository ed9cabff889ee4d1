"""SAT functions of a network and humans in one condition."""

import numpy as np
import pytest

from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.comparison.sat_fits import NETWORK_MEASURES, fit_sides
from convrnn_experiments.statistics.contrast import Contrast, student
from convrnn_experiments.statistics.sat_function import sat_accuracy

TIMES = np.array([634.0, 970, 1140, 1311, 1481])


def sides(seed=0, network=(75.0, 0.6, 0.3), observers=40, images=200, floor=6.25):
    """Draw answers of a network and of observers whose accuracies are SAT functions."""
    rng = np.random.default_rng(0)
    blocks = np.repeat(np.arange(5), images)
    labels = np.arange(5 * images) % 16
    right = rng.random((observers, 5 * images)) < sat_accuracy(TIMES, 80, 0.0035, 850, floor)[blocks] / 100
    times = TIMES[blocks] + 50 * rng.normal(size=right.shape)
    people = ConditionObservers(
        [str(one) for one in range(observers)], right.astype(float), right.astype(float), times,
        np.where(right, labels, (labels + 1) % 16), np.zeros(right.shape, bool), blocks,
    )  # fmt: skip
    draws = np.random.default_rng(seed).random((5 * images, 1))
    exits = draws < sat_accuracy(np.arange(1.0, 9), *network) / 100
    matched = exits[np.arange(5 * images), blocks].astype(float)
    return Contrast(labels, np.zeros_like(labels), blocks, matched, exits, people.scores), people


COSTS = 2e9 + 11.6e9 * np.arange(8)


def test_both_sides_have_the_parameters_that_they_were_drawn_with():
    found = fit_sides(*sides(), COSTS, "chance").estimates()
    truth = {
        "sat_asymptote_network": 75,
        "sat_rate_network": 0.6,
        "sat_intercept_network": 0.3,
        "sat_rate_network_cost": 0.6 / 11.6,
        "sat_intercept_network_cost": 2 - 0.7 * 11.6,
        "sat_asymptote_people": 80,
        "sat_rate_people": 3.5,
        "sat_intercept_people": 850,
    }
    for measure, expected in truth.items():
        assert found[measure].low < expected < found[measure].high, measure
    assert found["accuracy_range_people"].value == pytest.approx(
        np.ptp(sat_accuracy(TIMES, 80, 0.0035, 850)), abs=3
    )


def test_a_network_differs_from_itself_by_nothing():
    one = fit_sides(*sides(), COSTS, "chance")
    for measure, apart in (one - one).items():
        assert apart.value == 0, measure
        if measure != "accuracy_range_network":
            single = one.estimates()[measure]
            assert apart.high - apart.low < 0.3 * (single.high - single.low), measure


def test_differences_of_two_networks_contain_the_true_ones():
    one = fit_sides(*sides(), COSTS, "chance")
    other = fit_sides(*sides(seed=1, network=(65.0, 0.9, 0.3)), COSTS, "chance")
    apart = one - other
    assert set(apart) == set(NETWORK_MEASURES)
    assert apart["sat_asymptote_network"].low < 10 < apart["sat_asymptote_network"].high
    assert apart["sat_asymptote_network"].low > 0
    assert apart["sat_rate_network"].low < -0.3 < apart["sat_rate_network"].high


def test_undefined_fits_have_reasons_and_no_difference():
    flat = fit_sides(*sides(network=(75.0, 50.0, 0.3)), COSTS, "chance")
    assert "does not change" in flat.reasons()["sat_rate_network"]
    assert np.isnan(flat.estimates()["sat_asymptote_network"].value)
    assert flat.reasons()["sat_rate_people"] == ""
    assert np.isnan((fit_sides(*sides(), COSTS, "chance") - flat)["sat_rate_network"].value)
    unknown = fit_sides(*sides(), np.full(8, np.nan), "chance")
    assert "got 0" in unknown.reasons()["sat_rate_network_cost"]


def test_accuracy_begins_at_0_where_missed_trials_are_wrong():
    contrast, people = sides(floor=0.0)
    chance, wrong = (fit_sides(contrast, people, COSTS, misses) for misses in ("chance", "wrong"))
    found = wrong.estimates()
    assert found["sat_rate_people"].low < 3.5 < found["sat_rate_people"].high
    assert found["sat_intercept_people"].low < 850 < found["sat_intercept_people"].high
    # A floor of 6.25 % is above the lowest accuracies, so it changes the fit.
    assert chance.humans.rate != wrong.humans.rate
    assert wrong.steps.rate == chance.steps.rate


def test_the_interval_of_the_accuracy_range_is_within_0_and_100_points():
    contrast, people = sides(observers=2, images=4, network=(60.0, 0.3, 0.3))
    found = fit_sides(contrast, people, COSTS, "chance")
    for measure in ("accuracy_range_network", "accuracy_range_people"):
        estimate = found.estimates()[measure]
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 100
    unlimited = student(found.human_range)
    assert unlimited.low < 0
    assert unlimited.high > 100
