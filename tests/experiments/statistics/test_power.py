"""Power of designs, against closed forms and simulated experiments."""

import numpy as np
import pytest
from scipy import stats

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.contrast import student
from convrnn_experiments.statistics.power import (
    LARGEST,
    Design,
    VarianceComponents,
    components,
    detectable,
    power,
    required,
)
from convrnn_experiments.statistics.sampling_error import SampledEstimates, network_means, observer_means

IMAGE_SD, OBSERVER_SD, TRIAL_SD = 0.3, 0.1, 0.5
TRUE = VarianceComponents(IMAGE_SD**2, OBSERVER_SD**2, TRIAL_SD**2)


def estimate(rng: np.random.Generator, images: int, observers: int, mean: float = 0.0) -> SampledEstimates:
    """Mean score over images and observers, both drawn."""
    scores = (
        mean
        + IMAGE_SD * rng.normal(size=images)
        + OBSERVER_SD * rng.normal(size=(observers, 1))
        + TRIAL_SD * rng.normal(size=(observers, images))
    )
    none = np.zeros(images, dtype=int)
    return observer_means(scores, none, 1, none)


def test_components_of_simulated_data_are_those_of_the_truth():
    rng = np.random.default_rng(0)
    found = [components(estimate(rng, 60, 20)) for _ in range(300)]
    for name in ("images", "observers", "cells"):
        values = [getattr(one, name) for one in found]
        assert np.mean(values) == pytest.approx(getattr(TRUE, name), rel=0.06)
    assert found[0].strata == 1


@pytest.mark.parametrize("design", [Design(40, 10), Design(80, 8), Design(20, 40)])
def test_power_is_that_of_simulated_experiments(design):
    rng, runs, true = np.random.default_rng(1), 1500, 0.2
    found = 0
    for _ in range(runs):
        interval = student(estimate(rng, design.images, design.observers, true))
        found += not interval.low <= 0 <= interval.high
    error = 3 * np.sqrt(0.25 / runs)
    assert found / runs == pytest.approx(power(true, TRUE, design), abs=error)


def test_one_component_is_the_test_of_a_mean():
    variance = VarianceComponents(4.0, 0, 0)
    expected = stats.nct.sf(stats.t.isf(0.025, 19), 19, np.sqrt(20) / 2) + stats.nct.cdf(
        -stats.t.isf(0.025, 19), 19, np.sqrt(20) / 2
    )
    assert power(1.0, variance, Design(20, 7)) == pytest.approx(expected)
    assert power(0.0, variance, Design(20, 7)) == pytest.approx(0.05, abs=1e-9)
    assert power(-1.0, variance, Design(20, 7)) == pytest.approx(expected)


def test_networks_alone_depend_on_images():
    right = np.random.default_rng(2).random(400) < 0.7
    groups = np.zeros(400, dtype=int)
    found = components(network_means(right.astype(float), groups, 1, groups))
    assert (found.observers, found.cells) == (0, 0)
    assert found.images == pytest.approx(right.var(ddof=1))
    assert found.variance(Design(400, 1)) == found.variance(Design(400, 50))


def test_more_units_have_more_power_and_the_least_number_is_found():
    design = Design(50, 20)
    for unit in ("images", "observers"):
        number = required(unit, 0.15, 0.8, TRUE, design)
        assert number is not None
        changed = Design(number, 20) if unit == "images" else Design(50, number)
        fewer = Design(number - 1, 20) if unit == "images" else Design(50, number - 1)
        assert power(0.15, TRUE, changed) >= 0.8 > power(0.15, TRUE, fewer)
    assert required("observers", 0.05, 0.8, TRUE, design) is None  # 50 images leave an SD of 0.042
    assert LARGEST == 10**6


def test_seeds_limit_what_images_can_show():
    variance = VarianceComponents(0.09, 0, 0, seeds=0.01)
    assert required("images", 0.2, 0.8, variance, Design(100, 1)) is None
    seeds = required("seeds", 0.2, 0.8, variance, Design(100, 1))
    assert seeds is not None
    assert variance.variance(Design(100, 1, seeds)) == pytest.approx(0.09 / 100 + 0.01 / seeds)


def test_a_known_variance_between_seeds_adds_degrees_of_freedom():
    design = Design(40, 8)
    fixed, seeds = TRUE, VarianceComponents(TRUE.images, TRUE.observers, TRUE.cells, seeds=0.01)
    share = seeds.variance(design) / fixed.variance(design)
    assert seeds.freedom(design) == pytest.approx(fixed.freedom(design) * share**2)
    rng, runs, true = np.random.default_rng(6), 1500, 0.3
    found = 0
    for _ in range(runs):
        one = estimate(rng, design.images, design.observers, true)
        variance = one.covariance[0, 0]
        freedom = one.freedom[0] * ((variance + 0.01) / variance) ** 2
        value = one.values[0] + 0.1 * rng.normal()
        found += abs(value) > stats.t.ppf(0.975, freedom) * np.sqrt(variance + 0.01)
    assert found / runs == pytest.approx(power(true, seeds, design), abs=3 * np.sqrt(0.25 / runs))


def test_the_detectable_difference_has_the_power():
    for design in (Design(50, 20), Design(10, 3)):
        smallest = detectable(0.9, TRUE, design)
        assert power(smallest, TRUE, design) == pytest.approx(0.9, abs=1e-6)


def test_impossible_requests_are_refused():
    with pytest.raises(ConvRNNError, match=r"the power must be above 0\.05 and below 1, got 1"):
        detectable(1.0, TRUE, Design(10, 3))
    with pytest.raises(ConvRNNError, match="there must be one estimate, got 2"):
        components(observer_means(np.ones((3, 4)), np.array([0, 0, 1, 1]), 2, np.zeros(4, dtype=int)))
