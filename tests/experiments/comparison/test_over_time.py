"""Balanced accuracy, sensitivity and calibration over time."""

from dataclasses import replace

import numpy as np
import pytest
from comparison_by_hand import agreeing_network

from convrnn_experiments.comparison.over_time import network_course, observer_course
from convrnn_experiments.statistics.choice_model import fit_choices


@pytest.fixture(scope="module")
def both():
    answers, observers, difficulty = agreeing_network(observers=6, images=400)
    rng = np.random.default_rng(0)
    wrong = rng.integers(1, 16, size=answers.answers.shape)
    hard = np.arange(8) < 8 * difficulty[:, None]
    confidence = np.where(hard, 0.4, 0.9)
    given = np.where(hard, (answers.labels[:, None] + wrong) % 16, answers.answers)
    seen = np.where(observers.correct == 0, (answers.labels + 3) % 16, observers.answers)
    return replace(answers, answers=given, confidence=confidence), replace(observers, answers=seen)


def test_balanced_accuracy_weighs_categories_equally(both):
    answers, _ = both
    few = answers.of((answers.labels != 3) | (np.arange(400) < 100))
    course = network_course(few)
    for step, estimate in enumerate(course["macro_accuracy"]):
        right = few.right[:, step]
        by_category = [right[few.labels == label].mean() for label in range(16)]
        assert estimate.value == pytest.approx(100 * np.mean(by_category))
        assert estimate.low <= estimate.value < estimate.high
    assert not np.isclose(course["macro_accuracy"][7].value, 100 * few.right[:, 7].mean())


def test_sensitivity_is_fitted_to_the_confusions_of_each_step(both):
    answers, _ = both
    estimates = network_course(answers)["sensitivity"]
    assert estimates[7].value > estimates[2].value
    for step, estimate in enumerate(estimates):
        counts = np.zeros((16, 16))
        np.add.at(counts, (answers.labels, answers.answers[:, step]), 1)
        assert estimate.value == pytest.approx(fit_choices(counts).sensitivity)
        assert estimate.high - estimate.low > 2 * 1.9 * np.sqrt(fit_choices(counts).variance)


def test_networks_without_confidence_are_not_calibrated_or_uncalibrated(both):
    answers, _ = both
    unknown = network_course(replace(answers, confidence=np.full(answers.confidence.shape, np.nan)))
    assert all(np.isnan(estimate.value) for estimate in unknown["calibration_error"])
    assert all(np.isfinite(estimate.value) for estimate in unknown["sensitivity"])
    assert all(np.isfinite(estimate.value) for estimate in network_course(answers)["calibration_error"])


def test_humans_have_an_estimate_for_each_block_with_images(both):
    answers, observers = both
    course = observer_course(observers, answers.labels, answers.levels)
    assert set(course) == {"macro_accuracy", "sensitivity"}
    for block in range(2):
        images = answers.blocks == block
        by_category = [
            np.nanmean(np.nanmean(observers.scores[:, images & (answers.labels == label)], axis=1))
            for label in sorted(set(answers.labels[images].tolist()))
        ]
        assert course["macro_accuracy"][block].value == pytest.approx(100 * np.mean(by_category))
        counts = np.zeros((16, 16))
        rater, image = np.nonzero((observers.answers >= 0) & images)
        np.add.at(counts, (answers.labels[image], observers.answers[rater, image]), 1)
        estimate = course["sensitivity"][block]
        assert estimate.value == pytest.approx(fit_choices(counts).sensitivity)
        assert estimate.low < estimate.value < estimate.high
    assert all(np.isnan(course[measure][block].value) for measure in course for block in (2, 3, 4))
