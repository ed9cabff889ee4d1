"""Accuracy balanced over categories, sensitivity without response bias, and calibration at each point in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convrnn_data.categories import CATEGORIES
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.columns import Measure
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.comparison.curves import ConditionCurves
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.statistics.calibration import calibration_error, expected_calibration_error
from convrnn_experiments.statistics.choice_model import ChoiceFit, fit_choices
from convrnn_experiments.statistics.intervals import (
    UNDEFINED,
    Estimate,
    normal_interval,
    proportion_interval,
    without_interval,
)
from convrnn_experiments.statistics.measures import confusion_matrix
from convrnn_experiments.statistics.sampling_error import (
    SampledEstimates,
    network_means,
    observer_means,
    strata,
    trial_sum,
)

OVER_TIME = (
    Measure(
        "macro_accuracy",
        "balanced accuracy",
        "percent",
        1,
        "accuracy averaged over the categories, whatever their numbers of images",
    ),
    Measure(
        "sensitivity",
        "sensitivity",
        "log odds",
        2,
        "sensitivity of Luce's choice model, without preferences for some answers; 0 is chance. Missed trials are left "
        "out",
    ),
    Measure(
        "calibration_error",
        "calibration error",
        "percentage points",
        1,
        "root mean square difference between confidence and accuracy over 10 bins of confidence, corrected for "
        "sampling noise",
    ),
    Measure(
        "expected_calibration_error",
        "expected calibration error",
        "percentage points",
        1,
        "mean absolute difference between confidence and accuracy over 15 bins of confidence; sampling noise makes it "
        "too large, so it has no interval",
        interval=False,
    ),
)


@dataclass(frozen=True)
class TimeCourse:
    """Measures of one rater at each time step or response-time block of a condition.

    Attributes:
        network: Name of the network; None for humans.
        condition: Title of the condition.
        estimates: Key of `OVER_TIME` -> estimates, (time,); humans do not have calibration errors.
        images: Number of images at each time, (time,).
        observers: Number of observers; 0 for a network.
        places: Position of each time on an axis of time steps, counted from 1, (time,).
    """

    network: str | None
    condition: str
    estimates: dict[str, list[Estimate]]
    images: list[int]
    observers: int
    places: np.ndarray


def time_courses(panels: Sequence[ConditionCurves]) -> list[TimeCourse]:
    """Estimate the measures of all networks and, in conditions compared with humans, of humans.

    Args:
        panels: Curves from `curves_by_condition`.
    """
    courses = []
    for panel in panels:
        for line in panel.networks:
            steps = line.answers.answers.shape[1]
            courses.append(
                TimeCourse(
                    line.network,
                    panel.title,
                    network_course(line.answers),
                    [line.images] * steps,
                    0,
                    np.arange(1.0, steps + 1),
                )
            )
        if panel.rows:
            # The network with the most time steps determines the positions of humans, as in the other figures.
            row = max(panel.rows, key=lambda row: row.answers.answers.shape[1])
            images = np.bincount(row.answers.blocks, minlength=BLOCKS).tolist()
            estimates = observer_course(row.observers, row.answers.labels, row.answers.levels)
            courses.append(
                TimeCourse(None, panel.title, estimates, images, row.observer_count, row.positions + 1)
            )
    return courses


def network_course(answers: Answers) -> dict[str, list[Estimate]]:
    """Estimate the measures of a network at each time step, with intervals over images.

    Args:
        answers: Answers of the network.

    Returns:
        Key of `OVER_TIME` -> estimates, (time,).
    """
    codes = strata(answers.levels.astype(str), answers.blocks, answers.labels)
    matrices = confusion_matrix(answers.labels, answers.answers)
    found: dict[str, list[Estimate]] = {measure.key: [] for measure in OVER_TIME}
    for step, (given, right, sure) in enumerate(
        zip(answers.answers.T, answers.right.T, answers.confidence.T, strict=True)
    ):
        means = network_means(100.0 * right, answers.labels, len(CATEGORIES), codes)
        found["macro_accuracy"].append(_macro(means, len(right)))
        found["sensitivity"].append(_sensitivity(matrices[step], answers.labels, given[None], codes))
        found["calibration_error"].append(calibration_error(sure, right))
        expected = expected_calibration_error(sure, right)
        found["expected_calibration_error"].append(without_interval(expected))
    return found


def observer_course(
    observers: ConditionObservers, labels: np.ndarray, levels: np.ndarray
) -> dict[str, list[Estimate]]:
    """Estimate the measures of humans in each response-time block, with intervals over images and observers.

    Balanced accuracy is averaged by observer, then over observers, with missed trials scored by their convention. For
    the sensitivity, trials of all observers are pooled, and missed trials are left out.

    Args:
        observers: Observers in the condition.
        labels: Categories of the images, (images,).
        levels: Levels of the images, (images,).

    Returns:
        Key of `OVER_TIME` -> estimates, (blocks,), for the measures that humans have.
    """
    matrices = observers.confusions(labels)
    found: dict[str, list[Estimate]] = {"macro_accuracy": [], "sensitivity": []}
    for block in range(BLOCKS):
        images = observers.blocks == block
        if not images.any():
            found["macro_accuracy"].append(UNDEFINED)
            found["sensitivity"].append(UNDEFINED)
            continue
        shown = labels[images]
        codes = strata(levels[images].astype(str), shown)
        means = observer_means(100 * observers.scores[:, images], shown, len(CATEGORIES), codes)
        found["macro_accuracy"].append(_macro(means, len(observers.ids)))
        found["sensitivity"].append(_sensitivity(matrices[block], shown, observers.answers[:, images], codes))
    return found


def _macro(means: SampledEstimates, units: int) -> Estimate:
    """Average accuracies in percent over the categories that have images."""
    known = ~np.isnan(means.values)
    if not known.any():
        return UNDEFINED
    macro = means.select(known).combine(np.full((known.sum(), 1), 1 / known.sum()))
    return proportion_interval(
        float(macro.values[0]), float(macro.covariance[0, 0]), float(macro.freedom[0]), units
    )


def _sensitivity(matrix: np.ndarray, labels: np.ndarray, given: np.ndarray, codes: np.ndarray) -> Estimate:
    """Estimate the sensitivity from counts of answers.

    Args:
        matrix: Confusion matrix of the trials.
        labels: (images,).
        given: Answers, (raters, images); -1 without an answer.
        codes: Strata of the images, (images,).
    """
    fit: ChoiceFit = fit_choices(matrix)
    if np.isnan(fit.sensitivity):
        return UNDEFINED
    influence = np.where(given >= 0, fit.influence[labels, given], np.nan)
    summed = trial_sum(influence, codes)
    # With few errors, the influences of the trials seen do not show the variance.
    variance = max(float(summed.covariance[0, 0]), fit.variance)
    return normal_interval(fit.sensitivity, variance, float(summed.freedom[0]))
