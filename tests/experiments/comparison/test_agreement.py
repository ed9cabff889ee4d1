"""Error consistency and response times of networks and observers, with joint bootstrap intervals."""

import numpy as np
import pytest
from comparison_by_hand import agreeing_network

from convrnn_experiments.comparison import agreement
from convrnn_experiments.statistics import measures


def test_error_consistency_is_the_mean_over_observers_and_blocks():
    answers, observers, difficulty = agreeing_network()
    right = difficulty < 0.5
    drawn = agreement.resample(answers.blocks, 5, seed=0)
    found = agreement.error_consistency(agreement.bootstrapped_consistency(right, answers, observers, drawn))
    kappas = []
    for observer in observers.correct:
        by_block = []
        for block in range(2):
            known = (answers.blocks == block) & ~np.isnan(observer)
            by_block.append(measures.error_consistency(right[known], observer[known]))
        kappas.append(np.mean(by_block))
    assert found.value == pytest.approx(np.mean(kappas))
    assert found.low < found.value < found.high
    assert found.low > 0  # its errors are on the images that observers miss


def test_one_observer_gives_no_interval():
    answers, observers, difficulty = agreeing_network(observers=1)
    drawn = agreement.resample(answers.blocks, 1, seed=0)
    found = agreement.error_consistency(
        agreement.bootstrapped_consistency(difficulty < 0.5, answers, observers, drawn)
    )
    assert np.isfinite(found.value)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(agreement.ceiling(answers, observers, drawn).value)


def test_response_times_follow_difficulty():
    answers, observers, _ = agreeing_network(images=200, observers=8)
    drawn = agreement.resample(answers.blocks, 8, seed=0)
    found = agreement.response_time_correlation(
        agreement.bootstrapped_times(answers.entropy, observers, drawn, correct=False, seed=0)
    )
    assert found.low > 0.3
    correct = agreement.response_time_correlation(
        agreement.bootstrapped_times(answers.entropy, observers, drawn, correct=True, seed=0)
    )
    assert correct.value != found.value
    assert correct.low > 0
