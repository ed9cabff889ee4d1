"""A network and people on the same images: curves, categories, distances and differences, with confidence intervals.

Arrays in, estimates out; accuracies in percent. Images and observers are both drawn from populations, and a network
shares its images with the people, so every covariance is joint over both (`sampling_error`).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from convrnn_experiments.statistics import intervals
from convrnn_experiments.statistics.intervals import NOTHING, Estimate
from convrnn_experiments.statistics.sampling_error import (
    Sampled,
    joined,
    network_means,
    observer_means,
    residuals_within,
    strata,
)

CLASSES = 16
BLOCKS = 5


@dataclass(frozen=True)
class Contrast:
    """One network and the observers, on the images that both have.

    Attributes:
        labels: (images,) category, 0 to 15.
        levels: (images,) perturbation level, as codes from 0.
        blocks: (images,) response-time block, 0 to 4.
        network: (images,) score of the network at the exit matched to the image's block, 0 to 1.
        exits: (images, time) whether the network is right at each exit.
        scores: (observers, images) people's scores, 0 to 1; NaN where an observer has no trial.
    """

    labels: np.ndarray
    levels: np.ndarray
    blocks: np.ndarray
    network: np.ndarray
    exits: np.ndarray
    scores: np.ndarray

    @cached_property
    def strata(self) -> np.ndarray:
        """(images,) level, block and category of each image, as one code."""
        return strata(self.levels, self.blocks, self.labels)

    @cached_property
    def curves(self) -> tuple[Sampled, Sampled]:
        """Accuracy of the network and of people in each block, (5,) each."""
        return self._means(self.blocks, BLOCKS)

    @cached_property
    def categories(self) -> tuple[Sampled, Sampled]:
        """Accuracy of the network and of people in each category, all blocks together, (16,) each."""
        return self._means(self.labels, CLASSES)

    @cached_property
    def differences(self) -> Sampled:
        """Accuracy of the network less people's, in each level and block that both have."""
        cells = self.levels * BLOCKS + self.blocks
        network, people = self._means(cells, int(cells.max(initial=0)) + 1)
        found = np.flatnonzero(np.isfinite(network.values) & np.isfinite(people.values))
        return difference(network.taken(found), people.taken(found))

    def _means(self, groups: np.ndarray, count: int) -> tuple[Sampled, Sampled]:
        return (
            network_means(100 * self.network, groups, count, self.strata),
            observer_means(100 * self.scores, groups, count, self.strata, self._residuals),
        )

    @cached_property
    def _residuals(self) -> np.ndarray:
        return residuals_within(100 * self.scores, self.strata)

    def network_accuracies(self, means: Sampled, groups: np.ndarray) -> list[Estimate]:
        """Wilson intervals of the network's accuracies; `groups` (images,) counts the images behind each."""
        sizes = np.bincount(groups, minlength=len(means.values))
        return _proportions(means, sizes.astype(float))

    def people_accuracies(self, means: Sampled) -> list[Estimate]:
        """Wilson intervals of people's accuracies; at 0 and 100 % by the number of observers."""
        return _proportions(means, np.full(len(means.values), float(len(self.scores))))

    def rmse(self) -> Estimate:
        """SAT-curve RMSE over levels and blocks, corrected for sampling noise."""
        found = self.differences
        if not len(found.values):
            return NOTHING
        return intervals.rmse_interval(found.values, found.covariance, _along(found))

    def raw_rmse(self) -> float:
        """SAT-curve RMSE of the accuracies as observed."""
        values = self.differences.values
        return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")

    @cached_property
    def profiles(self) -> Sampled:
        """Accuracies by category that both have: the network's, then people's, (2 k,)."""
        network, people = self.categories
        known = np.flatnonzero(np.isfinite(network.values) & np.isfinite(people.values))
        return joined([network.taken(known), people.taken(known)])

    def correlation(self) -> Estimate:
        """Pearson's r over categories, corrected for sampling noise."""
        found = self.profiles
        k = len(found.values) // 2
        if k < 3:
            return NOTHING
        centred = found.combined(np.kron(np.eye(2), np.eye(k) - 1 / k))
        return intervals.correlation_interval(
            found.values.reshape(2, k), found.covariance, float(np.median(centred.freedom))
        )

    def raw_correlation(self) -> float:
        """Pearson's r over categories of the accuracies as observed; NaN where one is constant."""
        values = self.profiles.values.reshape(2, -1)
        if values.shape[1] < 2 or (np.ptp(values, axis=1) == 0).any():
            return float("nan")
        return float(np.corrcoef(values)[0, 1])

    def network_steepness(self) -> Sampled:
        """Slope of the network's accuracy over its exits, from 0 at the first to 1 at the last; NaN for one exit."""
        count = self.exits.shape[1]
        if count < 2:
            slopes = np.full(len(self.labels), np.nan)
        else:
            slopes = 100 * self.exits @ slope_weights(np.arange(count, dtype=float))
        return network_means(slopes, np.zeros(len(slopes), dtype=int), 1, self.strata)

    def people_steepness(self, times: np.ndarray) -> Sampled:
        """Slope of people's accuracy over the blocks at `times` (5,), from 0 at the first to 1 at the last."""
        return self.curves[1].combined(slope_weights(times)[:, None])


def difference(one: Sampled, other: Sampled) -> Sampled:
    """The estimates of one less those of the other, on the same images."""
    k = len(one.values)
    return joined([one, other]).combined(np.concatenate([np.eye(k), -np.eye(k)]))


def student(found: Sampled) -> Estimate:
    """Student's interval of a single estimate."""
    return intervals.normal_interval(found.values[0], found.covariance[0, 0], found.freedom[0])


