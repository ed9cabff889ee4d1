"""Agreement of networks and humans image by image: error consistency and response times, with bootstrap intervals.

Images and observers are resampled jointly: a sample has one set of images for the network and the humans, and one set
of observers. The residual of observers and images, which both components contain, counts once
(`resampling.Bootstrapped.variance`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from convrnn_data.base.random_streams import Stream, generator
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.statistics import measures, resampling, response_times
from convrnn_experiments.statistics.array_cache import cached_by_content, cached_results
from convrnn_experiments.statistics.correlations import WeightedRanks, correlate_with_ranks, weighted_ranks
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate, without_interval
from convrnn_experiments.statistics.means import mean_over, sample_means, weighted_mean
from convrnn_experiments.statistics.resampling import Bootstrapped, draw_weights

SAMPLES = 1000
FEW = 200
"""Number of samples that suffice for a spread, which needs fewer than percentiles."""
_CHUNK = 25
"""Number of samples for which all pairs of raters are in memory at once."""
_SPLITS = 5
_KEPT = 4
"""Number of cached results: one condition has human times of all and of correct answers, in halves and as a whole."""


@dataclass(frozen=True)
class BootstrapWeights:
    """Bootstrap weights of a comparison's images and observers; the first row of each is ones.

    Attributes:
        images: (1 + samples, images).
        observers: (1 + samples, observers).
        image_freedom: Number of images minus number of strata.
    """

    images: np.ndarray
    observers: np.ndarray
    image_freedom: int

    @property
    def observer_freedom(self) -> int:
        """Number of observers minus 1."""
        return self.observers.shape[1] - 1


@cached_results(_KEPT)
def resample(strata: np.ndarray, observers: int, seed: int) -> BootstrapWeights:
    """Draw images within strata (images,), and observers."""
    return BootstrapWeights(
        draw_weights(strata, generator(seed, Stream.BOOTSTRAP_IMAGES), samples=SAMPLES),
        draw_weights(np.zeros(observers), generator(seed, Stream.BOOTSTRAP_OBSERVERS), samples=SAMPLES),
        len(strata) - len(np.unique(strata)),
    )


def level_block_masks(levels: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Return masks of the trials in each level and block, (levels and blocks, trials).

    Error consistency is computed within each and then averaged. Otherwise, gains with time and losses with noise or
    blur that all raters share would count as agreement. This is this project's choice; Geirhos et al. (2020)
    compute it per condition, too.
    """
    cells = sorted(set(zip(levels.tolist(), blocks.tolist(), strict=True)))
    return np.array([(levels == level) & (blocks == block) for level, block in cells])


def bootstrapped_consistency(
    correct: np.ndarray, answers: Answers, observers: ConditionObservers, weights: BootstrapWeights
) -> Bootstrapped:
    """Compute Cohen's kappa between a network and an observer, averaged over levels and blocks, then over observers.

    Args:
        correct: Whether the network is right, (images,).
        answers: Answers of the network, for levels and blocks.
        observers: Observers on the same images.
        weights: Bootstrap weights of images and observers.
    """
    masks = level_block_masks(answers.levels, answers.blocks)
    by_observer = _mean_kappas(correct[None].astype(float), observers.correct, masks, weights.images)[:, 0]
    return Bootstrapped(
        weighted_mean(by_observer, weights.observers),
        weighted_mean(by_observer, np.ones_like(weights.observers))[1:],
        weighted_mean(by_observer[0], weights.observers)[1:],
        weights.image_freedom,
        weights.observer_freedom,
    )


def error_consistency(found: Bootstrapped, shared: np.ndarray) -> Estimate:
    """Return the error consistency with Student's interval, within -1 and 1; unknown for a single observer.

    The covariance in kappa is too small by 1 / n in expectation with n trials. The value is kappa as published; its
    interval is that of n kappa / (n - 1 + kappa), which has both covariances unbiased, and contains the value.

    Args:
        found: Result of `bootstrapped_consistency`, or replicates of the mean over pairs.
        shared: Number of trials behind each kappa, (..., levels and blocks).
    """
    return _unless_single(unbiased_ends(resampling.spread_estimate(found), shared), found)


