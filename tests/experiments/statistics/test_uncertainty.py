"""Uncertainty over time: margin, area and racing accumulators, against computations by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.uncertainty import confidence_margin, leading_evidence, uncertainty_area


def test_the_margin_is_that_of_the_two_likeliest_categories():
    softmax = np.random.default_rng(0).dirichlet(np.ones(16), (5, 3))
    ordered = np.sort(softmax, axis=-1)
    np.testing.assert_array_equal(confidence_margin(softmax), ordered[..., -1] - ordered[..., -2])
    assert confidence_margin([0.5, 0.5]) == 0
    assert confidence_margin([0.0, 1.0, 0.0]) == 1
    with pytest.raises(ConvRNNError, match=r"at least 2 categories, got shape \(3, 1\)"):
        confidence_margin(np.ones((3, 1)))


def test_the_area_is_the_mean_over_time_steps():
    np.testing.assert_allclose(uncertainty_area([[2.0, 1.0, 0.0], [1.0, 1.0, 4.0]]), [1.0, 2.0])


def test_the_leading_accumulator_gains_the_confidence_of_its_answers():
    answers = [[3, 3, 5, 5, 5], [1, 2, 1, 2, 7]]
    confidence = [[0.5, 0.25, 0.5, 0.125, 0.5], [0.5, 0.25, 0.5, 0.25, 0.125]]
    expected = [[0.5, 0.75, 0.75, 0.75, 1.125], [0.5, 0.5, 1.0, 1.0, 1.0]]
    np.testing.assert_array_equal(leading_evidence(answers, confidence), expected)


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 8))
def test_accumulators_are_those_of_a_loop(seed, categories, steps):
    rng = np.random.default_rng(seed)
    answers, confidence = rng.integers(categories, size=(3, steps)), rng.random((3, steps))
    for image, found in enumerate(leading_evidence(answers, confidence)):
        sums, expected = np.zeros(categories), []
        for answer, gain in zip(answers[image], confidence[image], strict=True):
            sums[answer] += gain
            expected.append(sums.max())
        np.testing.assert_allclose(found, expected)


def test_an_unknown_confidence_leaves_the_evidence_unknown():
    assert np.isnan(leading_evidence([[1, 1]], [[np.nan, np.nan]])).all()
    with pytest.raises(ConvRNNError, match=r"of one shape, got shapes \(1, 2\) and \(1, 1\)"):
        leading_evidence([[1, 1]], [[0.5]])
