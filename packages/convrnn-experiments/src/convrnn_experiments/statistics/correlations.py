"""Pearson's and Spearman's correlations of weighted samples and of a single sample."""

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.means import safe_divide


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


def rank_correlations(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Spearman's rho of each weighted sample; ties share their mean rank.

    Args:
        a: (units,), the same in every sample.
        b: (units,), or (samples, units) if it differs between samples. Units for which either is NaN are left out.
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
    return correlations(_ranks(a[usable], drawn), second, drawn)


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
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    drawn = np.add.reduceat(weights[:, np.argsort(group, kind="stable")], starts, axis=1)
    return (np.cumsum(drawn, axis=1) - drawn / 2)[:, group]


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
