"""Response times of a network, from its uncertainty over time, and their correlation with human response times.

The uncertainty is the entropy of the readout, or any other value that falls as an answer becomes certain, such as the
negative margin or the negative evidence of `statistics.uncertainty`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.correlations import (
    WeightedRanks,
    correlate_with_ranks,
    correlations,
    weighted_ranks,
)
from convrnn_experiments.statistics.means import mean_over

_CANDIDATES = 50


def entropy_response_times(entropy: ArrayLike, threshold: float) -> np.ndarray:
    """Return the first time step at which the readout's entropy is at most the threshold.

    Source: Spoerer et al. 2020, PLOS Comput Biol, doi 10.1371/journal.pcbi.1008215.

    Args:
        entropy: Entropy of the readout, (images, times).
        threshold: Threshold in the unit of `entropy`.

    Returns:
        (images,) time steps from 0; NaN for an image that never reaches the threshold.
    """
    reached = np.asarray(entropy, dtype=float) <= threshold
    if reached.ndim != 2:
        raise ConvRNNError(
            f"cannot compute response times: entropy must be (images, times), got shape {reached.shape}. Pass a row "
            "per image"
        )
    if reached.shape[1] == 0:
        return np.full(len(reached), np.nan)
    return np.where(reached.any(axis=1), reached.argmax(axis=1), np.nan)


def response_order(entropy: ArrayLike, threshold: float) -> np.ndarray:
    """Return `entropy_response_times` for ranking: images that never reach the threshold follow the last time step.

    Returns:
        (images,) time steps from 0; the number of time steps for an image that never reaches the threshold.
    """
    steps = entropy_response_times(entropy, threshold)
    return np.where(np.isnan(steps), np.shape(entropy)[1], steps)


def fit_threshold(entropy: ArrayLike, human: ArrayLike, candidates: ArrayLike | None = None) -> float:
    """Find the threshold that best predicts human response times (this project's definition).

    Maximises the `rank_correlation` of `response_order` with the human times; the lowest candidate wins a tie.

    Args:
        entropy: Entropy of the readout, (images, times).
        human: Response time per image, (images,); NaN where it is unknown.
        candidates: Thresholds to try; by default, 50 quantiles of `entropy`.

    Returns:
        Threshold; NaN if no candidate gives a correlation.
    """
    values, times = np.asarray(entropy, dtype=float), np.asarray(human, dtype=float)
    if values.ndim != 2 or times.shape != values.shape[:1]:
        raise ConvRNNError(
            "cannot fit a threshold: entropy must be (images, times) and human times (images,), got shapes "
            f"{values.shape} and {times.shape}. Pass the same images in both"
        )
    known = ~np.isnan(times)
    values, times = values[known], times[known]
    if candidates is None:
        finite = values[np.isfinite(values)]
        candidates = np.quantile(finite, np.linspace(0, 1, _CANDIDATES)) if finite.size else []
    thresholds = np.unique(np.asarray(candidates, dtype=float))
    if len(times) < 2 or not thresholds.size:
        return float("nan")
    rho = correlations(_order_ranks(values, thresholds), rankdata(times))
    return float("nan") if np.isnan(rho).all() else float(thresholds[np.nanargmax(rho)])


def _order_ranks(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return the ranks of `response_order` for each threshold, (thresholds, images); ties share their mean rank."""
    lowest = np.fmin.accumulate(values, axis=1)
    orders = (~(lowest <= thresholds[:, None, None])).sum(axis=2)
    count = values.shape[1] + 1
    index = orders + count * np.arange(len(orders))[:, None]
    sizes = np.bincount(index.ravel(), minlength=count * len(orders)).reshape(-1, count)
    ranks = np.cumsum(sizes, axis=1) - (sizes - 1) / 2
    return np.take_along_axis(ranks, orders, axis=1)


@dataclass(frozen=True)
class HeldOutHalf:
    """Half of the images, with the network's response times at the threshold fitted to the other half.

    Attributes:
        images: Positions of the held-out images.
        steps: `response_order` of the held-out images, or other response times.
        threshold: Threshold fitted to the other half; NaN without one.
    """

    images: np.ndarray
    steps: np.ndarray
    threshold: float


def held_out_halves(
    uncertainty: np.ndarray, human: np.ndarray, rng: np.random.Generator, splits: int
) -> list[HeldOutHalf]:
    """Split the images with a human time at random, and test on each half the threshold fitted to the other.

    Spoerer et al. 2020 fit and test the threshold on different data. Halves of the images, and the number of splits,
    are this project's choice.

    Args:
        uncertainty: (images, times), such as the entropy of the readout.
        human: (images,); NaN where unknown.
        rng: Generator that draws the halves.
        splits: Number of splits, of two halves each.
    """
    known = np.flatnonzero(~np.isnan(human))
    halves = []
    for _ in range(splits):
        order = rng.permutation(known)
        for fitted, tested in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            threshold = fit_threshold(uncertainty[fitted], human[fitted])
            halves.append(HeldOutHalf(tested, response_order(uncertainty[tested], threshold), threshold))
    return halves


def without_fit(steps: np.ndarray, human: np.ndarray) -> list[HeldOutHalf]:
    """Return all images with a human time as one held-out part, for response times (images,) without a threshold."""
    known = np.flatnonzero(~np.isnan(human))
    return [HeldOutHalf(known, steps[known], float("nan"))]


def response_time_correlations(
    halves: Sequence[HeldOutHalf], human: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return Spearman's rho of network and human response times in each weighted sample, averaged over held-out halves.

    Args:
        halves: Result of `held_out_halves`; the thresholds are the same in every sample.
        human: (images,), or (samples, images) if the times differ between samples.
        weights: (samples, images).

    Returns:
        (samples,); NaN where undefined in every half.
    """
    ranks = [weighted_ranks(human[..., half.images], weights[:, half.images]) for half in halves]
    return correlations_with_ranks(halves, ranks)


def correlations_with_ranks(halves: Sequence[HeldOutHalf], ranks: Sequence[WeightedRanks]) -> np.ndarray:
    """Return `response_time_correlations`, (samples,), with the human times of each half ranked in every sample."""
    by_half = [correlate_with_ranks(half.steps, ranked) for half, ranked in zip(halves, ranks, strict=True)]
    return mean_over(np.stack(by_half))


@dataclass(frozen=True)
class ResponseTimeFit:
    """Agreement of network and human response times on held-out images.

    Attributes:
        correlation: Mean rank correlation over the held-out halves; NaN if undefined in all of them.
        reached: Mean share of held-out images that reach the threshold.
        thresholds: Fitted thresholds, two for each split.
    """

    correlation: float
    reached: float
    thresholds: tuple[float, ...]


def cross_validated_response_times(
    entropy: ArrayLike, human: ArrayLike, *, seed: int, splits: int = 10
) -> ResponseTimeFit:
    """Correlate network and human response times, with thresholds fitted to other images (`held_out_halves`).

    Args:
        entropy: Entropy of the readout, (images, times).
        human: Response time per image, (images,); NaN where unknown.
        seed: Seed of the halves.
        splits: Number of splits.
    """
    values, times = np.asarray(entropy, dtype=float), np.asarray(human, dtype=float)
    halves = held_out_halves(values, times, np.random.default_rng(seed), splits)
    reached = [(half.steps < values.shape[1]).mean() for half in halves if half.steps.size]
    return ResponseTimeFit(
        float(response_time_correlations(halves, times, np.ones((1, len(times))))[0]),
        float(mean_over(reached)),
        tuple(half.threshold for half in halves),
    )
