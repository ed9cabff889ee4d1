"""Response times of a network at a fitted entropy threshold."""

import numpy as np
import pytest

from convrnn_experiments.comparison.network_times import entropy_threshold, network_times
from convrnn_experiments.statistics.means import mean_over
from convrnn_experiments.statistics.response_times import fit_threshold


def test_with_humans_the_threshold_is_fitted_to_their_times(rows):
    row = rows[-1]
    times = network_times(row.evaluation, row)
    human = mean_over(row.observers.standardized_times())
    assert times.threshold == fit_threshold(row.answers.entropy, human)
    assert len(times.steps) == row.image_count
    first = np.argmax(row.answers.entropy <= times.threshold, axis=1)
    reached = ~np.isnan(times.steps)
    np.testing.assert_array_equal(times.steps[reached], first[reached])


def test_without_humans_half_of_the_images_reach_the_threshold(rows):
    evaluation = rows[0].evaluation
    times = network_times(evaluation, None)
    assert times.threshold == entropy_threshold(evaluation.answers, None)
    assert (~np.isnan(times.steps)).mean() == pytest.approx(0.5, abs=0.01)
