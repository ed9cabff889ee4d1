"""Ceilings of the measures of a comparison, from the observers alone."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES
from convrnn_experiments.statistics.ceilings import (
    Ceiling,
    correlation_ceiling,
    distance_ceiling,
    image_groups,
)
from convrnn_experiments.statistics.contrast import observer_accuracies
from convrnn_experiments.statistics.means import mean_over, safe_divide
from convrnn_experiments.statistics.measures import CLASSES, slope_weights

_TIME_SPLITS, _TIME_GROUPS = 20, 20
"""Numbers of splits, and of groups of images, for response times, whose items are the many images."""


def ceilings_of(
    scores: np.ndarray,
    times: Mapping[str, np.ndarray],
    *,
    labels: np.ndarray,
    cells: np.ndarray,
    blocks: np.ndarray,
    strata: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Ceiling]:
    """Return the ceilings of raw RMSE, steepness, raw category correlation and correlations of response times.

    Args:
        scores: Scores of the observers, (observers, images), 0 to 1; NaN without a trial.
        times: Measure -> standardised response times, (observers, images); NaN without a time.
        labels: Category of each image, (images,).
        cells: Level and block of each image as one code from 0, (images,).
        blocks: Response-time block of each image, (images,).
        strata: Stratum of each image, (images,).
        rng: Generator that draws groups of images and halves of observers.

    Returns:
        Measure -> ceiling.
    """
    groups = image_groups(strata, rng)
    shown = np.unique(blocks)
    slope = slope_weights(BEEP_TIMES[shown])[:, None]

    level = _without_strata(scores, labels, strata)

    def accuracies(
        codes: np.ndarray, count: int, mask: np.ndarray, values: np.ndarray = scores
    ) -> np.ndarray:
        return observer_accuracies(np.where(mask, values, np.nan), codes, count)

    number = len(scores)
    found = {
        "sat_rmse_raw": distance_ceiling(
            lambda mask: accuracies(cells, int(cells.max(initial=0)) + 1, mask), number, groups
        ),
        "steepness_difference": distance_ceiling(
            lambda mask: accuracies(blocks, BLOCKS, mask)[:, shown] @ slope, number, groups
        ),
        "category_correlation_raw": correlation_ceiling(
            lambda mask: accuracies(labels, CLASSES, mask, level), number, groups, rng
        ),
    }
    for measure, values in times.items():
        found[measure] = correlation_ceiling(
            partial(_known, values),
            number,
            image_groups(strata, rng, _TIME_GROUPS),
            rng,
            ranks=True,
            splits=_TIME_SPLITS,
        )
    return found


def _without_strata(scores: np.ndarray, labels: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Move the scores of each stratum to the mean of its category, (observers, images).

    The jackknife leaves out images of some blocks only, which would otherwise change the accuracy of their categories
    by the differences between blocks. The accuracies of all images remain, but for trials that observers lack.
    """
    by_image = mean_over(scores)
    stratum = safe_divide(*_sums(by_image, strata))[strata]
    category = safe_divide(*_sums(stratum, labels))[labels]
    return np.asarray(scores - stratum + category)


def _sums(values: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sum and number of the known values of each code."""
    known = ~np.isnan(values)
    return np.bincount(codes, np.where(known, values, 0)), np.bincount(codes, known.astype(float))


def _known(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask, values, np.nan)
