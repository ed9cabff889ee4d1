"""Joint bootstrap of images and observers: weights of the samples, and intervals from the replicates.

A sample is a weight for each unit. The first sample gives every unit weight 1, so it is the data. Networks and humans
who saw the same images share the image weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from convrnn_experiments.statistics.intervals import Estimate, normal_interval, without_interval

LEAST_DEFINED = 0.9
"""Share of the samples in which a statistic must be defined to have an interval."""


@dataclass(frozen=True)
class Bootstrapped:
    """Replicates of a statistic, over images and observers together and over each alone.

    Attributes:
        replicates: (1 + samples,); the first is the estimate.
        images, observers: Replicates with only the images, or only the observers, resampled, (samples,): those of the
            first samples of `replicates`.
        image_freedom, observer_freedom: Degrees of freedom of the two components.
    """

    replicates: np.ndarray
    images: np.ndarray
    observers: np.ndarray
    image_freedom: int
    observer_freedom: int

    @property
    def freedom(self) -> float:
        """Satterthwaite's degrees of freedom of the variance over images and observers."""
        components = (self.images, self.image_freedom), (self.observers, self.observer_freedom)
        return combined_freedom(components)

    @property
    def variance(self) -> float:
        """Variance over images and observers; NaN without a spread.

        The replicates over both contain the residual of images and observers three times, those over each alone once
        (Owen 2007, Ann Appl Stat 1, 386-411). What the samples of both change beyond the sum of the changes by each
        has the variance of the residual once.
        """
        samples = min(len(self.images), len(self.observers), len(self.replicates) - 1)
        both, images, observers = self.replicates[1 : 1 + samples], self.images, self.observers
        residual = both - images[:samples] - observers[:samples] + self.replicates[0]
        parts = [part[~np.isnan(part)] for part in (images, observers, residual)]
        if not all(len(part) for part in parts):
            return float("nan")
        of_images, of_observers, shared = (float(part.var()) for part in parts)
        return max(of_images + of_observers - shared, of_images, of_observers)

    def __sub__(self, other: "Bootstrapped") -> "Bootstrapped":
        """Return the replicates of the paired difference, for statistics of the same bootstrap samples."""
        return Bootstrapped(
            self.replicates - other.replicates,
            self.images - other.images,
            self.observers - other.observers,
            self.image_freedom,
            self.observer_freedom,
        )


def weighted_replicates(found: Sequence[Bootstrapped], weights: ArrayLike) -> Bootstrapped:
    """Return the weighted sum of statistics of the same bootstrap samples; those of weight 0 may be undefined.

    Args:
        found: Statistics, at least one.
        weights: Weights, (statistics,).
    """
    parts = [(one, weight) for one, weight in zip(found, np.asarray(weights), strict=True) if weight]
    return Bootstrapped(
        np.sum([weight * one.replicates for one, weight in parts], axis=0),
        np.sum([weight * one.images for one, weight in parts], axis=0),
        np.sum([weight * one.observers for one, weight in parts], axis=0),
        found[0].image_freedom,
        found[0].observer_freedom,
    )


def draw_weights(strata: ArrayLike, rng: np.random.Generator, *, samples: int) -> np.ndarray:
    """Draw bootstrap weights, resampling each stratum separately.

    From a stratum of n units, n - 1 are drawn and weighted by n / (n - 1), which makes the variance over samples
    unbiased for strata of any size (Rao & Wu 1988, J Am Stat Assoc 83, 231-241). A unit alone in its stratum keeps
    weight 1.

    Returns:
        (1 + samples, units); the first row is ones.
    """
    labels = np.asarray(strata)
    weights = np.ones((1 + samples, len(labels)))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if (size := len(rows)) > 1:
            counts = rng.multinomial(size - 1, np.full(size, 1 / size), size=samples)
            weights[1:, rows] = counts * (size / (size - 1))
    return weights


def combined_freedom(components: Sequence[tuple[np.ndarray, int]]) -> float:
    """Return Satterthwaite's degrees of freedom of a variance that is a sum of components.

    Args:
        components: Replicates (samples,) and degrees of freedom of each component.
    """
    variances = [
        (float(np.nanvar(replicates)) if np.isfinite(replicates).any() else 0.0, freedom)
        for replicates, freedom in components
    ]
    spread = sum(variance**2 / max(freedom, 1) for variance, freedom in variances)
    return max(sum(variance for variance, _ in variances) ** 2 / spread, 1.0) if spread > 0 else np.inf


def spread_estimate(found: Bootstrapped) -> Estimate:
    """Return Student's interval of a statistic, from the variance of its replicates.

    The interval is NaN if over a tenth of the samples are undefined, or only one unit was drawn.
    """
    value = float(found.replicates[0])
    if np.isnan(value) or _defined(found.replicates[1:]) is None:
        return without_interval(value)
    return normal_interval(value, found.variance, found.freedom)


def correlation_estimate(found: Bootstrapped) -> Estimate:
    """Return Student's interval of a correlation on Fisher's scale, from the variance of its replicates.

    The interval is NaN if over a tenth of the samples are undefined.
    """
    value = float(found.replicates[0])
    if np.isnan(value) or _defined(found.replicates[1:]) is None:
        return without_interval(value)
    scaled = Bootstrapped(
        _fisher(found.replicates),
        _fisher(found.images),
        _fisher(found.observers),
        found.image_freedom,
        found.observer_freedom,
    )
    centre, half = scaled.replicates[0], stats.t.ppf(0.975, scaled.freedom) * np.sqrt(scaled.variance)
    return Estimate(value, float(np.tanh(centre - half)), float(np.tanh(centre + half)))


def _fisher(values: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(values, -0.999999, 0.999999))


def _defined(replicates: np.ndarray) -> np.ndarray | None:
    """Return the replicates that are not NaN; None if they are too few, or all equal, to have a spread."""
    known = replicates[~np.isnan(replicates)]
    few = not len(known) or len(known) < LEAST_DEFINED * len(replicates)
    return None if few or known.min() == known.max() else known