def unbiased_ends(estimate: Estimate, shared: np.ndarray) -> Estimate:
    """Return an interval of kappa, or of a mean of kappas, whose covariances are unbiased; see `error_consistency`.

    Args:
        estimate: Kappa as published, with its interval.
        shared: Number of trials behind each kappa, (..., levels and blocks).
    """
    number = shared[shared > 1]
    # Two trials with a kappa of -1 would divide by 0.
    stretch = float(np.mean(number / np.maximum(number - 1 + estimate.value, 0.5))) if number.size else 1.0
    # An upper end below 0 stays where it is: moved, it could coincide with the lower end at -1.
    ends = stretch * estimate.low, max(estimate.high, stretch * estimate.high)
    low, high = (float(np.clip(end, -1, 1)) for end in ends)
    return Estimate(estimate.value, min(low, estimate.value), max(high, estimate.value))


def shared_trials(answers: Answers, observers: ConditionObservers) -> np.ndarray:
    """Return the number of answers of each observer, (observers, levels and blocks)."""
    masks = level_block_masks(answers.levels, answers.blocks)
    return np.asarray((~np.isnan(observers.correct)).astype(float) @ masks.T)


def _mean_kappas(
    raters: np.ndarray, others: np.ndarray, masks: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Average `measures.kappas` over levels and blocks, masks (cells, images): (samples, raters, others)."""
    return mean_over(
        np.stack([measures.kappas(raters[:, mask], others[:, mask], weights[:, mask]) for mask in masks])
    )


def _sampled_matrices(raters: np.ndarray, masks: np.ndarray, weights: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the kappas of all pairs of raters in each weighted sample, (raters, raters)."""
    for start in range(0, len(weights), _CHUNK):
        yield from _mean_kappas(raters, raters, masks, weights[start : start + _CHUNK])


def ceiling(answers: Answers, observers: ConditionObservers, weights: BootstrapWeights) -> Estimate:
    """Return the error consistency among humans, the mean over pairs."""
    masks = level_block_masks(answers.levels, answers.blocks)
    # A single observer, drawn several times, does not have a pair.
    paired = np.flatnonzero((weights.observers[1:] > 0).sum(axis=1) > 1)[:FEW]
    few = np.concatenate([[0], 1 + paired])
    replicates = _human_replicates(observers.correct, masks, weights.images[few], weights.observers[few])
    known = (~np.isnan(observers.correct)).astype(float)
    pairs = np.triu_indices(len(known), 1)
    shared = np.stack([(known[:, mask] @ known[:, mask].T)[pairs] for mask in masks], axis=-1)
    found = Bootstrapped(*replicates, weights.image_freedom, weights.observer_freedom)
    return error_consistency(found, shared)


@cached_by_content
def _human_replicates(
    correct: np.ndarray, masks: np.ndarray, images: np.ndarray, observers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean kappa over pairs, resampling both images and observers, and each alone.

    Computed once for all networks on the same images.
    """
    ones = np.ones_like(observers[:1])
    both, alone = [], []
    for matrix, drawn in zip(_sampled_matrices(correct, masks, images), observers, strict=True):
        both.append(measures.pair_means(matrix, drawn[None])[0])
        alone.append(measures.pair_means(matrix, ones)[0])
    everything = _mean_kappas(correct, correct, masks, images[:1])[0]
    return np.array(both), np.array(alone[1:]), measures.pair_means(everything, observers[1:])


def consistency(answers: Answers, observers: ConditionObservers, correct: np.ndarray) -> np.ndarray:
    """Return the error consistency of every pair of raters, averaged over levels and blocks.

    Args:
        answers: Answers of one of the networks, for levels and blocks.
        observers: Observers on the same trials.
        correct: Whether each network is right, (networks, images), 1 or 0.

    Returns:
        (networks + observers, networks + observers), networks first; NaN where undefined.
    """
    raters = np.concatenate([correct, observers.correct])
    masks = level_block_masks(answers.levels, answers.blocks)
    return _mean_kappas(raters, raters, masks, np.ones((1, raters.shape[1])))[0]


def consistency_errors(
    answers: Answers, observers: ConditionObservers, correct: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return standard errors of `consistency`, over bootstrap samples of the images.

    Args:
        answers: As for `consistency`.
        observers: As for `consistency`.
        correct: As for `consistency`.
        weights: Weights of the images, (1 + samples, images); only the first 200 samples are used.
    """
    raters = np.concatenate([correct, observers.correct])
    masks = level_block_masks(answers.levels, answers.blocks)
    values = np.stack(list(_sampled_matrices(raters, masks, weights[1 : 1 + FEW])))
    known = (~np.isnan(values)).mean(axis=0) >= resampling.LEAST_DEFINED
    variance = mean_over((values - mean_over(values)) ** 2)
    return np.where(known, np.sqrt(variance), np.nan)


def bootstrapped_times(
    uncertainty: np.ndarray,
    observers: ConditionObservers,
    weights: BootstrapWeights,
    *,
    correct: bool = False,
    seed: int,
) -> Bootstrapped | None:
    """Compute Spearman's rho of network and human response times, on images to which the threshold was not fitted.

    Thresholds are fitted to one half of the images and tested on the other, in both directions, over random halves.
    They are fitted again in every bootstrap sample, because their choice adds to the sampling error.

    Args:
        uncertainty: Value that falls as an answer becomes certain, (images, time), such as the entropy of the readout;
            the response is its first step at or below the threshold. Or response times without a threshold, (images,).
        observers: Observers on the same images.
        weights: Bootstrap weights of images and observers.
        correct: Use human times of correct answers only.
        seed: Seed of the halves.

    Returns:
        None for a network of one time step, an unknown uncertainty, or fewer than four images with a human time.
    """
    standard = observers.standardized_times(correct=correct)
    times = mean_over(standard)
    if (~np.isnan(times)).sum() < 4 or uncertainty.shape[1:] == (1,) or np.isnan(uncertainty).any():
        return None
    splits = response_times.random_halves(times, generator(seed, Stream.RESPONSE_TIME_HALVES), _SPLITS)
    known = np.flatnonzero(~np.isnan(times))
    parts = [half for halves in splits for half in halves] if uncertainty.ndim > 1 else [known]
    few = slice(0, 1 + FEW)

    def correlations(ranks: list[WeightedRanks]) -> np.ndarray:
        if uncertainty.ndim == 1:
            return correlate_with_ranks(uncertainty[known], ranks[0])
        return response_times.held_out_correlations(uncertainty, splits, ranks)

    both, images, people = map(
        correlations, _human_ranks(standard, weights.images[few], weights.observers[few], *parts)
    )
    return Bootstrapped(both, images[1:], people[1:], weights.image_freedom, weights.observer_freedom)


@cached_results(_KEPT)
def _human_ranks(
    standard: np.ndarray, images: np.ndarray, observers: np.ndarray, *parts: np.ndarray
) -> list[list[WeightedRanks]]:
    """Rank human times in bootstrap samples of images and observers, of images alone, and of observers alone.

    The ranks are computed once for all networks and all their response times on the same images.

    Args:
        standard: Standardised response times, (observers, images).
        images: (1 + samples, images) weights.
        observers: (1 + samples, observers) weights.
        parts: Positions of the images to rank within, for each held-out part.

    Returns:
        For each kind of sample, the ranks of each part. The samples of images or observers alone are half as many.
    """
    times, sample_times = mean_over(standard), sample_means(standard, observers)
    half = slice(0, 1 + FEW // 2)
    kinds = (
        (sample_times, images),
        (times, images[half]),
        (sample_times[half], np.ones_like(images[half])),
    )
    return [
        [weighted_ranks(human[..., part], weights[:, part]) for part in parts] for human, weights in kinds
    ]


def response_time_correlation(found: Bootstrapped | None) -> Estimate:
    """Return the interval of `bootstrapped_times`; unknown for a single observer."""
    if found is None:
        return UNDEFINED
    return _unless_single(resampling.correlation_estimate(found), found)


def paired_difference(first: Bootstrapped | None, second: Bootstrapped | None) -> Estimate:
    """Return the difference of two networks on the same bootstrap samples, with Student's interval."""
    if first is None or second is None:
        return UNDEFINED
    apart = first - second
    return _unless_single(resampling.spread_estimate(apart), apart)


def _unless_single(estimate: Estimate, found: Bootstrapped) -> Estimate:
    """Drop the interval if there is a single observer, whose spread is unknown."""
    return estimate if found.observer_freedom else without_interval(estimate.value)
