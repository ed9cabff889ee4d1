"""Contrast of a network and humans on the same images: curves, categories, distances and differences.

Takes arrays and returns estimates with confidence intervals; accuracies are in percent. Images and observers are both
drawn from populations, and a network shares its images with the observers, so every covariance is joint over both
(`sampling_error`).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.statistics import intervals, measures
from convrnn_experiments.statistics.correlations import correlations
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate
from convrnn_experiments.statistics.means import mean_over, membership, safe_divide
from convrnn_experiments.statistics.measures import CLASSES, root_mean_square, slope_weights
from convrnn_experiments.statistics.sampling_error import (
    SampledEstimates,
    concatenate,
    network_means,
    observer_means,
    residuals_within,
    strata,
)


@dataclass(frozen=True)
class Contrast:
    """Scores of a network and of observers on the same images.

    Attributes:
        labels: Category of each image, (images,), 0 to 15.
        levels: Perturbation level of each image, (images,), as codes from 0.
        blocks: Response-time block of each image, (images,), 0 to 4.
        network: Score of the network at the exit matched to the image's block, (images,), 0 to 1.
        exits: Whether the network is right at each exit, (images, time).
        scores: Scores of the observers, (observers, images), 0 to 1; NaN where an observer has no trial.
    """

    labels: np.ndarray
    levels: np.ndarray
    blocks: np.ndarray
    network: np.ndarray
    exits: np.ndarray
    scores: np.ndarray

    @cached_property
    def strata(self) -> np.ndarray:
        """Level, block and category of each image as one code, (images,)."""
        return strata(self.levels, self.blocks, self.labels)

    @cached_property
    def curves(self) -> tuple[SampledEstimates, SampledEstimates]:
        """Accuracies of the network and of humans by block, (5,) each."""
        return self._means(self.blocks, BLOCKS)

    @cached_property
    def categories(self) -> tuple[SampledEstimates, SampledEstimates]:
        """Accuracies of the network and of humans by category over all blocks, (16,) each."""
        return self._means(self.labels, CLASSES)

    @cached_property
    def differences(self) -> SampledEstimates:
        """Accuracies of the network minus human accuracies, in each level and block with both."""
        cells = self.levels * BLOCKS + self.blocks
        network, human = self._means(cells, int(cells.max(initial=0)) + 1)
        known = np.flatnonzero(np.isfinite(network.values) & np.isfinite(human.values))
        return difference(network.select(known), human.select(known))

    def _means(self, groups: np.ndarray, count: int) -> tuple[SampledEstimates, SampledEstimates]:
        return (
            network_means(100 * self.network, groups, count, self.strata),
            observer_means(100 * self.scores, groups, count, self.strata, self._residuals),
        )

    @cached_property
    def _residuals(self) -> np.ndarray:
        return residuals_within(100 * self.scores, self.strata)

    def network_accuracies(self, means: SampledEstimates, groups: np.ndarray) -> list[Estimate]:
        """Return Wilson intervals of network accuracies; `groups` (images,) gives the number of images per group."""
        sizes = np.bincount(groups, minlength=len(means.values))
        return _proportions(means, sizes.astype(float))

    def human_accuracies(self, means: SampledEstimates) -> list[Estimate]:
        """Return Wilson intervals of human accuracies; at 0 and 100 %, from the number of observers."""
        return _proportions(means, np.full(len(means.values), float(len(self.scores))))

    def rmse(self) -> Estimate:
        """Return the SAT-curve RMSE over levels and blocks, corrected for sampling noise."""
        return self._rmse

    @cached_property
    def _rmse(self) -> Estimate:
        gaps = self.differences
        if not len(gaps.values):
            return UNDEFINED
        freedom = float(gaps.combine(_direction(gaps.values)[:, None]).freedom[0])
        return intervals.rmse_interval(gaps.values, gaps.covariance, freedom)

    def sampled_rmse(self) -> SampledEstimates | None:
        """Return the corrected RMSE, (1,), with the contributions to its error to first order; None if undefined.

        Near 0, where first order does not hold, the contributions are scaled to the width of the interval.
        """
        found, gaps = self._rmse, self.differences
        if not math.isfinite(found.high):
            return None
        gradient = _direction(gaps.values) / math.sqrt(len(gaps.values))
        along = gaps.combine(gradient[:, None])
        if found.low > 0:
            scale = self.raw_rmse() / found.value
        else:
            spread = math.sqrt(float(along.covariance[0, 0]))
            scale = (found.high - found.low) / (2 * intervals.NORMAL * spread) if spread > 0 else 0.0
        return replace(along.combine([[scale]]), values=np.array([found.value]))

    def raw_rmse(self) -> float:
        """Return the SAT-curve RMSE of the observed accuracies (`measures.sat_rmse`)."""
        return float(root_mean_square(self.differences.values))

    @cached_property
    def profiles(self) -> SampledEstimates:
        """Accuracies by category, for the k categories with both; the network's before the humans', (2 k,)."""
        network, human = self.categories
        known = np.flatnonzero(np.isfinite(network.values) & np.isfinite(human.values))
        return concatenate([network.select(known), human.select(known)])

    def correlation(self) -> Estimate:
        """Return Pearson's r over categories, corrected for sampling noise."""
        return self._correlation

    @cached_property
    def _correlation(self) -> Estimate:
        profiles = self.profiles
        k = len(profiles.values) // 2
        if k < 3:
            return UNDEFINED
        centred = profiles.combine(np.kron(np.eye(2), np.eye(k) - 1 / k))
        return intervals.correlation_interval(
            profiles.values.reshape(2, k), profiles.covariance, float(np.median(centred.freedom))
        )

    def raw_correlation(self) -> float:
        """Return Pearson's r over categories of the observed accuracies (`measures.category_correlation`)."""
        return measures.category_correlation(*self.profiles.values.reshape(2, -1))

    def network_curve(self) -> SampledEstimates:
        """Return the accuracy of the network at each exit over all images, (time,)."""
        one = np.zeros(len(self.labels), dtype=int)
        return concatenate([network_means(100.0 * right, one, 1, self.strata) for right in self.exits.T])

    def network_steepness(self) -> SampledEstimates:
        """Return the slope of network accuracy over exits, from 0 at the first to 1 at the last; NaN for one exit."""
        weights = slope_weights(np.arange(self.exits.shape[1], dtype=float))
        slopes = 100 * self.exits @ weights
        return network_means(slopes, np.zeros(len(slopes), dtype=int), 1, self.strata)

    def human_steepness(self, times: np.ndarray) -> SampledEstimates:
        """Return the slope of human accuracy over the blocks at `times` (5,), from 0 at the first to 1 at the last."""
        return self.curves[1].combine(slope_weights(times)[:, None])


