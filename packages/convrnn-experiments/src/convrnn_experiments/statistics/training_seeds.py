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
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.intervals import Estimate, normal_interval, without_interval
from convrnn_experiments.statistics.resampling import Bootstrapped, mean_replicates
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


def seed_spread(values: SampledEstimates) -> SeedSpread:
    """Summarise a measure over the networks of a group.

    Args:
        values: Measure of each network, (networks,), with the contributions of the same images; join the estimates of
            single networks by `sampling_error.concatenate`.

    Raises:
        ConvRNNError: There are no networks.
    """
    n = _number(values.values)
    joint = values.combine(np.full((n, 1), 1 / n))
    own = float(np.diag(values.covariance).mean())
    return _spread(values.values, own, float(joint.covariance[0, 0]), float(joint.freedom[0]))


def bootstrapped_spread(replicates: Sequence[Bootstrapped]) -> SeedSpread:
    """Summarise a measure over the networks of a group, from their replicates over the same bootstrap samples.

    Args:
        replicates: Replicates of each network.

    Raises:
        ConvRNNError: There are no networks.
    """
    n = _number(replicates)
    joint = mean_replicates(replicates)
    own = sum(one.variance for one in replicates) / n
    values = np.array([one.replicates[0] for one in replicates])
    return _spread(values, own, joint.variance, joint.freedom)


def _number(networks: Sequence[Any] | np.ndarray) -> int:
    if len(networks) == 0:
        raise ConvRNNError(
            "cannot summarise seeds: there must be at least one network, got none. Pass networks"
        )
    return len(networks)


def _spread(values: np.ndarray, own: float, shared: float, freedom: float) -> SeedSpread:
    """Summarise values (networks,) whose sampling errors are known.

    Args:
        values: Measure of each network.
        own: Variance of the sampling error of a network, averaged over the networks.
        shared: Variance of the sampling error of the mean over networks.
        freedom: Degrees of freedom of `shared`.
    """
    n = len(values)
    alone = spread_of_values(values)
    if n == 1 or not np.isfinite([alone.mean.value, own, shared]).all():
        return alone
    average, spread = alone.mean.value, alone.sd**2
    # tr(C (I - J)) / (n - 1), from tr(C) = n own and 1' C 1 = n^2 shared.
    images = max(n * (own - shared) / (n - 1), 0.0)
    seed = max(spread - images, 0.0)
    total = max(seed / n + shared, spread / n)
    return SeedSpread(
        n,
        alone.sd,
        alone.mean,
        normal_interval(
            average, total, _combined_freedom(spread / n, n - 1, max(total - spread / n, 0.0), freedom)
        ),
        seed,
        images,
    )


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


def _combined_freedom(first: float, first_freedom: float, second: float, second_freedom: float) -> float:
    """Return Satterthwaite's degrees of freedom of the sum of two variances."""
    spread = first**2 / first_freedom + (second**2 / second_freedom if math.isfinite(second_freedom) else 0.0)
    return (first + second) ** 2 / spread if spread > 0 else math.inf
