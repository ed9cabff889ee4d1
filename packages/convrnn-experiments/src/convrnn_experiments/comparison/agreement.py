"""Agreement of a network with people, image by image: error consistency and response times, with bootstrap intervals.

Images and observers are resampled jointly: a sample has one set of images for the network and the people, and one set
of observers. The residual of observers and images is then counted in both, so intervals err on the wide side
(Owen 2007, Ann Appl Stat 1, 386-411).
"""

from dataclasses import dataclass

import numpy as np

from convrnn_data.base.random_streams import Stream, generator
from convrnn_experiments.comparison.observer_group import Crowd
from convrnn_experiments.evaluation.results import Answers
from convrnn_experiments.statistics import measures, resampling
from convrnn_experiments.statistics.intervals import NOTHING, Estimate
from convrnn_experiments.statistics.resampling import divided, estimate, freedom, weighted_mean

SAMPLES = 1000
_FEW = 200
"""Samples for a spread, where percentiles are not needed."""
_SPLITS = 5


@dataclass(frozen=True)
class Resampled:
    """Bootstrap weights of a comparison's images and observers; the first row of each is ones.

    Attributes:
        images: (1 + samples, images).
        observers: (1 + samples, observers).
        image_freedom: images less strata.
    """

    images: np.ndarray
    observers: np.ndarray
    image_freedom: int

    @property
    def observer_freedom(self) -> int:
        """Observers less one."""
        return self.observers.shape[1] - 1


def resample(strata: np.ndarray, observers: int, seed: int) -> Resampled:
    """Draw images within strata (images,) and observers."""
    return Resampled(
        resampling.draws(strata, generator(seed, Stream.BOOTSTRAP_IMAGES), samples=SAMPLES),
        resampling.draws(np.zeros(observers), generator(seed, Stream.BOOTSTRAP_OBSERVERS), samples=SAMPLES),
        len(strata) - len(np.unique(strata)),
    )


def like_trials(levels: np.ndarray, blocks: np.ndarray) -> list[np.ndarray]:
    """Masks of the trials of one level and block. Error consistency is computed in each, then averaged.

    Otherwise what everybody gains with time, and loses with noise or blur, would count as agreement. This project's
    choice; Geirhos et al. (2020) compute it for each condition, too.
    """
    cells = sorted(set(zip(levels.tolist(), blocks.tolist(), strict=True)))
    return [(levels == level) & (blocks == block) for level, block in cells]


def error_consistency(right: np.ndarray, answers: Answers, crowd: Crowd, drawn: Resampled) -> Estimate:
    """Cohen's kappa between a network and an observer, mean over levels and blocks and over observers.

    Args:
        right: (images,) whether the network is right.
        answers: the network's, for levels and blocks.
        crowd: people on the same images.
        drawn: of the images and observers.
    """
    cells = [
        resampling.kappas(right[here].astype(float), crowd.correct[:, here], drawn.images[:, here])
        for here in like_trials(answers.levels, answers.blocks)
    ]
    each = measures.mean_over(np.stack(cells))
    joint = weighted_mean(each, drawn.observers)
    parts = [
        (weighted_mean(each, np.ones_like(drawn.observers))[1:], drawn.image_freedom),
        (weighted_mean(each[0], drawn.observers)[1:], drawn.observer_freedom),
    ]
    return _unless_single(estimate(joint, freedom(parts)), drawn)


def ceiling(answers: Answers, crowd: Crowd, drawn: Resampled) -> Estimate:
    """Error consistency among people: the mean over pairs, over observers alone."""
    matrix = consistency(answers, crowd, np.zeros((0, len(answers.labels))))
    return estimate(resampling.pair_means(matrix, drawn.observers), float(max(drawn.observer_freedom, 1)))


