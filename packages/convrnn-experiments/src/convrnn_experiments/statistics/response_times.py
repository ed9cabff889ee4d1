"""Response times of a network, from its uncertainty over time, and their correlation with human response times.

The uncertainty is the entropy of the readout, or any other value that falls as an answer becomes certain, such as the
negative margin or the negative evidence of `statistics.uncertainty`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.correlations import (
    WeightedRanks,
    correlations,
    weighted_ranks,
)
from convrnn_experiments.statistics.means import mean_over, safe_divide

_CANDIDATES = 50
_ROUNDING = 1e-10
"""Spread, in that of ranks, below which a response time is constant but for rounding."""


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
    thresholds = np.unique(
        candidate_thresholds(values) if candidates is None else np.asarray(candidates, dtype=float)
    )
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


def candidate_thresholds(uncertainty: np.ndarray) -> np.ndarray:
    """Return 50 quantiles of the finite values (images, times), in ascending order and without repetition."""
    finite = uncertainty[np.isfinite(uncertainty)]
    return np.unique(np.quantile(finite, np.linspace(0, 1, _CANDIDATES))) if finite.size else finite


Halves = tuple[np.ndarray, np.ndarray]
"""Positions of the images of two halves."""


def random_halves(human: np.ndarray, rng: np.random.Generator, splits: int) -> list[Halves]:
    """Halve the images with a human time, (images,), at random, `splits` times."""
    known = np.flatnonzero(~np.isnan(human))
    orders = [rng.permutation(known) for _ in range(splits)]
    return [(order[::2], order[1::2]) for order in orders]


def held_out_correlations(
    uncertainty: np.ndarray, splits: Sequence[Halves], ranks: Sequence[WeightedRanks]
) -> np.ndarray:
    """Return Spearman's rho of network and human response times in each weighted sample, averaged over held-out halves.

    In each sample, the threshold is fitted to one half and tested on the other, both ways, so that the spread over
    samples includes the choice of the threshold. Candidates are quantiles over all images. Spoerer et al. 2020 fit and
    test the threshold on different data; halves of the images, and their number, are this project's choice.

    Args:
        uncertainty: (images, times), such as the entropy of the readout.
        splits: Result of `random_halves`.
        ranks: Ranks of the human times within each half in each sample, two for each split.

    Returns:
        (samples,); NaN where undefined in every half.
    """
    candidates = candidate_thresholds(uncertainty)
    if not candidates.size:
        return np.full(len(ranks[0].weights), np.nan)
    values = []
    for halves, *ranked in zip(splits, ranks[::2], ranks[1::2], strict=True):
        first, second = (
            _correlations_by_threshold(uncertainty[half], candidates, human)
            for half, human in zip(halves, ranked, strict=True)
        )
        values += [_at_best(first, second), _at_best(second, first)]
    return mean_over(np.stack(values))


def _correlations_by_threshold(
    uncertainty: np.ndarray, thresholds: np.ndarray, human: WeightedRanks
) -> np.ndarray:
    """Return Spearman's rho at each threshold in each sample, (samples, thresholds); NaN where undefined.

    There are few time steps, so sums over the images that respond at each step, a product of matrices, give all ranks.
    """
    lowest = np.fmin.accumulate(uncertainty, axis=1)
    # Whether an image has responded by each step, (images, thresholds, times).
    responded = (lowest[:, None] <= thresholds[:, None]).astype(float)
    columns = responded.reshape(len(responded), math.prod(responded.shape[1:]))

    def by_step(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum values (samples, images) over the images up to each step, and at each, (samples, thresholds, times)."""
        known = (values @ columns).reshape(len(values), *responded.shape[1:])
        everything = np.broadcast_to(values.sum(axis=1)[:, None, None], (*known.shape[:2], 1))
        until = np.concatenate([known, everything], axis=2)
        return until, np.diff(until, axis=2, prepend=0)

    until, at = by_step(human.weights)
    total = human.weights.sum(axis=1)[:, None]
    centred = until - at / 2 - total[:, :, None] / 2
    spread = (at * centred**2).sum(axis=2)
    spread = np.where(spread > _ROUNDING * total**3, spread, 0) * human.square[:, None]
    return np.clip(safe_divide((centred * by_step(human.weighted)[1]).sum(axis=2), np.sqrt(spread)), -1, 1)


def _at_best(fitted: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Return the tested correlation at the threshold with the highest fitted one; the lowest wins a tie."""
    # Equal orders of images differ by rounding only.
    rounded = np.round(np.where(np.isnan(fitted), -np.inf, fitted), 10)
    best = rounded.argmax(axis=1)
    rows = np.arange(len(fitted))
    return np.where(np.isfinite(rounded[rows, best]), tested[rows, best], np.nan)


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
    """Correlate network and human response times, with thresholds fitted to other images (`held_out_correlations`).

    Args:
        entropy: Entropy of the readout, (images, times).
        human: Response time per image, (images,); NaN where unknown.
        seed: Seed of the halves.
        splits: Number of splits.
    """
    values, times = np.asarray(entropy, dtype=float), np.asarray(human, dtype=float)
    halves = random_halves(times, np.random.default_rng(seed), splits)
    ranks = [weighted_ranks(times[half], np.ones((1, len(half)))) for pair in halves for half in pair]
    candidates = candidate_thresholds(values)
    thresholds, reached = [], []
    for one, other in halves:
        for fitted, tested in ((one, other), (other, one)):
            thresholds.append(fit_threshold(values[fitted], times[fitted], candidates))
            steps = response_order(values[tested], thresholds[-1])
            reached += [(steps < values.shape[1]).mean()] if steps.size else []
    return ResponseTimeFit(
        float(held_out_correlations(values, halves, ranks)[0]),
        float(mean_over(reached)),
        tuple(thresholds),
    )
