"""Error consistency and response times of networks and people, with joint bootstrap intervals."""

import numpy as np
import pytest
from scipy import stats

from convrnn_experiments.comparison import agreement
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.evaluation.results import Answers
from convrnn_experiments.statistics import measures, response_times


def made(observers=5, images=60, seed=0, slow=0.5):
    rng = np.random.default_rng(seed)
    labels, blocks = np.arange(images) % 16, np.arange(images) % 2
    hard = rng.random(images)
    correct = (rng.random((observers, images)) > hard).astype(float)
    correct[rng.random(correct.shape) < 0.2] = np.nan
    times = np.where(
        np.isnan(correct), np.nan, 600 + 300 * blocks + 200 * hard + 50 * rng.normal(size=correct.shape)
    )
    observers = ConditionObservers(
        [str(one) for one in range(observers)],
        scores=np.nan_to_num(correct, nan=1 / 16),
        correct=correct,
        times=times,
        answers=np.where(np.isnan(correct), -1, labels),
        missed=np.isnan(correct),
        blocks=blocks,
    )
    steps = np.arange(8)
    entropy = 2.7 - (steps + 1) * (1 - slow * hard[:, None]) * 0.3
    answers = Answers(
        *(np.array([""] * images, dtype=object),) * 2, labels=labels,
        answers=np.repeat(labels[:, None], 8, axis=1), confidence=np.ones((images, 8)), entropy=entropy,
        levels=np.array(["0"] * images, dtype=object), blocks=blocks,
    )  # fmt: skip
    return answers, observers, hard


def test_error_consistency_is_the_mean_of_the_plain_measure():
    answers, observers, hard = made()
    right = hard < 0.5
    drawn = agreement.resample(answers.blocks, 5, seed=0)
    found = agreement.error_consistency(right, answers, observers, drawn)
    kappas = []
    for observer in observers.correct:
        by_block = []
        for block in range(2):
            known = (answers.blocks == block) & ~np.isnan(observer)
            by_block.append(measures.error_consistency(right[known], observer[known]))
        kappas.append(np.mean(by_block))
    assert found.value == pytest.approx(np.mean(kappas))
    assert found.low < found.value < found.high
    assert found.low > 0  # it errs where people do


def test_one_observer_gives_no_interval():
    answers, observers, hard = made(observers=1)
    drawn = agreement.resample(answers.blocks, 1, seed=0)
    found = agreement.error_consistency(hard < 0.5, answers, observers, drawn)
    assert np.isfinite(found.value)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(agreement.ceiling(answers, observers, drawn).value)


def test_response_times_follow_what_is_hard():
    answers, observers, _ = made(images=200, observers=8)
    drawn = agreement.resample(answers.blocks, 8, seed=0)
    found = agreement.response_time_correlation(answers.entropy, observers, drawn, correct=False, seed=0)
    assert found.low > 0.3
    correct = agreement.response_time_correlation(answers.entropy, observers, drawn, correct=True, seed=0)
    assert correct.value != found.value
    assert correct.low > 0


def test_an_image_that_never_reaches_the_threshold_is_the_slowest():
    """Dropping these images loses the part of the order that they make up."""
    rng = np.random.default_rng(0)
    times = rng.random(400)
    # The slower half of the images reaches the threshold after the last step.
    step = np.floor(16 * times + rng.normal(scale=4, size=400))
    entropy = np.where(np.arange(8) >= step[:, None], 0.5, 2.0)
    ranked = response_times.response_order(entropy, 1.0)
    assert (ranked[step >= 8] == 8).all()
    dropped = response_times.entropy_response_times(entropy, 1.0)
    assert np.isnan(dropped[step >= 8]).all()
    kept = stats.spearmanr(ranked, times).statistic
    lost = stats.spearmanr(dropped, times, nan_policy="omit").statistic
    assert kept > lost + 0.1
    assert response_times.fit_threshold(entropy, times) == pytest.approx(0.5)


def test_times_are_standardised_within_observer_and_block():
    _, observers, _ = made()
    standard = observers.standardized_times()
    for block in range(2):
        values = standard[:, observers.blocks == block]
        np.testing.assert_allclose(np.nanmean(values, axis=1), 0, atol=1e-12)
        np.testing.assert_allclose(np.nanstd(values, axis=1, ddof=1), 1)
    right = observers.standardized_times(correct=True)
    assert np.isnan(right[observers.correct != 1]).all()
