"""Confidence intervals from estimates and their sampling covariance, corrected for the bias of sampling noise.

Sampling noise makes the distance between two curves too large and the correlation of two profiles too small, in
expectation. Both are corrected by the covariance of the estimates (`sampling_error`). Their intervals invert tests: an
interval contains every true value under which the observed one is not among the outer 5 %.
`benchmarks/interval_coverage.py` simulates the whole design and counts how often each interval contains the truth.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from convrnn_experiments.statistics.correlations import correlations
from convrnn_experiments.statistics.measures import root_mean_square

LEVEL = 0.95
NORMAL = 1.959964
"""Half-width of a 95 % interval, in standard errors."""
_DRAWS = 2000
_STEPS = 24


@dataclass(frozen=True)
class Estimate:
    """Value with the ends of its 95 % confidence interval; NaN where undefined."""

    value: float
    low: float
    high: float


UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"))


def without_interval(value: float) -> Estimate:
    """Return an estimate with an unknown interval."""
    return Estimate(value, float("nan"), float("nan"))


def normal_interval(value: float, variance: float, freedom: float, *, level: float = LEVEL) -> Estimate:
    """Return Student's interval of an unbiased estimate; NaN if the variance is unknown."""
    if not (math.isfinite(value) and math.isfinite(variance)):
        return without_interval(value)
    half = _student(freedom, level) * math.sqrt(max(variance, 0.0))
    return Estimate(value, value - half, value + half)


def _student(freedom: float, level: float) -> float:
    """Return Student's quantile: the number of `stats.t.ppf`, without its checks of arrays."""
    share = (1 + level) / 2
    return float(stats.t.ppf(share, freedom) if math.isinf(freedom) else special.stdtrit(freedom, share))


def proportion_interval(
    percent: float, variance: float, freedom: float, units: float, *, level: float = LEVEL
) -> Estimate:
    """Return Wilson's interval of a percentage, with the effective number of trials behind the variance.

    The effective number of trials is p (1 - p) / variance, the number of independent trials with this variance
    (Franco et al. 2019, J Surv Stat Methodol 7, 334-364). Student's quantile replaces the normal one. At 0 and 100 %,
    where the variance is estimated as 0, the number of trials is `units`, so that the interval has a width.

    Args:
        percent: Estimate, 0 to 100.
        variance: Variance of the estimate, in squared percent.
        freedom: Degrees of freedom of the variance.
        units: Number of images or observers drawn: the number of trials at 0 and 100 %.
        level: Coverage.
    """
    if not (math.isfinite(percent) and math.isfinite(variance)) or units < 1:
        return without_interval(percent)
    p = min(max(percent / 100, 0.0), 1.0)
    trials = p * (1 - p) / (variance / 1e4) if variance > 0 and 0 < p < 1 else units
    square = _student(freedom, level) ** 2
    centre = (p + square / (2 * trials)) / (1 + square / trials)
    half = math.sqrt(square * (p * (1 - p) / trials + square / (4 * trials**2))) / (1 + square / trials)
    return Estimate(percent, 100 * max(centre - half, 0.0), 100 * min(centre + half, 1.0))


def rmse(differences: np.ndarray, covariance: np.ndarray) -> float:
    """Return the root mean square of the true differences: the sampling noise of their estimates is subtracted."""
    return float(root_mean_square(differences, np.trace(covariance) / len(differences)))


