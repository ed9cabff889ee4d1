"""Ceilings among observers, against all splits, loops by hand and further observers."""

import itertools

import numpy as np
import pytest
from scipy import stats

from convrnn_experiments.statistics.ceilings import (
    GROUPS,
    correlation_ceiling,
    distance_ceiling,
    halves_correlation,
    halves_distance,
    image_groups,
    observer_correlations,
    observer_distance,
    row_correlations,
)


def values(observers=6, items=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=items) + rng.normal(size=(observers, 1)) + rng.normal(size=(observers, items))


def test_the_distance_of_halves_is_that_over_all_splits():
    table = values()
    squares = []
    for half in itertools.combinations(range(6), 3):
        other = [one for one in range(6) if one not in half]
        squares.append((table[list(half)].mean(axis=0) - table[other].mean(axis=0)) ** 2)
    assert halves_distance(table) == pytest.approx(np.sqrt(np.mean(squares)))


def test_the_distance_of_an_observer_is_that_from_the_mean_of_the_others():
    table = values()
    squares = [(table[one] - np.delete(table, one, axis=0).mean(axis=0)) ** 2 for one in range(6)]
    assert observer_distance(table) == pytest.approx(np.sqrt(np.mean(squares)))


def test_cells_without_an_observer_are_left_out_of_a_distance():
    table = values()
    longer = np.column_stack([table, np.full(6, np.nan)])
    assert halves_distance(longer) == pytest.approx(halves_distance(table))
    assert observer_distance(longer) == pytest.approx(observer_distance(table))


def test_halves_are_stepped_up_by_spearman_and_brown():
    table = values(items=12)
    halves = np.array([[1, 1, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0]], dtype=bool)
    rs = [np.corrcoef(table[half].mean(axis=0), table[~half].mean(axis=0))[0, 1] for half in halves]
    r = np.mean(rs)
    assert halves_correlation(table, halves) == pytest.approx(2 * r / (1 + r))
    rhos = [stats.spearmanr(table[half].mean(axis=0), table[~half].mean(axis=0)).statistic for half in halves]
    rho = np.mean(rhos)
    assert halves_correlation(table, halves, ranks=True) == pytest.approx(2 * rho / (1 + rho))


def test_an_observer_is_correlated_with_the_others_over_shared_items():
    table = values(items=12)
    table[0, :3] = np.nan
    table[1:, 11] = np.nan
    for ranks, function in ((False, stats.pearsonr), (True, stats.spearmanr)):
        expected = function(table[0, 3:11], np.nanmean(table[1:, 3:11], axis=0)).statistic
        assert observer_correlations(table, ranks=ranks)[0] == pytest.approx(expected)


def test_rows_are_correlated_one_by_one():
    a, b = values(items=9), values(items=9, seed=1)
    b[2, 4] = np.nan
    known = [place != 4 for place in range(9)]
    found = row_correlations(a, b, ranks=True)
    assert found[2] == pytest.approx(stats.spearmanr(a[2, known], b[2, known]).statistic)
    assert found[0] == pytest.approx(stats.spearmanr(a[0], b[0]).statistic)


def test_groups_spread_every_stratum():
    strata = np.repeat([0, 1, 2], 2 * GROUPS)
    groups = image_groups(strata, np.random.default_rng(0))
    for stratum in range(3):
        assert np.bincount(groups[strata == stratum], minlength=GROUPS).tolist() == [2] * GROUPS


def test_a_ceiling_has_intervals_around_its_values():
    rng = np.random.default_rng(3)
    items, per_item = 16, 20
    labels = np.repeat(np.arange(items), per_item)
    ease = rng.normal(size=items)
    scores = ease[labels] + rng.normal(size=len(labels)) + 3 * rng.normal(size=(12, len(labels)))
    groups = image_groups(labels, rng)

    def tables(mask):
        shown = np.where(mask, scores[: len(mask)], np.nan)
        return np.stack([np.nanmean(shown[:, labels == item], axis=1) for item in range(items)], axis=1)

    for ceiling in (distance_ceiling(tables, 12, groups), correlation_ceiling(tables, 12, groups, rng)):
        for one in (ceiling.halves, ceiling.observer):
            assert one.low < one.value < one.high
    assert np.isnan(correlation_ceiling(tables, 3, groups, rng).halves.value)
    assert np.isnan(distance_ceiling(tables, 3, groups).observer.value)


def test_the_stepped_up_correlation_is_that_of_two_whole_samples():
    rng = np.random.default_rng(4)
    halves = np.argsort(rng.random((30, 10)), axis=1) < 5
    stepped, whole, single, rest = [], [], [], []
    for _ in range(300):
        ease = rng.normal(size=16)
        table = ease + 2 * rng.normal(size=(21, 16))
        stepped.append(halves_correlation(table[:10], halves))
        whole.append(np.corrcoef(table[:10].mean(axis=0), table[10:20].mean(axis=0))[0, 1])
        single.append(np.mean(observer_correlations(table[:10])))
        rest.append(np.corrcoef(table[20], table[:9].mean(axis=0))[0, 1])
    assert np.mean(stepped) == pytest.approx(np.mean(whole), abs=0.03)
    assert np.mean(single) == pytest.approx(np.mean(rest), abs=0.03)


def simulated_tables(observers, seed, *, image_sd):
    """Simulate values of 16 items, and return the function of a mask of trials, and groups of images."""
    rng = np.random.default_rng(seed)
    labels = np.resize(np.arange(16), 240)
    ease = 0.5 * np.random.default_rng(1).normal(size=16)
    scores = ease[labels] + image_sd * rng.normal(size=240) + rng.normal(size=(observers, 240))
    member = np.eye(16)[labels]

    def means(mask):
        return (np.where(mask, scores, 0) @ member) / (mask @ member)

    return means, image_groups(labels, rng)


def coverage(estimates, truth):
    return np.mean([one.low <= truth <= one.high for one in estimates])


def test_intervals_of_distances_are_not_widened_by_the_noise_of_trials():
    weights, found = np.linspace(-1, 1, 16), []
    for seed in range(300):
        means, groups = simulated_tables(8, seed, image_sd=0.3)
        found.append(distance_ceiling(lambda mask, means=means: means(mask) @ weights[:, None], 8, groups))
    # The variance of a slope over observers: 15 images of each item, with noise of variance 1.
    variance = (weights**2).sum() / 15
    covered = coverage([one.observer for one in found], np.sqrt(variance * 8 / 7))
    # 300 experiments: 95 % is known to 1.3.
    assert 0.92 <= covered <= 0.98, covered
    assert coverage([one.halves for one in found], np.sqrt(4 * variance / 8)) == covered


@pytest.mark.slow
def test_intervals_of_correlations_cover_the_agreement_on_new_images():
    found = []
    for seed in range(200):
        means, groups = simulated_tables(12, seed, image_sd=0.5)
        found.append(correlation_ceiling(means, 12, groups, np.random.default_rng(seed), splits=4).observer)
    covered = coverage(found, np.mean([one.value for one in found]))
    # 200 experiments: 95 % is known to 1.5.
    assert 0.91 <= covered <= 0.985, covered


def test_a_distance_without_a_spread_has_no_interval():
    groups = np.arange(40)
    for values in (np.zeros((4, 1)), np.array([[0.0], [0], [0], [1]])):
        found = distance_ceiling(lambda mask, values=values: values, 4, groups)
        assert found.observer.value == pytest.approx(observer_distance(values))
        assert np.isnan(found.observer.low) == (values == 0).all()
