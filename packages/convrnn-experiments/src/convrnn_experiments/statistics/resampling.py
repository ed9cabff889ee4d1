"""Bootstrap samples of images and observers, drawn jointly; measures of many samples at once, as matrix products.

A sample is a weight for each unit, and the first sample has weight 1 everywhere: the data as they are. One set of image
weights serves a network and the people who saw the same images.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from convrnn_experiments.statistics.intervals import Estimate

LEAST_DEFINED = 0.9


def draws(strata: ArrayLike, rng: np.random.Generator, *, samples: int) -> np.ndarray:
    """Bootstrap weights of units, each stratum resampled on its own.

    Of n units in a stratum, n - 1 are drawn and weighted by n / (n - 1), so that the variance over samples is unbiased
    however small the strata are (Rao & Wu 1988, J Am Stat Assoc 83, 231-241). A unit alone in its stratum keeps its
    weight.

    Returns:
        (1 + samples, units); the first row is ones.
    """
    labels = np.asarray(strata)
    drawn = np.ones((1 + samples, len(labels)))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if (size := len(rows)) > 1:
            counts = rng.multinomial(size - 1, np.full(size, 1 / size), size=samples)
            drawn[1:, rows] = counts * (size / (size - 1))
    return drawn


def freedom(parts: Sequence[tuple[np.ndarray, int]]) -> float:
    """Satterthwaite's degrees of freedom of a variance that is a sum of components.

    Args:
        parts: for each component its replicates (samples,) and its degrees of freedom.
    """
    variances = [(float(np.nanvar(drawn)) if np.isfinite(drawn).any() else 0.0, df) for drawn, df in parts]
    spread = sum(variance**2 / max(df, 1) for variance, df in variances)
    return max(sum(variance for variance, _ in variances) ** 2 / spread, 1.0) if spread > 0 else np.inf


def estimate(replicates: np.ndarray, freedom: float) -> Estimate:
    """The first replicate with the percentile interval of the others, widened for few units.

    The interval's ends are the percentiles of Student's quantiles instead of the normal ones (Hesterberg 2015, Am Stat
    69, 371-386). There is none where over a tenth of the samples are undefined, or one unit alone was drawn.
    """
    value, known = float(replicates[0]), _defined(replicates[1:])
    if np.isnan(value) or known is None:
        return Estimate(value, float("nan"), float("nan"))
    tail = float(stats.norm.cdf(stats.t.ppf(0.025, freedom)))
    low, high = np.quantile(known, (tail, 1 - tail))
    return Estimate(value, float(low), float(high))


def correlation_estimate(replicates: np.ndarray, freedom: float) -> Estimate:
    """The first replicate of a correlation with Student's interval on Fisher's scale, by the others' spread.

    A spread needs fewer samples than percentiles do. There is none where over a tenth of the samples are undefined.
    """
    value, known = float(replicates[0]), _defined(replicates[1:])
    if np.isnan(value) or known is None:
        return Estimate(value, float("nan"), float("nan"))
    centre, *scaled = np.arctanh(np.clip([value, *known], -0.999999, 0.999999))
    half = float(stats.t.ppf(0.975, freedom) * np.std(scaled))
    return Estimate(value, float(np.tanh(centre - half)), float(np.tanh(centre + half)))


def _defined(drawn: np.ndarray) -> np.ndarray | None:
    """The replicates that are defined; None where they are too few or all alike to say anything of a spread."""
    known = drawn[~np.isnan(drawn)]
    few = not len(known) or len(known) < LEAST_DEFINED * len(drawn)
    return None if few or known.min() == known.max() else known


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN: (samples, units) or (units,), weights (samples, units)."""
    known = ~np.isnan(values)
    total = (np.where(known, values, 0) * weights).sum(axis=-1)
    return divided(total, (known * weights).sum(axis=-1))


def means(values: ArrayLike, weights: np.ndarray) -> np.ndarray:
    """Means over units of what is not NaN: (units, k) -> (samples, k)."""
    numbers = np.asarray(values, dtype=float)
    known = ~np.isnan(numbers)
    return divided(weights @ np.where(known, numbers, 0), weights @ known.astype(float))


def weighted_correlations(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's r by row, each column counted `weights` times; (samples, k) each -> (samples,)."""
    total = weights.sum(axis=1, keepdims=True)
    x, y = (v - divided((v * weights).sum(axis=1, keepdims=True), total) for v in (a, b))
    spread = (weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1)
    # Rounded means leave a spread of some 1e-30 in rows that are constant.
    scale = ((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1)) * 1e-20
    return divided((weights * x * y).sum(axis=1), np.sqrt(np.where(spread > scale, spread, 0)))


def rank_correlations(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's rho of each sample, ties sharing their mean rank.

    Args:
        a: (units,), the same in every sample.
        b: (units,), or (samples, units) where it differs between samples. Units for which either is NaN are left out.
        weights: (samples, units).

    Returns:
        (samples,); NaN where undefined.
    """
    rows = np.broadcast_to(b, weights.shape)
    known = ~(np.isnan(a) | np.isnan(rows))
    drawn = np.where(known, weights, 0.0)
    usable = known.any(axis=0)
    if usable.sum() < 2:
        return np.full(len(weights), np.nan)
    drawn = drawn[:, usable]
    others = np.nan_to_num(rows[:, usable])
    second = _ranks(b[usable], drawn) if b.ndim == 1 else _row_ranks(others, drawn)
    return weighted_correlations(_ranks(a[usable], drawn), second, drawn)


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(samples, units): the mean rank of each unit in each sample, up to a constant."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    drawn = np.add.reduceat(weights[:, np.argsort(group, kind="stable")], starts, axis=1)
    return (np.cumsum(drawn, axis=1) - drawn / 2)[:, group]


def _row_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`_ranks` for values that differ between samples, (samples, units), and hardly ever tie."""
    order = np.argsort(values, axis=1, kind="stable")
    drawn = np.take_along_axis(weights, order, axis=1)
    ranks = np.empty_like(drawn)
    np.put_along_axis(ranks, order, np.cumsum(drawn, axis=1) - drawn / 2, axis=1)
    return ranks


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
    # Fractional weights leave rounding where a count of 0 is meant.
    chance = np.where(chance > 1e-9 * shared**2, chance, 0)
    return divided(2 * (shared * both - ours * only), chance)


def pair_means(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over pairs of different raters: (raters, raters) symmetric -> (samples,).

    A rater who was drawn twice is not paired with themselves, which would count as perfect agreement.
    """
    off = matrix.copy()
    np.fill_diagonal(off, np.nan)
    known = (~np.isnan(off)).astype(float)
    total = np.einsum("si,ij,sj->s", weights, np.nan_to_num(off), weights, optimize=True)
    return divided(total, np.einsum("si,ij,sj->s", weights, known, weights, optimize=True))


def divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """`above / below`, NaN where `below` is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) != 0)
