"""Sensitivity without response bias, by Luce's choice model with equal similarities.

In the model, an image of category k receives answer j with probability proportional to `exp(bias[j])`, times
`exp(sensitivity)` if j is k (Luce 1963, in Handbook of Mathematical Psychology 1, 103-189, with one similarity for all
pairs of categories). An observer without information has a sensitivity of 0, however they prefer some answers. Without
preferences, a sensitivity s gives the accuracy `exp(s) / (exp(s) + 15)`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

_STEPS = 60
_TOLERANCE = 1e-9
_FEWEST = 10
"""Least number of trials with another answer than the most frequent one: with fewer, the penalty decides the fit."""
_LONGEST_STEP = 2.0
"""Largest change of a parameter in one step, which keeps Newton's method from overshooting with few images."""


@dataclass(frozen=True)
class ChoiceFit:
    """Fitted choice model.

    Attributes:
        sensitivity: In log odds; NaN with trials of one category only, or if fewer than 10 trials have another answer
            than the most frequent one.
        influence: First-order effect of a trial of category k (rows) with answer j (columns) on the sensitivity.
        variance: Variance of the sensitivity for independent trials that follow the model, which unlike the sum of
            squared influences is not too small with few errors.
    """

    sensitivity: float
    influence: np.ndarray
    variance: float


def fit_choices(counts: ArrayLike) -> ChoiceFit:
    """Fit the choice model to a confusion matrix by maximum likelihood with Firth's reduction of bias.

    Firth's penalty (1993, Biometrika 80, 27-38) removes the bias of first order, and keeps the sensitivity finite if
    all answers are right or an answer is never given.

    Args:
        counts: Number of trials, (categories, categories): true categories in rows, answers in columns.
    """
    table = np.asarray(counts, dtype=float)
    size = len(table)
    trials = table.sum(axis=1)
    answers = table.sum(axis=0)
    if (trials > 0).sum() < 2 or answers.sum() - answers.max() < _FEWEST:
        return ChoiceFit(float("nan"), np.full(table.shape, np.nan), float("nan"))
    # Parameters: sensitivity, then the biases relative to the last answer.
    design = np.zeros((size, size, size))
    design[:, :, 0] = np.eye(size)
    design[:, np.arange(size - 1), np.arange(1, size)] = 1
    theta = np.zeros(size)
    for _ in range(_STEPS):
        shares, centred, inverse = _information(design, theta, trials)
        leverage = np.einsum("kjp,pq,kjq->kj", centred, inverse, centred, optimize=True)
        leverage -= (shares * leverage).sum(axis=1, keepdims=True)
        surplus = table - trials[:, None] * shares * (1 - leverage / 2)
        step = inverse @ np.einsum("kj,kjp->p", surplus, design)
        theta += step / max(1.0, float(np.abs(step).max()) / _LONGEST_STEP)
        if np.abs(step).max() < _TOLERANCE:
            break
    _, centred, inverse = _information(design, theta, trials)
    return ChoiceFit(float(theta[0]), centred @ inverse[0], float(inverse[0, 0]))


def _information(
    design: np.ndarray, theta: np.ndarray, trials: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return answer shares (k, j), centred design (k, j, parameters), and the inverse of Fisher's information."""
    logits = design @ theta
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    centred = design - np.einsum("kj,kjp->kp", shares, design)[:, None, :]
    information = np.einsum("kj,kjp,kjq->pq", trials[:, None] * shares, centred, centred, optimize=True)
    return shares, centred, np.linalg.inv(information)
