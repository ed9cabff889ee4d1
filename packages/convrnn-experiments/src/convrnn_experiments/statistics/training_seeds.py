"""Spread of a measure over networks that differ only in the seed of their training.

A network trained again is another draw from the population of networks of these settings. With measures x_1 ... x_n of
n seeds on the same images, the mean has Student's interval

    mean ± t_{n-1} sqrt(s^2 / n),    s^2 = sum_j (x_j - mean)^2 / (n - 1),

which holds for networks trained in the future and tested on these images. The variance s^2 contains the differences of
the networks and the sampling error of each on the images, as far as the networks do not share it. With the covariance
C of the sampling errors over images, its expectation is

    E[s^2] = seed + tr(C (I - J)) / (n - 1),    J = 1 1' / n,

so the seed part is s^2 less the image part tr(C (I - J)) / (n - 1) (variance components; Searle, Casella & McCulloch
1992, Variance Components, 3.6). The mean over seeds on new images has the variance seed / n + 1' C 1 / n^2.

The difference of the means of two such groups on new images has the variance seed_1 / n_1 + seed_2 / n_2 + w' C w, with
the covariance C of all networks and weights w of 1 / n_1 and -1 / n_2: the errors that the groups share cancel.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.intervals import Estimate, normal_interval, without_interval
from convrnn_experiments.statistics.resampling import Bootstrapped, weighted_replicates
from convrnn_experiments.statistics.sampling_error import SampledEstimates

SEED = "seed"
"""Setting by which networks of a group may differ."""


@dataclass(frozen=True)
class SeedSpread:
    """Measure over networks of different seeds.

    Attributes:
        seeds: Number of networks.
        sd: Standard deviation between networks, images included; NaN for one network.
        mean: Mean, with Student's interval over seeds, for these images.
        on_new_images: Mean, with an interval over seeds and images.
        seed_variance: Variance between networks that the images do not explain, at least 0; NaN for one network.
        image_variance: Part of the variance between networks that is sampling error of the images; NaN for one network.
            Both are NaN, and `on_new_images` has no interval, where the contributions of images are unknown.
    """

    seeds: int
    sd: float
    mean: Estimate
    on_new_images: Estimate
    seed_variance: float
    image_variance: float


def group_by_settings(settings: Sequence[Mapping[str, Any]], *, seed: str = SEED) -> list[list[int]]:
    """Group networks whose settings are equal but for the seed.

    Args:
        settings: Settings of each network, such as those of a run's configuration.
        seed: Name of the seed.

    Returns:
        Positions of the networks of each group, in order of the first. A network that is listed twice is twice in it.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, values in enumerate(settings):
        key = tuple(sorted((name, repr(value)) for name, value in values.items() if name != seed))
        groups.setdefault(key, []).append(place)
    return list(groups.values())


SamplingError = Callable[[np.ndarray], tuple[float, float]]
"""Variance, and its degrees of freedom, of the sampling error of a weighted sum of networks, by weights (networks,)."""


def linear_error(values: SampledEstimates) -> SamplingError:
    """Return the sampling error of networks whose contributions of images are known.

    Args:
        values: Measure of each network, (networks,), with the contributions of the same images; join the estimates of
            single networks by `sampling_error.concatenate`.
    """

    def error(weights: np.ndarray) -> tuple[float, float]:
        summed = values.combine(weights[:, None])
        return float(summed.covariance[0, 0]), float(summed.freedom[0])

    return error


def bootstrap_error(replicates: Sequence[Bootstrapped]) -> SamplingError:
    """Return the sampling error of networks from their replicates over the same bootstrap samples."""

    def error(weights: np.ndarray) -> tuple[float, float]:
        summed = weighted_replicates(replicates, weights)
        return summed.variance, summed.freedom

    return error


