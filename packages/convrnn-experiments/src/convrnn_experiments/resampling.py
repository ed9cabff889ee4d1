"""Measures of many bootstrap samples at once: a sample is how often each unit was drawn, measures are matrix products.

A row of counts stands for one sample; the row of ones is the data as they are. So one function gives a measure and
its interval, and everything about the same people, or the same images, is resampled together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.bootstrap import percentile_interval


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its 95 % interval; NaN where undefined."""

    value: float
    low: float
    high: float


NOTHING = Estimate(float("nan"), float("nan"), float("nan"))


def counts(strata: ArrayLike, *, seed: int | Sequence[int], samples: int) -> np.ndarray:
    """How often each unit is drawn, each stratum resampled on its own: (1 + samples, units); the first row is ones."""
    labels = np.asarray(strata)
    rng = np.random.default_rng(seed)
    drawn = np.ones((1 + samples, len(labels)))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        drawn[1:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=samples)
    return drawn


def estimate(replicates: np.ndarray, units: int) -> Estimate:
    """The first replicate with the percentile interval of the others, widened for `units` (the fewest resampled)."""
    low, high = percentile_interval(replicates[1:], units=units)
    return Estimate(float(replicates[0]), float(low), float(high))


def means(values: ArrayLike, weights: np.ndarray) -> np.ndarray:
    """Means over units of what is not NaN: (units, k) -> (samples, k)."""
    numbers = np.asarray(values, dtype=float)
    known = ~np.isnan(numbers)
    total = weights @ np.where(known, numbers, 0)
    return divided(total, weights @ known.astype(float))


def grouped_means(values: np.ndarray, codes: np.ndarray, groups: int, weights: np.ndarray) -> np.ndarray:
    """Means within groups: values (units,), codes (units,) from 0 -> (samples, groups); NaN where none was drawn."""
    member = (codes[:, None] == np.arange(groups)).astype(float)
    return divided(weights @ (member * values[:, None]), weights @ member)


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's r of each row with its fellow: (samples, k), (samples, k) -> (samples,); NaN values are left out."""
    known = ~(np.isnan(a) | np.isnan(b))
    return weighted_correlations(np.where(known, a, 0), np.where(known, b, 0), known.astype(float))


def weighted_correlations(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's r by row, each column counted `weights` times; (samples, k) each -> (samples,)."""
    total = weights.sum(axis=1, keepdims=True)
    x, y = (v - divided((v * weights).sum(axis=1, keepdims=True), total) for v in (a, b))
    spread = (weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1)
    # Rounded means leave a spread of some 1e-30 in rows that are constant.
    scale = ((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1)) * 1e-20
    return divided((weights * x * y).sum(axis=1), np.sqrt(np.where(spread > scale, spread, 0)))


def rank_correlations(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's rho of each sample, ties sharing their mean rank: (units,), (units,) -> (samples,)."""
    known = ~(np.isnan(a) | np.isnan(b))
    if known.sum() < 2:
        return np.full(len(weights), np.nan)
    drawn = weights[:, known]
    return weighted_correlations(_ranks(a[known], drawn), _ranks(b[known], drawn), drawn)


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(samples, units): the mean rank that each unit has in each sample."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    drawn = np.add.reduceat(weights[:, np.argsort(group, kind="stable")], starts, axis=1)
    return (np.cumsum(drawn, axis=1) - (drawn - 1) / 2)[:, group]


def kappas(right: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Error consistency of one rater with others, over the trials that both have (`measures.error_consistency`).

    Args:
        right: (trials,) 1 or 0.
        other: (raters, trials) 1, 0, or NaN where there is no answer.
        weights: (samples, trials).

    Returns:
        (samples, raters), NaN where undefined.
    """
    has = (~np.isnan(other)).astype(float)
    theirs = np.nan_to_num(other)
    shared, ours = weights @ has.T, weights @ (has * right).T
    both, only = weights @ (theirs * right).T, weights @ theirs.T
    chance = ours * (shared - only) + only * (shared - ours)
    return divided(2 * (shared * both - ours * only), chance)


def pair_means(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over pairs of different raters: (raters, raters) symmetric -> (samples,).

    A rater who was drawn twice is not paired with himself, which would count as perfect agreement.
    """
    off = matrix.copy()
    np.fill_diagonal(off, np.nan)
    known = (~np.isnan(off)).astype(float)
    total = np.einsum("si,ij,sj->s", weights, np.nan_to_num(off), weights, optimize=True)
    return divided(total, np.einsum("si,ij,sj->s", weights, known, weights, optimize=True))


def divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """`above / below`, NaN where `below` is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) != 0)
