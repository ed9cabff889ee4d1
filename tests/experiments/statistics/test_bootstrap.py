"""Bootstrap intervals against SciPy, and their coverage of a known truth."""

import numpy as np
import pytest
from scipy import stats

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics import bootstrap
from convrnn_experiments.statistics.bootstrap import bootstrap_interval, bootstrap_replicates
from convrnn_experiments.statistics.measures import error_consistency, sat_rmse

VALUES = np.random.default_rng(0).normal(50, 10, (30, 4))


def test_the_seed_determines_the_interval():
    one, repeated, other = (bootstrap_interval(VALUES, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, repeated)
    assert (np.array(one) != np.array(other)).all()
    assert (one[0] < VALUES.mean(axis=0)).all()
    assert (one[1] > VALUES.mean(axis=0)).all()


def test_the_ways_to_compute_a_mean_agree():
    mean = bootstrap_replicates(VALUES, seed=3, samples=50)
    np.testing.assert_allclose(
        bootstrap_replicates(VALUES, np.mean, seed=3, samples=50, vectorized=True), mean
    )
    alone = bootstrap_replicates(VALUES, lambda v: v.mean(axis=0), seed=3, samples=50)
    np.testing.assert_allclose(alone, mean)
    np.testing.assert_allclose(bootstrap_replicates(VALUES.T, seed=3, samples=50, axis=1), mean)
    turned = bootstrap_replicates(VALUES.T, lambda v: v.mean(axis=1), seed=3, samples=50, axis=-1)
    np.testing.assert_allclose(turned, mean)


def test_the_chunk_size_does_not_change_the_drawn_units(monkeypatch):
    whole = bootstrap_replicates(VALUES, np.median, seed=3, samples=50, vectorized=True)
    monkeypatch.setattr(bootstrap, "_CHUNK", 1000)
    np.testing.assert_array_equal(
        bootstrap_replicates(VALUES, np.median, seed=3, samples=50, vectorized=True), whole
    )


def test_the_unexpanded_interval_equals_scipy():
    interval = bootstrap_interval(VALUES[:, 0], seed=0, samples=20_000, expand=False)
    expected = stats.bootstrap((VALUES[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=0)
    # Two draws of 20,000 agree to a few hundredths of the standard error, which is 1.8.
    assert interval == pytest.approx(tuple(expected.confidence_interval), abs=0.2)


@pytest.mark.parametrize(
    ("observers", "expand", "least", "most"), [(8, True, 0.92, 0.98), (40, True, 0.92, 0.98)]
)
def test_the_interval_covers_the_truth_at_its_nominal_rate(observers, expand, least, most):
    """Simulate 400 experiments with a known mean accuracy: the coverage has an SE of 0.011."""
    rng = np.random.default_rng(observers)
    ability = rng.beta(12, 8, (observers, 400))  # mean 0.6
    accuracy = rng.binomial(200, ability) / 200
    low, high = bootstrap_interval(accuracy, seed=1, samples=1000, expand=expand)
    assert least <= ((low <= 0.6) & (high >= 0.6)).mean() <= most


def test_without_expansion_few_observers_undercover():
    rng = np.random.default_rng(8)
    accuracy = rng.binomial(200, rng.beta(12, 8, (8, 400))) / 200
    low, high = bootstrap_interval(accuracy, seed=1, samples=1000, expand=False)
    assert ((low <= 0.6) & (high >= 0.6)).mean() < 0.93


def test_units_of_several_arrays_are_drawn_together():
    rng = np.random.default_rng(0)
    a = rng.random(200) < 0.6
    b = np.where(rng.random(200) < 0.7, a, rng.random(200) < 0.6)
    low, high = bootstrap_interval((a, b), error_consistency, seed=0, samples=300)
    assert 0 < low < error_consistency(a, b) < high < 1
    same = bootstrap_replicates((a, a), error_consistency, seed=0, samples=20)
    np.testing.assert_allclose(same, 1)


def test_intervals_of_a_curve_error():
    network = np.array([40.0, 50, 60, 70])
    low, high = bootstrap_interval(VALUES, lambda v: sat_rmse(network, v.mean(axis=0)), seed=0, samples=200)
    assert 0 < low < sat_rmse(network, VALUES.mean(axis=0)) < high


def test_missing_values_are_left_out_of_means():
    values = VALUES.copy()
    values[::3, 0] = np.nan
    values[:, 1] = np.nan
    low, high = bootstrap_interval(values, seed=0, samples=500)
    assert low[0] < np.nanmean(values[:, 0]) < high[0]
    assert np.isnan([low[1], high[1]]).all()
    drawn = bootstrap_replicates(values[:, :1], seed=0, samples=20)
    loop = bootstrap_replicates(values[:, :1], np.nanmean, seed=0, samples=20, vectorized=True)
    np.testing.assert_allclose(drawn, loop)


def test_mostly_undefined_statistics_have_no_interval():
    def one_in_five_undefined(values):
        return np.nan if values[0] < 0.2 else values.mean()

    assert np.isnan(
        bootstrap_interval(np.linspace(0, 1, 101), one_in_five_undefined, seed=0, samples=200)
    ).all()
    assert np.isnan(bootstrap_interval([3.0], seed=0)).all()


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ([], {}),
        (3.0, {}),
        ((np.ones(3), np.ones(4)), {"statistic": np.mean}),
        ((np.ones(3), np.ones(3)), {}),
        ([1.0, 2.0], {"samples": 0}),
        ([1.0, 2.0], {"level": 1.0}),
    ],
)
def test_invalid_input_is_refused(values, options):
    with pytest.raises(ConvRNNError):
        bootstrap_interval(values, seed=0, **options)
