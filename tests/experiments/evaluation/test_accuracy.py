"""Accuracy over time, against SciPy's interval of a proportion."""

import numpy as np
import pytest
from scipy import stats

from convrnn_experiments.evaluation.accuracy import accuracy_estimates


def columns(count, level="0"):
    """Return levels, blocks and labels of images in one stratum."""
    return np.full(count, level, dtype=object), np.zeros(count, int), np.zeros(count, int)


def test_each_time_step_has_wilsons_interval():
    right = np.zeros((400, 3), bool)
    right[:100, 0], right[:300, 1] = True, True
    estimates = accuracy_estimates(right, *columns(400))
    assert [estimate.value for estimate in estimates] == [25, 75, 0]
    for estimate, count in zip(estimates, (100, 300, 0), strict=True):
        expected = stats.binomtest(count, 400).proportion_ci(method="wilson")
        # Student's t with 399 degrees of freedom in place of the normal distribution.
        assert (estimate.low, estimate.high) == pytest.approx(
            (100 * expected.low, 100 * expected.high), abs=0.1
        )


def test_images_are_drawn_within_their_strata():
    # Two levels with 90 % and 10 %: within them, variance is 0.36 of that of 50 %, and the interval 0.6 as wide.
    right = np.zeros((400, 1), bool)
    right[:180], right[200:220] = True, True
    levels, blocks, labels = columns(400)
    (mixed,) = accuracy_estimates(right, levels, blocks, labels)
    levels[200:] = "0.04"
    (stratified,) = accuracy_estimates(right, levels, blocks, labels)
    assert mixed.value == stratified.value == 50
    assert stratified.high - stratified.low == pytest.approx(0.6 * (mixed.high - mixed.low), rel=0.02)


def test_accuracy_without_images_is_undefined():
    estimates = accuracy_estimates(np.zeros((0, 2), bool), *columns(0))
    assert len(estimates) == 2
    assert all(np.isnan([estimate.value, estimate.low, estimate.high]).all() for estimate in estimates)
