"""Means with missing values: by hand, and refusal of invalid codes."""

import numpy as np
import pytest

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics import means
from convrnn_experiments.statistics.means import grouped_mean, mean_over

NAN = float("nan")


def test_grouped_means_by_hand():
    correct = 100 * np.array([1, 0, 1, 1, 0, 1])
    block = [0, 0, 1, 1, 1, 0]
    level = [0, 1, 0, 0, 1, 0]
    assert grouped_mean(correct, [block], [2]).tolist() == pytest.approx([200 / 3, 200 / 3])
    by_both = grouped_mean(correct, [level, block], [3, 2])
    np.testing.assert_allclose(by_both, [[100, 100], [0, 0], [NAN, NAN]])
    np.testing.assert_allclose(grouped_mean([NAN, 4.0], [[0, 0]], [2]), [4, NAN])
    np.testing.assert_allclose(grouped_mean([NAN], [[0]], [2]), [NAN, NAN])
    np.testing.assert_allclose(grouped_mean([], [[]], [1]), [NAN])


@pytest.mark.parametrize(
    ("codes", "shape"), [([[0, 2]], [2]), ([[0, -1]], [2]), ([[0]], [2]), ([[0, 1]], [2, 2])]
)
def test_grouped_means_refuse_invalid_codes(codes, shape):
    with pytest.raises(ConvRNNError):
        grouped_mean([1.0, 0.0], codes, shape)


def test_the_mean_over_observers_is_unweighted():
    # Ten trials of one observer and two of another count the same.
    by_observer = grouped_mean([100] * 10 + [0] * 2, [[0] * 10 + [1] * 2], [2])
    assert mean_over(by_observer) == 50
    np.testing.assert_allclose(mean_over([[1, NAN], [3, NAN]]), [2, NAN])


def test_means_omit_missing_values():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 4.0]])
    np.testing.assert_allclose(means.sample_means(values, np.ones((1, 3))), [[2, 4]])
    weighted = means.weighted_mean(np.array([1.0, np.nan, 6]), np.array([[1.0, 1, 1], [2, 1, 0]]))
    np.testing.assert_allclose(weighted, [3.5, 1])
