"""Response times of a network in an evaluation, at the threshold that best predicts the human response times."""

from dataclasses import dataclass

import numpy as np

from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.statistics.means import mean_over
from convrnn_experiments.statistics.response_times import entropy_response_times, fit_threshold


@dataclass(frozen=True)
class NetworkTimes:
    """Response times of a network.

    Attributes:
        steps: Time step of each image's response, (images,), from 0; NaN where the threshold is never reached.
        threshold: Entropy threshold in nats.
    """

    steps: np.ndarray
    threshold: float


def network_times(evaluation: Evaluation, row: Comparison | None) -> NetworkTimes | None:
    """Compute response times on the images compared with humans, or on all images without a comparison `row`.

    None without the entropy of the answers.
    """
    answers = evaluation.answers if row is None else row.answers
    if np.isnan(answers.entropy).any():
        return None
    threshold = entropy_threshold(answers, row)
    return NetworkTimes(entropy_response_times(answers.entropy, threshold), threshold)


def entropy_threshold(answers: Answers, row: Comparison | None) -> float:
    """Find the threshold that best predicts human response times; without humans, one reached by half of the images."""
    if row is not None:
        fitted = fit_threshold(answers.entropy, mean_over(row.observers.standardized_times()))
        if np.isfinite(fitted):
            return fitted
    return float(np.median(answers.entropy.min(axis=1)))
