"""Covariances of estimates from images and observers, against textbook formulas and simulated experiments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.contrast import difference
from convrnn_experiments.statistics.sampling_error import (
    concatenate,
    nearest_covariance,
    network_means,
    observer_means,
    pooled_shares,
    strata,
    trial_sum,
)

ONE = np.zeros(40, dtype=int)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), min_size=2, max_size=60))
def test_no_stratum_has_a_single_image(columns):
    blocks, labels = (np.array(column) for column in zip(*columns, strict=True))
    codes = strata(blocks, labels)
    sizes = np.bincount(codes)
    assert set(codes) == set(range(len(sizes)))
    # Alone only where the whole block is.
    for code in np.flatnonzero(sizes == 1):
        (image,) = np.flatnonzero(codes == code)
        assert (blocks == blocks[image]).sum() == 1 or sizes[codes[blocks == blocks[image]]].min() == 1
    for block in set(blocks.tolist()):
        if (blocks == block).sum() > 1:
            assert sizes[codes[blocks == block]].min() > 1


def test_a_stratified_mean_has_the_textbook_variance():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2, 3], 10)
    values = rng.normal(codes, 1.0)
    found = network_means(values, ONE, 1, codes)
    # Cochran 1977, eq. 5.7 with equal shares: the mean of the strata's variances of their means.
    expected = sum(values[codes == code].var(ddof=1) / 10 for code in range(4)) / 16
    assert found.values[0] == pytest.approx(values.mean())
    assert found.covariance[0, 0] == pytest.approx(expected)
    assert found.image_freedom == 36


def test_a_crossed_mean_has_the_variance_of_its_components():
    rng = np.random.default_rng(1)
    observers, images = 6, 40
    scores = rng.normal(size=(observers, 1)) + rng.normal(size=images) + rng.normal(size=(observers, images))
    found = observer_means(scores, ONE, 1, ONE)
    # Two-way analysis of variance without replication, mean squares by hand.
    rows, columns, mean = scores.mean(axis=1), scores.mean(axis=0), scores.mean()
    residual = scores - rows[:, None] - columns + mean
    error = (residual**2).sum() / ((observers - 1) * (images - 1))
    between_rows = images * rows.var(ddof=1)
    between_columns = observers * columns.var(ddof=1)
    expected = (between_rows + between_columns - error) / (observers * images)
    assert found.values[0] == pytest.approx(mean)
    assert found.covariance[0, 0] == pytest.approx(expected)


def test_observers_have_equal_weight_whatever_they_missed():
    scores = np.array([[1.0, 1, np.nan, np.nan], [0, 0, 0, 1]])
    found = observer_means(scores, np.zeros(4, dtype=int), 1, np.zeros(4, dtype=int))
    assert found.values[0] == pytest.approx((1 + 0.25) / 2)
    empty = observer_means(scores, np.zeros(4, dtype=int), 2, np.zeros(4, dtype=int))
    assert np.isnan(empty.values[1])
    with pytest.raises(ConvRNNError, match="must be"):
        observer_means(np.zeros((0, 4)), np.zeros(4, dtype=int), 1, np.zeros(4, dtype=int))


@pytest.mark.parametrize("observers", [4, 12])
def test_estimated_variances_equal_those_over_many_experiments(observers):
    """Draw images and observers 600 times: estimated variances average to the variance of the estimates."""
    rng = np.random.default_rng(observers)
    codes = np.repeat(np.arange(8), 5)
    groups = codes % 2
    means, variances = [], []
    for _ in range(600):
        difficulty = rng.normal(scale=0.2, size=40) + 0.1 * codes / 8
        ability = rng.normal(scale=0.1, size=(observers, 1))
        scores = rng.random((observers, 40)) < 0.4 + difficulty + ability
        scores = np.where(rng.random(scores.shape) < 0.3, 1 / 16, scores)
        network = rng.random(40) < 0.5 + difficulty
        both = difference(network_means(network, groups, 2, codes), observer_means(scores, groups, 2, codes))
        means.append(both.values)
        variances.append(np.diag(both.covariance))
    ratio = np.mean(variances, axis=0) / np.var(means, axis=0)
    # The variance of 600 draws is known to sqrt(2 / 600) = 6 %.
    np.testing.assert_allclose(ratio, 1, atol=0.2)


def test_identical_raters_share_the_error_of_the_images():
    # Two raters with the same answers do not differ, however the images were drawn.
    rng = np.random.default_rng(2)
    right = (rng.random(40) < 0.6).astype(float)
    network = network_means(right, ONE, 1, ONE)
    humans = observer_means(np.stack([right, right]), ONE, 1, ONE)
    assert network.covariance[0, 0] > 0
    assert difference(network, humans).covariance[0, 0] == pytest.approx(0, abs=1e-12)
    assert concatenate([network, humans]).covariance[0, 1] == pytest.approx(network.covariance[0, 0])


def test_selection_equals_combination_by_unit_vectors():
    rng = np.random.default_rng(3)
    found = network_means(rng.random(40), np.arange(40) % 4, 4, ONE)
    chosen, combined = found.select([2, 0]), found.combine(np.eye(4)[:, [2, 0]])
    np.testing.assert_allclose(chosen.covariance, combined.covariance)
    np.testing.assert_allclose(chosen.freedom, combined.freedom)


def test_the_nearest_covariance_keeps_the_variances():
    matrix = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.9], [0.1, 0.9, 1.0]])
    assert np.linalg.eigvalsh(matrix).min() < 0
    found = nearest_covariance(matrix)
    assert np.linalg.eigvalsh(found).min() > -1e-12
    np.testing.assert_allclose(np.diag(found), 1)


def test_pooled_shares_count_answers():
    chosen = np.array([[0, 1, 1, -1], [0, 0, 1, 1]])
    shares, variances = pooled_shares(chosen, np.array([0, 0, 1, 1]), 3, 2)
    np.testing.assert_allclose(shares, [[3 / 4, 1 / 4], [0, 1], [np.nan, np.nan]])
    assert (variances[0] > 0).all()
    assert np.isnan(variances[2]).all()


def test_the_sum_of_a_network_has_the_variance_of_independent_images():
    rng = np.random.default_rng(0)
    effects, codes = rng.normal(size=40), np.repeat([0, 1], 20)
    total = trial_sum(effects[None], codes)
    assert total.covariance[0, 0] == pytest.approx(
        20 * sum(effects[codes == code].var(ddof=1) for code in (0, 1))
    )
    assert total.image_freedom == 38


def test_the_variance_of_a_sum_over_observers_equals_that_over_many_experiments():
    """Observers, images and trials vary; one trial in five is missing."""
    rng = np.random.default_rng(1)
    sums, variances = [], []
    for _ in range(600):
        effects = rng.normal(size=(8, 1)) * 0.3 + rng.normal(size=(1, 60)) * 0.5 + rng.normal(size=(8, 60))
        effects[rng.random(effects.shape) < 0.2] = np.nan
        total = trial_sum(effects, np.arange(60) % 3)
        sums.append(np.nansum(effects))
        variances.append(total.covariance[0, 0])
    assert np.mean(variances) == pytest.approx(np.var(sums), rel=0.15)