def seed_spread(values: ArrayLike, error: SamplingError) -> SeedSpread:
    """Summarise a measure over the networks of a group.

    Args:
        values: Measure of each network, (networks,).
        error: Sampling error of the networks.

    Raises:
        ConvRNNError: There are no networks.
    """
    numbers = np.asarray(values, dtype=float)
    n = len(numbers)
    if n == 0:
        raise ConvRNNError(
            "cannot summarise seeds: there must be at least one network, got none. Pass networks"
        )
    alone = spread_of_values(numbers)
    if n == 1 or not np.isfinite(alone.mean.value):
        return alone
    shared, freedom = error(np.full(n, 1 / n))
    seed, images = _components(numbers, error, np.ones(n, dtype=bool))
    if not np.isfinite([seed, shared]).all():
        return alone
    between = alone.sd**2 / n
    total = max(seed / n + shared, between)
    rest = max(total - between, 0.0)
    interval = normal_interval(
        alone.mean.value, total, _combined_freedom([(between, n - 1), (rest, freedom)])
    )
    return SeedSpread(n, alone.sd, alone.mean, interval, seed, images)


def seed_difference(first: ArrayLike, second: ArrayLike, error: SamplingError) -> tuple[Estimate, float]:
    """Estimate the mean of one group of networks minus that of another, on new images.

    A group of one network stands for this network alone, so the interval is not over its seed.

    Args:
        first: Measure of each network of the minuend, (networks,), at least one.
        second: Measure of each network of the subtrahend, (networks,), at least one.
        error: Sampling error of the networks of both groups, those of the first before the others.

    Returns:
        Difference with its interval over seeds, images and observers, and the degrees of freedom of the interval. The
        interval is NaN if a measure or the sampling error is unknown.
    """
    groups = [np.asarray(group, dtype=float) for group in (first, second)]
    values, sizes = np.concatenate(groups), [len(group) for group in groups]
    weights = np.repeat([1 / sizes[0], -1 / sizes[1]], sizes)
    value = float(values @ weights)
    shared, freedom = error(weights) if np.isfinite(value) else (float("nan"), float("nan"))
    seeds, between = 0.0, []
    for group in (weights > 0, weights < 0):
        n = int(group.sum())
        if n > 1:
            seeds += _components(values, error, group)[0] / n
            between.append((float(np.var(values[group], ddof=1)) / n, n - 1.0))
    spread = sum(variance for variance, _ in between)
    total = max(seeds + shared, spread)
    if not np.isfinite([value, total]).all():
        return without_interval(value), float("nan")
    combined = _combined_freedom([*between, (max(total - spread, 0.0), freedom)])
    return normal_interval(value, total, combined), combined


def _components(values: np.ndarray, error: SamplingError, group: np.ndarray) -> tuple[float, float]:
    """Divide the variance between the networks of a group, a mask (networks,), into the parts of seeds and images."""
    n = int(group.sum())
    own = [error(np.eye(len(values))[place])[0] for place in np.flatnonzero(group)]
    # tr(C (I - J)) / (n - 1), from the diagonal of C and 1' C 1 / n^2.
    images = max(n * (float(np.mean(own)) - error(group / n)[0]) / (n - 1), 0.0)
    return max(float(np.var(values[group], ddof=1)) - images, 0.0), images


def spread_of_values(values: ArrayLike) -> SeedSpread:
    """Summarise a measure over the networks of a group, of which the contributions of images are unknown.

    Args:
        values: Measure of each network, (networks,), at least one.
    """
    numbers = np.asarray(values, dtype=float)
    n, nan = len(numbers), float("nan")
    average = float(np.mean(numbers))
    unknown = without_interval(average)
    if n == 1 or not np.isfinite(average):
        return SeedSpread(n, nan, unknown, unknown, nan, nan)
    sd = float(np.std(numbers, ddof=1))
    return SeedSpread(n, sd, normal_interval(average, sd**2 / n, n - 1), unknown, nan, nan)


def _combined_freedom(components: Sequence[tuple[float, float]]) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of variances, each with its degrees of freedom."""
    spread = sum(variance**2 / freedom for variance, freedom in components if math.isfinite(freedom))
    return sum(variance for variance, _ in components) ** 2 / spread if spread > 0 else math.inf
