"""Speed-accuracy curves of networks by condition, with their comparisons with humans."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.evaluation.accuracy import accuracy_estimates
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.rows.accuracies import AccuracyRow
from convrnn_experiments.statistics.intervals import Estimate


@dataclass(frozen=True)
class NetworkCurve:
    """Accuracy of a network over time in one condition.

    Attributes:
        network: Name of the network.
        accuracy: Estimates in percent, (time,).
        multiply_adds: Multiply-adds up to each time step, (time,).
        answers: Answers to the images behind each estimate.
    """

    network: str
    accuracy: list[Estimate]
    multiply_adds: np.ndarray
    answers: Answers

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.answers.labels)


@dataclass(frozen=True)
class ConditionCurves:
    """Curves of all networks in one condition, and the comparisons with humans who were shown the condition.

    `accuracies` are of networks whose answers to single images are unknown.
    """

    title: str
    condition: str
    networks: list[NetworkCurve]
    rows: list[Comparison]
    accuracies: list[AccuracyRow] = field(default_factory=list)


def curves_by_condition(
    evaluations: Sequence[Evaluation], rows: Sequence[Comparison], accuracies: Sequence[AccuracyRow] = ()
) -> list[ConditionCurves]:
    """Compute the curves in each condition of the human stimuli, and in each other test set.

    The curve of a network that is compared with humans is over the images of the comparison. Conditions are in the
    order of the evaluations. Accuracies appear in the conditions that an evaluation has.
    """
    curves: dict[tuple[bool, str], ConditionCurves] = {}
    for evaluation in evaluations:
        human = evaluation.human
        for condition, mask in evaluation.conditions.items():
            if human and len(evaluation.levels) > 1 and mask.all():
                continue
            kind = evaluation.kind
            title = condition if human else f"{condition.removesuffix(' (all levels)')}, {kind}"
            group = curves.setdefault((human, condition), ConditionCurves(title, condition, [], []))
            row = next(
                (row for row in rows if row.evaluation is evaluation and row.condition == condition), None
            )
            if row is not None:
                group.rows.append(row)
            answers = evaluation.answers.of(mask) if row is None else row.answers
            estimates = accuracy_estimates(answers.right, answers.levels, answers.blocks, answers.labels)
            group.networks.append(
                NetworkCurve(evaluation.network, estimates, evaluation.multiply_adds, answers)
            )
    for accuracy in accuracies:
        if (True, accuracy.condition) in curves:
            curves[True, accuracy.condition].accuracies.append(accuracy)
    return list(curves.values())


def over_multiply_adds(panels: Sequence[ConditionCurves]) -> list[ConditionCurves]:
    """Select the networks whose multiply-adds are known, and the conditions with at least one of them."""
    selected = [
        replace(
            panel,
            networks=[line for line in panel.networks if np.isfinite(line.multiply_adds).all()],
            rows=[row for row in panel.rows if np.isfinite(row.evaluation.multiply_adds).all()],
            accuracies=[row for row in panel.accuracies if np.isfinite(row.multiply_adds).all()],
        )
        for panel in panels
    ]
    return [panel for panel in selected if panel.networks]
