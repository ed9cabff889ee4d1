"""Sampling error that networks on the same images share."""

import numpy as np
import pytest

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.comparison.shared_errors import shared_error
from convrnn_experiments.evaluation.results import read_evaluations


@pytest.fixture(scope="module")
def rows(tmp_path_factory, human_data, make_run):
    folder = tmp_path_factory.mktemp("errors")
    runs = [make_run(folder / name, "blur", human_data, steps=4, seed=seed) for seed, name in enumerate("ab")]
    found = compare(read_evaluations(runs), read_observer_group(human_data))
    return [row for row in found if row.pooled]


@pytest.mark.parametrize(
    "measure",
    ["steepness_network", "response_time_correlation", "accuracy_range_network"],
)
def test_the_error_of_one_network_is_that_of_its_interval(rows, measure):
    error = shared_error(rows, measure)
    for row, weights in zip(rows, np.eye(2), strict=True):
        variance, freedom = error(weights)
        estimate = row.estimates[measure]
        width = (estimate.high - estimate.low) / (2 * 1.96)
        assert np.sqrt(variance) == pytest.approx(width, rel=0.15)
        assert freedom > 1


def test_an_error_that_both_share_cancels_in_a_difference(rows):
    error = shared_error([rows[0], rows[0]], "sat_rmse")
    assert error(np.array([1.0, -1.0]))[0] == pytest.approx(0, abs=1e-9)
    assert error(np.array([0.5, 0.5]))[0] == pytest.approx(error(np.array([1.0, 0.0]))[0])


def test_measures_and_images_without_a_shared_error(rows):
    assert shared_error(rows, "category_correlation") is None
    assert shared_error(rows, "sat_rmse_raw") is None
    assert shared_error(rows, "response_time_margin") is None  # these runs have no probabilities