def difference(first: SampledEstimates, second: SampledEstimates) -> SampledEstimates:
    """Subtract the second estimates from the first, on the same images."""
    k = len(first.values)
    return concatenate([first, second]).combine(np.concatenate([np.eye(k), -np.eye(k)]))


def student(estimate: SampledEstimates) -> Estimate:
    """Return Student's interval of a single estimate."""
    return intervals.normal_interval(estimate.values[0], estimate.covariance[0, 0], estimate.freedom[0])


def _proportions(means: SampledEstimates, units: np.ndarray) -> list[Estimate]:
    variances, freedom = np.diag(means.covariance), means.freedom
    return [
        intervals.proportion_interval(*arguments)
        for arguments in zip(means.values.tolist(), variances, freedom, units, strict=True)
    ]


def rmse_difference(first: Contrast, second: Contrast) -> Estimate:
    """Return the RMSE of the first network minus that of the second, on the same images and observers."""
    distances = first.rmse(), second.rmse()
    gaps = concatenate([first.differences, second.differences])
    if not len(gaps.values):
        return UNDEFINED
    pair = gaps.values.reshape(2, -1)
    directions = np.zeros((len(gaps.values), 2))
    directions[: pair.shape[1], 0], directions[pair.shape[1] :, 1] = _direction(pair[0]), _direction(pair[1])
    along = gaps.combine(directions)
    # The noise in the observed differences does not have a direction along which the two networks share errors.
    raw = first.raw_rmse(), second.raw_rmse()
    signal = math.prod(
        distance.value / size if size else 0.0 for distance, size in zip(distances, raw, strict=True)
    )
    combined = intervals.difference_interval(*distances, signal * _shared_error(along))
    if min(distance.low for distance in distances) > 0:
        return combined
    # If a distance may be 0, either interval undercovers in some designs, so take the wider ends.
    freedom = float(along.combine([[1], [-1]]).freedom[0])
    tested = intervals.rmse_difference_interval(pair, gaps.covariance, freedom)
    return Estimate(combined.value, min(combined.low, tested.low), max(combined.high, tested.high))