def rmse_interval(
    differences: np.ndarray, covariance: np.ndarray, freedom: float, *, level: float = LEVEL
) -> Estimate:
    """Return the corrected root mean square of differences, with an interval that inverts the test of each true value.

    A true value r stands for differences r u, where u is the direction of the observed differences with a root mean
    square of 1. The noise has the given covariance, over Student's degrees of freedom. Where no distance fits the data
    worse than 0, the lower end is 0 and the upper end is a one-sided bound.

    Args:
        differences: Estimates, (k,).
        covariance: Covariance of the estimates, (k, k).
        freedom: Degrees of freedom of the covariance along the differences.
        level: Coverage.
    """
    value = rmse(differences, covariance)
    size = float(root_mean_square(differences))
    if not (math.isfinite(size) and np.isfinite(covariance).all()):
        return UNDEFINED
    direction = differences / size if size > 0 else np.ones(len(differences))
    noise = _noise(covariance, freedom)
    along, square = (noise @ direction) / len(direction), (noise**2).mean(axis=1)

    def share_below(true: float) -> float:
        return float(np.mean(true**2 + 2 * true * along + square <= size**2))

    largest = 4 * (size + math.sqrt(float(square.max(initial=0.0)))) + 1e-9
    return _inverted(value, share_below, 0.0, largest, level)


def rmse_difference_interval(
    differences: np.ndarray, covariance: np.ndarray, freedom: float, *, level: float = LEVEL
) -> Estimate:
    """Return the difference of two corrected root mean squares, with an interval that inverts tests.

    A true difference stands for the pair of root mean squares with this difference that is nearest to the observed
    pair, in the directions of the observed differences.

    Args:
        differences: Estimates, (2, k).
        covariance: Covariance of the estimates, (2 k, 2 k), the first k before the others.
        freedom: Degrees of freedom of the covariance.
        level: Coverage.
    """
    k = differences.shape[1]
    biases = np.diag(covariance).reshape(2, k).mean(axis=1)
    sizes = root_mean_square(differences)
    if not (np.isfinite(sizes).all() and np.isfinite(covariance).all()):
        return UNDEFINED
    directions = differences / np.where(sizes > 0, sizes, 1)[:, None]
    noise = _noise(covariance, freedom).reshape(-1, 2, k)
    along, squares = (noise * directions).mean(axis=2), (noise**2).mean(axis=2)
    observed = root_mean_square(differences, biases)
    value = float(observed[0] - observed[1])

    def share_below(true: float) -> float:
        middle = max(float(observed.sum()), abs(true)) / 2
        pair = np.array([middle + true / 2, middle - true / 2])
        drawn = np.sqrt(np.maximum(pair**2 + 2 * pair * along + squares - biases, 0))
        return float(np.mean(drawn[:, 0] - drawn[:, 1] <= value))

    largest = 4 * float(sizes.sum() + np.sqrt(squares.max(initial=0.0))) + 1e-9
    return _inverted(value, share_below, -largest, largest, level)


def correlation(covariances: tuple[float, float, float]) -> float:
    """Return Pearson's r from the variances of a and b and their covariance; NaN if a variance is not positive."""
    a, b, both = covariances
    return both / math.sqrt(a * b) if a > 0 and b > 0 else float("nan")


def corrected_moments(values: np.ndarray, covariance: np.ndarray) -> tuple[float, float, float]:
    """Return the variances and covariance of two profiles over their categories, less the sampling noise.

    Args:
        values: Profiles, (2, k).
        covariance: Sampling covariance, (2 k, 2 k), the first profile's k before the second's.
    """
    k = values.shape[1]
    centring = np.eye(k) - 1 / k
    centred = values @ centring
    noise = [
        np.trace(centring @ covariance[i * k : (i + 1) * k, j * k : (j + 1) * k])
        for i, j in ((0, 0), (1, 1), (0, 1))
    ]
    moments = (centred[0] @ centred[0], centred[1] @ centred[1], centred[0] @ centred[1])
    a, b, both = ((moment - part) / (k - 1) for moment, part in zip(moments, noise, strict=True))
    return a, b, both