def slope_weights(times: np.ndarray) -> np.ndarray:
    """(times,) weights whose product with accuracies is the least-squares slope over normalised time."""
    x = (times - times.mean()) / (times.max() - times.min())
    return x / (x @ x)


def _proportions(means: Sampled, units: np.ndarray) -> list[Estimate]:
    variances, freedom = np.diag(means.covariance), means.freedom
    return [
        intervals.proportion_interval(*each)
        for each in zip(means.values.tolist(), variances, freedom, units, strict=True)
    ]


def _along(found: Sampled) -> float:
    """Degrees of freedom of the variance in the direction of the estimates."""
    size = float(np.linalg.norm(found.values))
    direction = found.values / size if size else np.ones(len(found.values)) / len(found.values)
    return float(found.combined(direction[:, None]).freedom[0])


def rmse_difference(one: Contrast, other: Contrast) -> Estimate:
    """How much farther one network is from people than another on the same images and observers."""
    found = one.rmse(), other.rmse()
    both = joined([one.differences, other.differences])
    if not len(both.values):
        return NOTHING
    pair = both.values.reshape(2, -1)
    directions = np.zeros((len(both.values), 2))
    directions[: pair.shape[1], 0], directions[pair.shape[1] :, 1] = _unit(pair[0]), _unit(pair[1])
    along = both.combined(directions)
    # The part of the observed differences that is noise has no direction along which errors could be shared.
    raw = one.raw_rmse(), other.raw_rmse()
    signal = math.prod(each.value / size if size else 0.0 for each, size in zip(found, raw, strict=True))
    apart = intervals.difference_interval(*found, signal * _shared_error(along))
    if min(each.low for each in found) > 0:
        return apart
    # Where a distance may be 0, either interval alone holds too seldom in some designs: the wider ends.
    freedom = float(along.combined([[1], [-1]]).freedom[0])
    tested = intervals.rmse_difference_interval(pair, both.covariance, freedom)
    return Estimate(apart.value, min(apart.low, tested.low), max(apart.high, tested.high))


def correlation_difference(one: Contrast, other: Contrast) -> Estimate:
    """How much higher one network's category correlation with people is than another's."""
    parts = [contrast.profiles for contrast in (one, other)]
    gradients = [part.combined(_correlation_gradient(part.values)[:, None]) for part in parts]
    return intervals.difference_interval(
        one.correlation(), other.correlation(), _shared_error(joined(gradients))
    )


def _unit(values: np.ndarray) -> np.ndarray:
    size = float(np.linalg.norm(values))
    return values / size if size else np.ones(len(values))


def _correlation_gradient(values: np.ndarray) -> np.ndarray:
    """Derivative of Pearson's r by both profiles, (2 k,)."""
    centred = values.reshape(2, -1)
    centred = centred - centred.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(centred, axis=1, keepdims=True)
    if not sizes.all():
        return np.zeros(values.shape)
    a, b = centred / sizes
    r = float(a @ b)
    return np.concatenate([(b - r * a) / sizes[0], (a - r * b) / sizes[1]])


def _shared_error(pair: Sampled) -> float:
    """Correlation of the sampling errors of two estimates; 0 where one has none."""
    covariance = pair.covariance
    scale = math.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(np.clip(covariance[0, 1] / scale, -1, 1)) if scale > 0 else 0.0


@dataclass(frozen=True)
class SplitHalves:
    """What two halves of the people say of each other: the best that a network can be expected to reach.

    Attributes:
        rmse: root mean square of the halves' curve differences, in points: the noise floor.
        correlation: correlation of their accuracies by category, stepped up to all observers by Spearman and Brown's
            formula, 2 r / (1 + r): the ceiling.
    """

    rmse: float
    correlation: float


def split_halves(contrast: Contrast, rng: np.random.Generator, *, splits: int = 100) -> SplitHalves:
    """Halve the observers at random, and compare the halves; means over the splits, NaN for fewer than 4 observers."""
    observers = len(contrast.scores)
    if observers < 4:
        return SplitHalves(float("nan"), float("nan"))
    cells = np.unique(contrast.levels * BLOCKS + contrast.blocks, return_inverse=True)[1]
    curves = observer_accuracies(contrast.scores, cells, int(cells.max()) + 1)
    categories = observer_accuracies(contrast.scores, contrast.labels, CLASSES)
    squares, correlations = [], []
    for _ in range(splits):
        order = rng.permutation(observers)
        halves = order[: observers // 2], order[observers // 2 :]
        a, b = (_mean(curves[half]) for half in halves)
        squares.append(np.nanmean((a - b) ** 2))
        x, y = (_mean(categories[half]) for half in halves)
        known = np.isfinite(x + y)
        if known.sum() > 2 and np.ptp(x[known]) and np.ptp(y[known]):
            correlations.append(float(np.corrcoef(x[known], y[known])[0, 1]))
    r = float(np.mean(correlations)) if correlations else float("nan")
    return SplitHalves(float(np.sqrt(np.mean(squares))), 2 * r / (1 + r) if r > -1 else float("nan"))


def observer_accuracies(scores: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """(observers, count) accuracy in percent of each observer within groups of images; NaN without a trial."""
    member = (groups[:, None] == np.arange(count)).astype(float)
    trials = (~np.isnan(scores)).astype(float) @ member
    total = np.nan_to_num(scores) @ member
    return 100 * np.divide(total, trials, out=np.full(trials.shape, np.nan), where=trials > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    total, number = np.where(known, values, 0).sum(axis=0), known.sum(axis=0)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
