"""Means and ratios with missing values: NaN marks a missing value, and a result without any value is NaN."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError


def safe_divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with NaN where the denominator is 0."""
    undefined = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=np.asarray(denominator) != 0)


def membership(groups: ArrayLike, count: int) -> np.ndarray:
    """Return the indicator matrix of groups numbered from 0: (units,) -> (units, count) of 0.0 and 1.0."""
    return (np.asarray(groups)[:, None] == np.arange(count)).astype(float)


def mean_over(values: ArrayLike, axis: int | tuple[int, ...] = 0) -> np.ndarray:
    """Average over an axis, leaving out NaN."""
    numbers = np.asarray(values, dtype=float)
    known = ~np.isnan(numbers)
    return safe_divide(np.where(known, numbers, 0).sum(axis=axis), known.sum(axis=axis))


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average over the last axis, leaving out NaN: (samples, units) or (units,), weights (samples, units)."""
    known = ~np.isnan(values)
    total = (np.where(known, values, 0) * weights).sum(axis=-1)
    return safe_divide(total, (known * weights).sum(axis=-1))


def sample_means(values: ArrayLike, weights: np.ndarray) -> np.ndarray:
    """Average each column in each weighted sample: (units, k), weights (samples, units) -> (samples, k)."""
    numbers = np.asarray(values, dtype=float)
    known = ~np.isnan(numbers)
    return safe_divide(weights @ np.where(known, numbers, 0), weights @ known.astype(float))


def grouped_mean(values: ArrayLike, codes: Sequence[ArrayLike], shape: Sequence[int]) -> np.ndarray:
    """Average values within groups, such as accuracy by observer, time, level or category.

    The mean in each cell is over all i with `(codes[0][i], codes[1][i], ...) == cell`. For accuracy in percent, pass
    `100 * correct`. Human accuracy is first averaged by observer, then over observers (`mean_over`).

    Args:
        values: (trials,); NaN is left out.
        codes: Integer array (trials,), counted from 0, for each dimension of the result.
        shape: Shape of the result.

    Returns:
        Array of `shape`; NaN in cells without a value.

    Raises:
        ConvRNNError: Lengths differ, or a code is outside its dimension.
    """
    numbers = np.asarray(values, dtype=float)
    arrays = [np.asarray(code) for code in codes]
    if len(arrays) != len(shape) or any(code.shape != numbers.shape for code in arrays) or numbers.ndim != 1:
        raise ConvRNNError(
            f"cannot group means: codes must be {len(shape)} arrays as long as the values, got shapes "
            f"{[code.shape for code in arrays]} for values of shape {numbers.shape}. Pass one array per dimension"
        )
    for code, length in zip(arrays, shape, strict=True):
        if code.size and not (code.min() >= 0 and code.max() < length):
            raise ConvRNNError(
                f"cannot group means: codes must be from 0 to {length - 1}, got {code.min()} to {code.max()}. Pass a "
                "larger shape"
            )
    cells = int(np.prod(shape))
    known = ~np.isnan(numbers)
    if not known.any():
        return np.full(shape, np.nan)
    index = np.ravel_multi_index([code[known].astype(np.int64) for code in arrays], tuple(shape))
    totals = np.bincount(index, weights=numbers[known], minlength=cells)
    return safe_divide(totals, np.bincount(index, minlength=cells)).reshape(shape)
