"""P-values of differences from their confidence intervals, and Holm's correction for several comparisons.

A p-value belongs to its interval (Altman & Bland 2011, BMJ 343, d2304): the end of the interval on the side of 0 is
Student's quantile t of the standard error away from the value, so p < 0.05 if and only if the 95 % interval excludes 0.
"""

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.intervals import LEVEL, Estimate


def interval_p_value(difference: Estimate, freedom: float = math.inf) -> float:
    """Return the two-sided p-value of a difference from 0.

    Formula: 2 (1 - F(t abs(value) / abs(value - end))), with F and t Student's distribution and its quantile of the
    interval's level, and `end` the end of the interval on the side of 0.

    Args:
        difference: Difference with a 95 % confidence interval.
        freedom: Degrees of freedom of the interval.

    Returns:
        From 0 to 1; NaN without an interval.
    """
    if not all(math.isfinite(number) for number in (difference.value, difference.low, difference.high)):
        return float("nan")
    end = difference.low if difference.value > 0 else difference.high
    width = abs(difference.value - end)
    if width == 0:
        return 1.0 if difference.value == 0 else 0.0
    quantile = stats.t.ppf((1 + LEVEL) / 2, freedom)
    return float(2 * stats.t.sf(quantile * abs(difference.value) / width, freedom))


def holm(p_values: ArrayLike) -> np.ndarray:
    """Correct the p-values of a family of tests (Holm 1979, Scand J Stat 6, 65-70).

    If every corrected p-value below alpha is called a difference, the probability of any false one in the family is at
    most alpha, whatever the dependence of the tests.

    Formula: for the sorted p_(1) <= ... <= p_(m), corrected p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).

    Args:
        p_values: (tests,). NaN is not a test and remains NaN.

    Returns:
        Corrected p-values, (tests,).

    Raises:
        ConvRNNError: A value is not from 0 to 1.
    """
    values = np.asarray(p_values, dtype=float)
    known = np.flatnonzero(~np.isnan(values))
    if ((values[known] < 0) | (values[known] > 1)).any():
        raise ConvRNNError(
            f"cannot correct p-values: they must be from 0 to 1, got {values[known].min():g} to "
            f"{values[known].max():g}. Pass probabilities"
        )
    order = known[np.argsort(values[known], kind="stable")]
    steps = np.arange(len(order), 0, -1) * values[order]
    corrected = np.full(values.shape, np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def holm_within(families: Sequence[Hashable], p_values: Sequence[float]) -> list[float]:
    """Apply `holm` within each family.

    Args:
        families: Family of each test, such as condition and measure.
        p_values: (tests,).
    """
    members: dict[Hashable, list[int]] = {}
    for place, family in enumerate(families):
        members.setdefault(family, []).append(place)
    corrected = np.full(len(p_values), np.nan)
    values = np.asarray(p_values, dtype=float)
    for places in members.values():
        corrected[places] = holm(values[places])
    return corrected.tolist()