def correlation_interval(
    values: np.ndarray, covariance: np.ndarray, freedom: float, *, level: float = LEVEL
) -> Estimate:
    """Return disattenuated Pearson's r over categories, with an interval that inverts the test of each true r."""
    moments = corrected_moments(values, covariance)
    value = correlation(moments)
    k = values.shape[1]
    if (
        not (np.isfinite(values).all() and np.isfinite(covariance).all())
        or moments[0] <= 0
        or moments[1] <= 0
    ):
        return Estimate(float("nan"), -1.0, 1.0)
    raw = float(correlations(values[0], values[1]))
    centred = values - values.mean(axis=1, keepdims=True)
    first = _standardized(centred[0])
    other = _standardized(centred[1] - first * (first @ centred[1]) / k)
    scale = np.sqrt(np.array(moments[:2]) * (k - 1) / k)
    noise = _noise(covariance, freedom).reshape(-1, 2, k)
    noise = noise - noise.mean(axis=2, keepdims=True)
    # One profile is along the first direction, the other between the first and the second; both with noise. Terms that
    # do not depend on the true r are computed once.
    a, b = scale[0] * first + noise[:, 0], noise[:, 1]
    a_first, a_other, a_noise = scale[1] * (a @ first), scale[1] * (a @ other), (a * b).sum(axis=1)
    b_first, b_other, b_noise = scale[1] * (b @ first), scale[1] * (b @ other), (b * b).sum(axis=1)
    size_a, size_b = (a * a).sum(axis=1), k * scale[1] ** 2

    def share_below(true: float) -> float:
        rest = math.sqrt(max(1 - true**2, 0))
        both = true * a_first + rest * a_other + a_noise
        square = size_b + 2 * (true * b_first + rest * b_other) + b_noise
        return float(np.mean(both <= raw * np.sqrt(size_a * square)))

    return _inverted(min(max(value, -1.0), 1.0), share_below, -1.0, 1.0, level)


def _standardized(profile: np.ndarray) -> np.ndarray:
    """Scale a centred profile to a mean square of 1; zeros if it is constant."""
    size = math.sqrt(float(np.mean(profile**2)))
    return profile / size if size else profile


def difference_interval(first: Estimate, second: Estimate, correlation: float) -> Estimate:
    """Return the interval of `first - second` from the intervals of both (Zou & Donner 2008, Stat Med 27, 1693-1702).

    Args:
        first: Minuend.
        second: Subtrahend.
        correlation: Correlation of the sampling errors of both.
    """
    value = first.value - second.value
    below, above = first.value - first.low, first.high - first.value
    second_below, second_above = second.value - second.low, second.high - second.value
    low = value - math.sqrt(max(below**2 + second_above**2 - 2 * correlation * below * second_above, 0))
    high = value + math.sqrt(max(above**2 + second_below**2 - 2 * correlation * above * second_below, 0))
    return Estimate(value, low, high)


def _noise(covariance: np.ndarray, freedom: float) -> np.ndarray:
    """Draw Student's multivariate t with this scale, (draws, k); every call uses the same random numbers."""
    values, vectors = np.linalg.eigh(covariance)
    rng = np.random.default_rng(20250104)
    normal = rng.standard_normal((_DRAWS, len(values)))
    normal = np.concatenate([normal, -normal])
    spread = rng.chisquare(freedom, _DRAWS) / freedom if math.isfinite(freedom) else np.ones(_DRAWS)
    return (normal * np.sqrt(np.maximum(values, 0))) @ vectors.T / np.sqrt(np.tile(spread, 2))[:, None]


def _inverted(
    value: float, share_below: Callable[[float], float], least: float, largest: float, level: float
) -> Estimate:
    """Invert the tests of all true values from `least` to `largest`.

    Args:
        value: Point estimate, which the interval contains.
        share_below: Share of samples below the observed value, given the true one; falls as the true value rises.
        least: Smallest possible true value.
        largest: Largest possible true value.
        level: Coverage.
    """
    tail = (1 - level) / 2
    low = _root(lambda true: share_below(true) - (1 - tail), least, largest)
    high = _root(lambda true: share_below(true) - tail, least, largest)
    return Estimate(value, min(low, value), max(high, value))


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Find where a falling function crosses 0; if it does not, return the nearer end."""
    if falling(low) <= 0:
        return low
    if falling(high) >= 0:
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2