def consistency(answers: Answers, crowd: Crowd, right: np.ndarray) -> np.ndarray:
    """Error consistency of each with each: networks first, then observers.

    Args:
        answers: of one of the networks, for levels and blocks.
        crowd: people on the same trials.
        right: (networks, images) 1 or 0.

    Returns:
        (networks + observers, networks + observers): the mean over levels and blocks; NaN where undefined.
    """
    raters = np.concatenate([right, crowd.correct])
    cells = like_trials(answers.levels, answers.blocks)
    return measures.mean_over(np.stack([measures.consistency_matrix(raters[:, here]) for here in cells]))


def response_times(
    entropy: np.ndarray, crowd: Crowd, drawn: Resampled, *, correct: bool, seed: int
) -> Estimate:
    """Spearman's rho of the network's response times with people's, on images that the threshold was not fitted on.

    Thresholds are fitted to one half of the images and tested on the other, both ways, over random halves; they stay
    the same in every bootstrap sample.

    Args:
        entropy: (images, time) of the readout, in nats.
        crowd: people on the same images.
        drawn: of the images and observers.
        correct: whether people's times are those of correct answers alone.
        seed: of the halves.
    """
    standard = crowd.standardized_times(correct=correct)
    each = ~np.isnan(standard)
    times = divided(np.where(each, standard, 0).sum(axis=0), each.sum(axis=0))
    known = np.flatnonzero(~np.isnan(times))
    if len(known) < 4 or entropy.shape[1] < 2:
        return NOTHING
    rng = generator(seed, Stream.RESPONSE_TIME_HALVES)
    halves = []
    for _ in range(_SPLITS):
        order = rng.permutation(known)
        halves += [(order[::2], order[1::2]), (order[1::2], order[::2])]
    tests = [
        (
            tested,
            measures.response_order(entropy[tested], measures.fit_threshold(entropy[fitted], times[fitted])),
        )
        for fitted, tested in halves
    ]
    few = slice(0, 1 + _FEW)
    images, drawn_times = drawn.images[few], _mean_times(standard, drawn.observers[few])

    def correlations(people: np.ndarray, weights: np.ndarray) -> np.ndarray:
        found = [
            resampling.rank_correlations(steps, people[..., tested], weights[:, tested])
            for tested, steps in tests
        ]
        return measures.mean_over(np.stack(found))

    joint = correlations(drawn_times, images)
    half = slice(0, 1 + _FEW // 2)
    parts = [
        (correlations(times, images[half])[1:], drawn.image_freedom),
        (correlations(drawn_times[half], np.ones_like(images[half]))[1:], drawn.observer_freedom),
    ]
    return _unless_single(resampling.correlation_estimate(joint, freedom(parts)), drawn)


def _mean_times(standard: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(samples, images) mean over observers of their standardised times; NaN where none was drawn."""
    known = ~np.isnan(standard)
    return divided(weights @ np.where(known, standard, 0), weights @ known)


def _unless_single(found: Estimate, drawn: Resampled) -> Estimate:
    """No interval where there is one observer: their spread is unknown."""
    return found if drawn.observer_freedom else Estimate(found.value, float("nan"), float("nan"))


def consistency_errors(answers: Answers, crowd: Crowd, right: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Standard errors of `consistency`, over bootstrap samples of the images.

    Args:
        answers: as for `consistency`.
        crowd: as for `consistency`.
        right: (networks, images) 1 or 0.
        images: (1 + samples, images) weights, of which the first 200 samples are used.
    """
    raters = np.concatenate([right, crowd.correct])
    cells = like_trials(answers.levels, answers.blocks)
    drawn = [
        measures.mean_over(
            np.stack([measures.weighted_consistency(raters[:, here], weights[here]) for here in cells])
        )
        for weights in images[1 : 1 + _FEW]
    ]
    values = np.stack(drawn)
    known = (~np.isnan(values)).mean(axis=0) >= resampling.LEAST_DEFINED
    mean = measures.mean_over(values)
    variance = measures.mean_over((values - mean) ** 2)
    return np.where(known, np.sqrt(variance), np.nan)
