"""Calibration errors, against computations by hand."""

import numpy as np
import pytest

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.calibration import calibration_error, expected_calibration_error


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    confidence = rng.beta(4, 2, size=400)
    return confidence, rng.random(400) < confidence**2


def test_the_expected_error_is_the_weighted_mean_over_bins(drawn):
    confidence, correct = drawn
    total = 0.0
    for lower in np.arange(15) / 15:
        members = (confidence > lower) & (confidence <= lower + 1 / 15)
        if members.any():
            total += members.mean() * abs(correct[members].mean() - confidence[members].mean())
    assert expected_calibration_error(confidence, correct) == pytest.approx(100 * total)


def test_the_corrected_error_subtracts_the_noise_of_each_bin(drawn):
    confidence, correct = drawn
    squares = []
    for members in np.array_split(np.argsort(confidence), 10):
        gaps = 100 * (correct[members] - confidence[members])
        squares.append(gaps.mean() ** 2 - gaps.var(ddof=1) / len(gaps))
    found = calibration_error(confidence, correct)
    assert found.value == pytest.approx(np.sqrt(np.mean(squares)))
    assert found.low < found.value < found.high


def test_a_constant_gap_is_the_error():
    confidence = np.full(1000, 0.75)
    found = calibration_error(confidence, np.arange(1000) % 2 == 0)
    assert found.value == pytest.approx(25, abs=1)
    assert found.low < 25 < found.high
    assert expected_calibration_error(confidence, np.arange(1000) % 2 == 0) == pytest.approx(25)


def test_a_calibrated_network_has_an_interval_from_zero():
    rng = np.random.default_rng(1)
    confidence = rng.random(500)
    assert calibration_error(confidence, rng.random(500) < confidence).low == 0


def test_images_of_equal_confidence_do_not_show_their_order():
    """All right answers come first; bins in this order would be half right and half wrong."""
    correct = np.arange(1000) < 500
    found = calibration_error(np.full(1000, 0.5), correct)
    assert found.low == 0
    assert found.high < 10


def test_undefined_without_confidence_or_with_few_images():
    assert np.isnan(calibration_error(np.full(30, np.nan), np.ones(30)).value)
    assert np.isnan(expected_calibration_error(np.full(30, np.nan), np.ones(30)))
    assert np.isnan(calibration_error(np.ones(19), np.ones(19)).value)
    assert np.isnan(expected_calibration_error([], []))


def test_perfect_answers_with_full_confidence():
    found = calibration_error(np.ones(40), np.ones(40))
    assert (found.value, found.low) == (0, 0)


@pytest.mark.parametrize("measure", [calibration_error, expected_calibration_error])
def test_several_time_steps_are_refused(measure):
    with pytest.raises(ConvRNNError, match="Pass one time step"):
        measure(np.ones((4, 8)), np.ones((4, 8)))