def correlation_difference(first: Contrast, second: Contrast) -> Estimate:
    """Return the category correlation with humans of the first network minus that of the second."""
    gradients = [
        contrast.profiles.combine(_correlation_gradient(contrast.profiles.values)[:, None])
        for contrast in (first, second)
    ]
    return intervals.difference_interval(
        first.correlation(), second.correlation(), _shared_error(concatenate(gradients))
    )


def _direction(values: np.ndarray) -> np.ndarray:
    size = float(np.linalg.norm(values))
    return values / size if size else np.ones(len(values))


def _correlation_gradient(values: np.ndarray) -> np.ndarray:
    """Return the derivative of Pearson's r with respect to both profiles, (2 k,)."""
    centred = values.reshape(2, -1)
    centred = centred - centred.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(centred, axis=1, keepdims=True)
    if not sizes.all():
        return np.zeros(values.shape)
    a, b = centred / sizes
    r = float(a @ b)
    return np.concatenate([(b - r * a) / sizes[0], (a - r * b) / sizes[1]])


def _shared_error(pair: SampledEstimates) -> float:
    """Return the correlation of the sampling errors of two estimates; 0 if an estimate does not have an error."""
    covariance = pair.covariance
    scale = math.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(np.clip(covariance[0, 1] / scale, -1, 1)) if scale > 0 else 0.0


@dataclass(frozen=True)
class SplitHalves:
    """Agreement of two halves of the observers: the best that a network can be expected to reach.

    Attributes:
        rmse: Root mean square of the halves' curve differences, in points: the noise floor.
        correlation: Correlation of the halves' accuracies by category, stepped up to all observers by the
            Spearman-Brown formula, 2 r / (1 + r): the ceiling. NaN if r is negative.
    """

    rmse: float
    correlation: float


def split_halves(contrast: Contrast, rng: np.random.Generator, *, splits: int = 100) -> SplitHalves:
    """Compare random halves of the observers, averaged over the splits; NaN for fewer than 4 observers."""
    observers = len(contrast.scores)
    if observers < 4:
        return SplitHalves(float("nan"), float("nan"))
    cells = np.unique(contrast.levels * BLOCKS + contrast.blocks, return_inverse=True)[1]
    curves = observer_accuracies(contrast.scores, cells, int(cells.max()) + 1)
    categories = observer_accuracies(contrast.scores, contrast.labels, CLASSES)
    distances, rs = [], []
    for _ in range(splits):
        order = rng.permutation(observers)
        halves = order[: observers // 2], order[observers // 2 :]
        gaps = np.subtract(*(mean_over(curves[half]) for half in halves))
        distances.append(root_mean_square(gaps[~np.isnan(gaps)]))
        profiles = [mean_over(categories[half]) for half in halves]
        if np.isfinite(profiles).all(axis=0).sum() > 2:
            rs.append(correlations(*profiles))
    r = float(mean_over(rs)) if rs else float("nan")
    # Of halves that agree less than by chance, the formula would give values below -1.
    stepped_up = 2 * r / (1 + r) if r >= 0 else float("nan")
    return SplitHalves(float(root_mean_square(np.array(distances))), stepped_up)


def observer_accuracies(scores: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Return each observer's accuracy in percent within groups of images, (observers, count); NaN without a trial."""
    member = membership(groups, count)
    trials = (~np.isnan(scores)).astype(float) @ member
    return 100 * safe_divide(np.nan_to_num(scores) @ member, trials)
