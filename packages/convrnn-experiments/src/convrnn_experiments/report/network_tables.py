"""Tables about networks: accuracy, confusions, response times, and provenance."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.network_times import NetworkTimes
from convrnn_experiments.evaluation.measures import Accuracy
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.evaluation.threshold_sweep import ThresholdSweep
from convrnn_experiments.report.formats import Table, ends, whole, with_interval
from convrnn_experiments.statistics import measures
from convrnn_experiments.statistics.intervals import Estimate, proportion_interval


def accuracies(evaluations: Iterable[Evaluation]) -> Table:
    """Tabulate accuracy by time step, for each level and for all levels."""
    return [
        {
            "network": evaluation.network,
            "trained_on": evaluation.source.trained_on,
            "test_set": evaluation.name,
            "level": level,
            "time_step": step + 1,
            "multiply_adds": whole(evaluation.multiply_adds[step]),
            "accuracy_percent": percent,
            "low": accuracy.low[step],
            "high": accuracy.high[step],
            "images": accuracy.images,
        }
        for evaluation in evaluations
        for level, accuracy in _by_level(evaluation, evaluation.accuracy_by_level)
        for step, percent in enumerate(accuracy.percent)
    ]


def accuracy_wide(evaluations: Sequence[Evaluation]) -> Table:
    """Tabulate accuracy for reading: a row per network, test set and level, a column per time step."""
    longest = max(len(evaluation.multiply_adds) for evaluation in evaluations)
    table: Table = []
    for evaluation in evaluations:
        levels = evaluation.accuracy_by_level if evaluation.human else {}
        for level, accuracy in _by_level(evaluation, levels):
            cells = [with_interval(estimate) for estimate in accuracy.estimates]
            cells += ["–"] * (longest - len(cells))
            table.append(
                {"network": evaluation.network, "test set": evaluation.name, "level": level}
                | {f"step {step + 1}": cell for step, cell in enumerate(cells)}
            )
    return table


def _by_level(evaluation: Evaluation, levels: Mapping[str, Accuracy]) -> Iterable[tuple[str, Accuracy]]:
    """Return the accuracies of the levels, and of all levels together unless there is exactly one."""
    return {**levels, **({"all": evaluation.accuracy} if len(levels) != 1 else {})}.items()


def confusions(evaluations: Iterable[tuple[Evaluation, Comparison | None]]) -> Table:
    """Count how often each network gave each answer to each category, at each time step.

    With a comparison, only the images compared with humans count, otherwise all images.
    """
    return [
        {"network": evaluation.network, "test_set": evaluation.name, "time_step": step + 1, **cell}
        for evaluation, row in evaluations
        for answers in [evaluation.answers if row is None else row.answers]
        for step, matrix in enumerate(measures.confusion_matrix(answers.labels, answers.answers))
        for cell in confusion_cells(matrix, _binomial_variances(matrix), matrix.sum(axis=1))
    ]


def _binomial_variances(matrix: np.ndarray) -> np.ndarray:
    """Return the variance of the share of each answer if images are independent draws."""
    total = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return matrix / total * (1 - matrix / total) / total


def confusion_cells(matrix: np.ndarray, variances: np.ndarray, units: np.ndarray) -> list[dict[str, Any]]:
    """Return counts, and shares of rows in percent with Wilson's interval; cells without an answer are left out."""
    cells = []
    for true, given in np.argwhere(matrix):
        percent = 100 * matrix[true, given] / matrix[true].sum()
        estimate = proportion_interval(
            percent, 1e4 * variances[true, given], max(units[true] - 1, 1), units[true]
        )
        cells.append(
            {
                "category": CATEGORIES[true],
                "answer": CATEGORIES[given],
                "count": int(matrix[true, given]),
                "percent_of_category": percent,
                **ends(estimate),
            }
        )
    return cells


def response_times(evaluation: Evaluation, times: NetworkTimes) -> Table:
    """Count the images that a network answers at each time step, and never."""
    steps = [*range(evaluation.answers.entropy.shape[1]), float("nan")]
    counts = [
        int(np.isnan(times.steps).sum() if math.isnan(step) else (times.steps == step).sum())
        for step in steps
    ]
    return [
        {
            "network": evaluation.network,
            "test_set": evaluation.name,
            "entropy_threshold_nats": times.threshold,
            "time_step": "never" if math.isnan(step) else int(step) + 1,
            "images": count,
            "percent": 100 * count / len(times.steps),
            **ends(_binomial(count, len(times.steps))),
        }
        for step, count in zip(steps, counts, strict=True)
    ]


def threshold_sweeps(sweeps: Iterable[tuple[Evaluation, ThresholdSweep]]) -> Table:
    """Tabulate accuracy and mean response time over thresholds on the entropy."""
    return [
        {
            "network": evaluation.network,
            "test_set": evaluation.name,
            "entropy_threshold_nats": sweep.thresholds[index],
            "mean_time_step": step.value,
            "mean_time_step_low": step.low,
            "mean_time_step_high": step.high,
            "accuracy_percent": accuracy.value,
            **ends(accuracy),
            "reached_percent": sweep.reached[index],
        }
        for evaluation, sweep in sweeps
        for index, (step, accuracy) in enumerate(zip(sweep.steps, sweep.accuracy, strict=True))
    ]


def _binomial(count: int, number: int) -> Estimate:
    """Return Wilson's interval in percent of a share of `number` independent draws."""
    share = count / number
    return proportion_interval(100 * share, 1e4 * share * (1 - share) / number, np.inf, number)


def provenance(evaluations: Iterable[Evaluation]) -> Table:
    """List the configuration, data, commands and versions of each evaluation, a row per fact."""
    return [
        {"network": evaluation.network, "test_set": evaluation.name, "what": what, "value": value}
        for evaluation in evaluations
        for what, value in evaluation.source.facts.items()
    ]
