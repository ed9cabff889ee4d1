"""Pearson's and Spearman's correlations of weighted samples and of a single sample."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.means import membership, safe_divide


def correlations(a: np.ndarray, b: np.ndarray, weights: ArrayLike = 1.0) -> np.ndarray:
    """Return Pearson's r over the last axis, with each unit counted `weights` times.

    Args:
        a: (..., units).
        b: (..., units). Units for which either is NaN are left out.
        weights: (..., units), such as those of `resampling.draw_weights`.

    Returns:
        (...) from -1 to 1; NaN where either is constant or fewer than two units remain.
    """
    x, y, w = np.broadcast_arrays(a, b, np.asarray(weights, dtype=float))
    known = (w > 0) & ~np.isnan(x) & ~np.isnan(y)
    w = np.where(known, w, 0.0)
    total = w.sum(axis=-1, keepdims=True)
    x, y = (_unit_range(values, known) for values in (x, y))
    x, y = (v - safe_divide((v * w).sum(axis=-1, keepdims=True), total) for v in (x, y))
    spread = (w * x * x).sum(axis=-1) * (w * y * y).sum(axis=-1)
    return np.clip(safe_divide((w * x * y).sum(axis=-1), np.sqrt(spread)), -1, 1)


def _unit_range(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Map each row onto [0, 1], and a constant row to exact zeros.

    Rounding would otherwise give a constant row a spread above 0, and shift the mean of neighbouring floats onto one
    of them.
    """
    low = np.min(values, axis=-1, keepdims=True, where=known, initial=np.inf)
    high = np.max(values, axis=-1, keepdims=True, where=known, initial=-np.inf)
    span = high - low
    return np.divide(values - low, span, out=np.zeros(values.shape), where=known & (span > 0))


_FEW_GROUPS = 64
"""Largest number of groups that are summed by a matrix product, which is faster than sorting units by group."""


def rank_correlations(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Spearman's rho of each weighted sample; ties share their mean rank.

    Args:
        a: (units,), the same in every sample.
        b: (units,), or (samples, units) if it differs between samples. Units for which either is NaN are left out.
        weights: (samples, units).

    Returns:
        (samples,); NaN where undefined.
    """
    known = ~np.isnan(a)
    return correlate_with_ranks(a[known], weighted_ranks(b[..., known], weights[:, known]))


@dataclass(frozen=True)
class WeightedRanks:
    """Ranks of units in weighted samples, which several other values of the same units are correlated with.

    Attributes:
        weights: Weights, 0 where a unit is unknown, (samples, units).
        weighted: Ranks from the weighted mean, times the weights, (samples, units).
        square: Weighted sum of squared ranks from the mean, (samples,); 0 if all units have the same value.
    """

    weights: np.ndarray
    weighted: np.ndarray
    square: np.ndarray


def weighted_ranks(values: np.ndarray, weights: np.ndarray) -> WeightedRanks:
    """Rank units in each weighted sample; ties share their mean rank.

    Args:
        values: (units,), or (samples, units) if they differ between samples; NaN where unknown.
        weights: (samples, units).
    """
    drawn = np.where(np.isnan(values), 0.0, weights)
    ranks = _ranks(values, drawn) if values.ndim == 1 else _row_ranks(np.nan_to_num(values), drawn)
    centred = _centred(ranks, drawn)
    weighted = drawn * centred
    return WeightedRanks(drawn, weighted, (weighted * centred).sum(axis=-1))


def correlate_with_ranks(values: np.ndarray, ranks: WeightedRanks) -> np.ndarray:
    """Return Spearman's rho of values (units,) without NaN and ranked values of the same units, (samples,)."""
    if len(values) < 2:
        return np.full(len(ranks.weights), np.nan)
    _, groups = np.unique(values, return_inverse=True)
    # Units of equal value have one rank, so sums over units become sums over the few values of response times.
    weights, weighted = (_group_sums(array, groups) for array in (ranks.weights, ranks.weighted))
    centred = _centred(np.cumsum(weights, axis=1) - weights / 2, weights)
    spread = (weights * centred**2).sum(axis=-1) * ranks.square
    return np.clip(safe_divide((centred * weighted).sum(axis=-1), np.sqrt(spread)), -1, 1)


def _centred(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Map the units of each sample that were drawn onto [0, 1], and subtract their weighted mean."""
    scaled = _unit_range(values, weights > 0)
    total = weights.sum(axis=-1, keepdims=True)
    return scaled - safe_divide((scaled * weights).sum(axis=-1, keepdims=True), total)


def _group_sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sum (samples, units) within groups (units,) numbered from 0, each with a unit: (samples, groups)."""
    count = int(groups.max()) + 1
    if count <= _FEW_GROUPS:
        return np.asarray(values @ membership(groups, count))
    sizes = np.bincount(groups)
    order = np.argsort(groups, kind="stable")
    return np.asarray(np.add.reduceat(values[:, order], np.cumsum(sizes) - sizes, axis=1))


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Return Spearman's rho: Pearson's r of the ranks, with ties sharing their mean rank.

    Args:
        a: (images,), such as a network's response times.
        b: (images,), such as human response times. Images for which either is NaN are left out.

    Returns:
        From -1 to 1; NaN if either is constant or fewer than two images remain.

    Raises:
        ConvRNNError: Shapes differ.
    """
    x, y = same_shape(a, b, "response times")
    return float(rank_correlations(x, y, np.ones((1, x.size)))[0])


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean rank of each unit in each sample, up to a constant: (units,), weights (samples, units)."""
    if not len(values):
        return np.zeros(weights.shape)
    _, groups = np.unique(values, return_inverse=True)
    drawn = _group_sums(weights, groups)
    return np.asarray((np.cumsum(drawn, axis=1) - drawn / 2)[:, groups])


def _row_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return `_ranks` for values that differ between samples, (samples, units); rare ties do not share a rank."""
    order = np.argsort(values, axis=1, kind="stable")
    drawn = np.take_along_axis(weights, order, axis=1)
    ranks = np.empty_like(drawn)
    np.put_along_axis(ranks, order, np.cumsum(drawn, axis=1) - drawn / 2, axis=1)
    return ranks


def same_shape(a: ArrayLike, b: ArrayLike, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Convert both to float arrays.

    Raises:
        ConvRNNError: Shapes differ; `what` names the values.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.shape != y.shape:
        raise ConvRNNError(
            f"cannot compare {what}: both must have the same shape, got shapes {x.shape} and {y.shape}. Pass the same "
            "entries in both"
        )
    return x, y
