"""Accuracy against mean response time over thresholds, against computations by hand."""

import numpy as np
import pytest
from comparison_by_hand import agreeing_network

from convrnn_experiments.evaluation.threshold_sweep import sweep_thresholds
from convrnn_experiments.statistics.intervals import proportion_interval


@pytest.fixture(scope="module")
def answers():
    found, _, difficulty = agreeing_network(observers=2, images=320)
    given = np.where(np.arange(8) >= 8 * difficulty[:, None], found.answers, (found.answers + 1) % 16)
    return type(found)(**{**vars(found), "answers": given})


def test_each_image_is_answered_at_its_own_time(answers):
    sweep = sweep_thresholds(answers)
    assert (np.diff(sweep.thresholds) < 0).all()
    for threshold, step, accuracy, reached in zip(
        sweep.thresholds, sweep.steps, sweep.accuracy, sweep.reached, strict=True
    ):
        times, right = [], []
        for image in range(len(answers.labels)):
            below = np.flatnonzero(answers.entropy[image] <= threshold)
            times.append(below[0] if len(below) else 7)
            right.append(answers.answers[image, times[-1]] == answers.labels[image])
        assert step.value == pytest.approx(1 + np.mean(times))
        assert accuracy.value == pytest.approx(100 * np.mean(right))
        assert reached == pytest.approx(100 * (answers.entropy <= threshold).any(axis=1).mean())
        assert step.low <= step.value <= step.high


def test_the_sweep_leads_from_the_fastest_answers_to_the_slowest(answers):
    sweep = sweep_thresholds(answers)
    means = [step.value for step in sweep.steps]
    assert means == sorted(means)
    assert means[0] == 1
    assert sweep.reached[0] == 100
    assert len(means) > 8


def test_the_first_answers_have_the_accuracy_of_the_first_step(answers):
    first = sweep_thresholds(answers).accuracy[0]
    percent = 100 * float(answers.right[:, 0].mean())
    assert first.value == pytest.approx(percent)
    # Narrower than that of one stratum.
    wide = proportion_interval(percent, percent * (100 - percent) / 320, 319, 320)
    assert wide.low - 1 <= first.low <= first.value <= first.high <= wide.high + 1


def test_without_entropy_or_time_there_is_no_sweep(answers):
    unknown = type(answers)(**{**vars(answers), "entropy": np.full((320, 8), np.nan)})
    single = type(answers)(
        **{**vars(answers), "entropy": answers.entropy[:, :1], "answers": answers.answers[:, :1]}
    )
    assert sweep_thresholds(unknown) is None
    assert sweep_thresholds(single) is None
    assert sweep_thresholds(answers.of(np.zeros(320, dtype=bool))) is None
