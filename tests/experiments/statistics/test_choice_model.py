"""Luce's choice model, against closed forms and a numerical optimum."""

import numpy as np
import pytest
from scipy.optimize import minimize

from convrnn_experiments.statistics.choice_model import fit_choices


def test_two_categories_have_the_closed_form_of_half_a_trial_added():
    """With two categories the model is saturated, and Firth's penalty adds half a trial to each cell."""
    hits, misses, alarms, rejections = 17, 4, 6, 11
    expected = (np.log((hits + 0.5) / (misses + 0.5)) + np.log((rejections + 0.5) / (alarms + 0.5))) / 2
    fit = fit_choices([[hits, misses], [alarms, rejections]])
    assert fit.sensitivity == pytest.approx(expected, abs=1e-8)


def _penalised(theta, counts):
    """Return the negative log likelihood less half the log determinant of the information, without shared code."""
    size = len(counts)
    bias = np.append(theta[1:], 0.0)
    information, value = np.zeros((size, size)), 0.0
    for true in range(size):
        logits = bias + theta[0] * (np.arange(size) == true)
        shares = np.exp(logits) / np.exp(logits).sum()
        value -= counts[true] @ np.log(shares)
        design = np.zeros((size, size))
        design[true, 0] = 1
        for answer in range(size - 1):
            design[answer, answer + 1] = 1
        spread = np.diag(shares) - np.outer(shares, shares)
        information += counts[true].sum() * design.T @ spread @ design
    return value - np.linalg.slogdet(information)[1] / 2


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_maximises_the_penalised_likelihood(seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(2 + 5 * np.eye(5) * rng.random(), size=(5, 5)).astype(float)
    best = minimize(_penalised, np.zeros(5), (counts,), "BFGS", options={"gtol": 1e-7})
    assert fit_choices(counts).sensitivity == pytest.approx(best.x[0], abs=1e-4)


def _shares(bias, sensitivity):
    odds = np.exp(bias + sensitivity * np.eye(len(bias)))
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("sensitivity", [0.0, 1.0, 4.0])
def test_preferences_for_answers_do_not_change_the_sensitivity(sensitivity):
    bias = np.random.default_rng(0).normal(size=16)
    plain, biased = (1e6 * _shares(preferred, sensitivity) for preferred in (np.zeros(16), bias))
    assert fit_choices(plain).sensitivity == pytest.approx(sensitivity, abs=1e-3)
    assert fit_choices(biased).sensitivity == pytest.approx(sensitivity, abs=1e-3)


def test_the_influence_is_the_derivative_by_a_trial():
    counts = 1e4 * _shares(np.random.default_rng(1).normal(size=6), 1.5)
    fit = fit_choices(counts)
    for cell in ((0, 0), (2, 4), (5, 1)):
        more = counts.copy()
        more[cell] += 1
        # Less the change that an average trial of the category makes, which is 0.
        assert fit_choices(more).sensitivity - fit.sensitivity == pytest.approx(fit.influence[cell], rel=1e-2)
    assert fit.variance == pytest.approx((counts * fit.influence**2).sum(), rel=1e-3)


def test_perfect_answers_have_a_finite_sensitivity():
    assert 3 < fit_choices(5 * np.eye(16)).sensitivity < 8


@pytest.mark.parametrize(("others", "defined"), [(0, False), (9, False), (10, True)])
def test_answers_of_nearly_one_category_do_not_determine_the_sensitivity(others, defined):
    counts = np.zeros((16, 16))
    counts[:, 10] = 50
    counts[0, 3] = others
    assert np.isfinite(fit_choices(counts).sensitivity) == defined


def test_images_of_one_category_do_not_determine_the_sensitivity():
    counts = np.zeros((16, 16))
    counts[3] = 4
    assert np.isnan(fit_choices(counts).sensitivity)
    assert np.isnan(fit_choices(0 * counts).sensitivity)
