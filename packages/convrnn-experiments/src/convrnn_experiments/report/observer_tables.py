"""Tables about the observers: trials, misses, confusions, response times, and published curves."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison import satbench
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES
from convrnn_experiments.comparison.observer_estimates import mean_time_estimates, miss_rates
from convrnn_experiments.comparison.observer_group import ObserverGroup, trial_keys
from convrnn_experiments.conditions import condition_of
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.report.formats import Table, ends, with_interval
from convrnn_experiments.report.network_tables import confusion_cells
from convrnn_experiments.statistics.sampling_error import pooled_shares

_OBSERVER_COUNTS = ("found", "unreadable", "repeated", "excluded", "kept", "simulated")
_TRIAL_COUNTS = (
    "found", "unreadable", "excluded", "practice", "late", "without_stimulus", "kept", "missed"
)  # fmt: skip


def one_row_per_condition(rows: Iterable[Comparison]) -> dict[str, Comparison]:
    """Map each condition to its first row with the most images, for tables that depend on the observers only."""
    largest: dict[str, Comparison] = {}
    for row in rows:
        if row.condition not in largest or row.image_count > largest[row.condition].image_count:
            largest[row.condition] = row
    return largest


def misses(rows: Sequence[Comparison], group: ObserverGroup) -> Table:
    """Tabulate the share of missed trials by condition and response-time block, with intervals over observers."""
    return [
        {
            "condition": condition,
            "response_time_block": block + 1,
            "beep_ms": int(BEEP_TIMES[block]),
            "missed_percent": rate.value,
            **ends(rate),
            "observers": row.observer_count,
            "simulated_observers": group.simulated,
        }
        for condition, row in one_row_per_condition(rows).items()
        for block, rate in enumerate(miss_rates(row.observers))
    ]


def misses_wide(rows: Sequence[Comparison]) -> Table:
    """Tabulate missed trials for reading: a row per condition, a column per response-time block."""
    return [
        {"condition": condition}
        | {
            f"RT {block + 1}, {int(BEEP_TIMES[block])} ms": with_interval(rate, 0)
            for block, rate in enumerate(miss_rates(row.observers))
        }
        for condition, row in one_row_per_condition(rows).items()
    ]


def compared_trials(rows: Sequence[Comparison], group: ObserverGroup) -> Table:
    """List every trial of each comparison, a row per trial; one condition contains all levels."""
    table: Table = []
    for condition, row in one_row_per_condition(row for row in rows if row.pooled).items():
        observers, keys = row.observers, trial_keys(row.answers)
        for index, observer in enumerate(observers.ids):
            shown = ~np.isnan(observers.scores[index]) | observers.missed[index]
            for image in np.flatnonzero(shown):
                block, name = keys[image]
                answer = observers.answers[index, image]
                table.append(
                    {
                        "condition": condition,
                        "observer": observer,
                        "file_name": name,
                        "response_time_block": block + 1,
                        "level": row.answers.levels[image],
                        "category": CATEGORIES[row.answers.labels[image]],
                        "answer": CATEGORIES[answer] if answer >= 0 else "",
                        "missed": bool(observers.missed[index, image]),
                        "score": observers.scores[index, image],
                        "correct": observers.correct[index, image],
                        "response_time_ms": observers.times[index, image],
                        "simulated_observers": group.simulated,
                    }
                )
    return table


def confusions(rows: Sequence[Comparison], group: ObserverGroup) -> Table:
    """Count how often the observers gave each answer to each category, by response-time block, without misses."""
    table: Table = []
    for condition, row in one_row_per_condition(rows).items():
        labels, observers = row.answers.labels, row.observers
        groups = observers.blocks * len(CATEGORIES) + labels
        count = len(BEEP_TIMES) * len(CATEGORIES)
        _, variances = pooled_shares(observers.answers, groups, count, len(CATEGORIES))
        variances = variances.reshape(len(BEEP_TIMES), len(CATEGORIES), len(CATEGORIES))
        units = np.full(len(CATEGORIES), row.observer_count)
        for block, matrix in enumerate(observers.confusions(labels)):
            head = {
                "condition": condition,
                "response_time_block": block + 1,
                "simulated_observers": group.simulated,
            }
            table += [head | cell for cell in confusion_cells(matrix, variances[block], units)]
    return table


def response_times(rows: Sequence[Comparison], group: ObserverGroup) -> Table:
    """Tabulate the mean (by observer, then over observers) and quartiles of response times in each block."""
    table: Table = []
    for condition, row in one_row_per_condition(rows).items():
        means = mean_time_estimates(row.observers)
        for block, beep in enumerate(BEEP_TIMES):
            times = row.observers.block_times(block)
            quartiles = np.quantile(times, (0.25, 0.5, 0.75)) if len(times) else [float("nan")] * 3
            names = ("lower_quartile_ms", "median_ms", "upper_quartile_ms")
            table.append(
                {
                    "condition": condition,
                    "response_time_block": block + 1,
                    "beep_ms": int(beep),
                    "answers": len(times),
                    "mean_ms": means[block].value,
                    "mean_low": means[block].low,
                    "mean_high": means[block].high,
                }
                | dict(zip(names, quartiles, strict=True))
                | {"simulated_observers": group.simulated}
            )
    return table


def observers(group: ObserverGroup, evaluations: Iterable[Evaluation]) -> Table:
    """Count observers and trials of each experiment: found, unreadable, excluded, missed, without stimulus, kept.

    Unreadable sessions whose experiment is unknown have a separate row.
    """
    trial_counts = group.trial_counts(evaluations).groupby("experiment").sum(numeric_only=True)
    table: Table = []
    for row in group.observer_counts().to_dict("records"):
        experiment = row["experiment"]
        counts: dict[str, int] = {}
        if experiment in trial_counts.index:
            counts = {name: int(trial_counts.loc[experiment, name]) for name in _TRIAL_COUNTS}
        scored = counts.get("kept", 0) + counts.get("without_stimulus", 0)
        table.append(
            {"experiment": experiment or "unknown"}
            | {f"observers_{name}": row[name] for name in _OBSERVER_COUNTS}
            | {"reasons": row["reasons"]}
            | {f"trials_{name}": counts.get(name, 0) for name in _TRIAL_COUNTS}
            | {"missed_percent": 100 * counts["missed"] / scored if scored else float("nan")}
        )
    return table


def observer_notes(group: ObserverGroup, evaluations: Sequence[Evaluation]) -> list[str]:
    """Summarise the answers of each evaluated experiment, and the unreadable sessions, in a sentence each."""
    evaluated = {condition_of(evaluation.regime).experiment for evaluation in evaluations if evaluation.human}
    notes = []
    for row in observers(group, evaluations):
        if row["experiment"] == "unknown":
            notes.append(
                f"Sessions left out: {row['observers_unreadable']} unreadable, {row['observers_repeated']} repeated."
            )
        elif row["experiment"] in evaluated:
            reasons = f" ({row['reasons']})" if row["reasons"] else ""
            notes.append(
                f"Answers, {row['experiment']}: {row['observers_found']:,} observers found, "
                f"{row['observers_excluded']:,} excluded{reasons}; {row['trials_found']:,} trials found, "
                f"{row['trials_unreadable']:,} unreadable, {row['trials_excluded']:,} of excluded observers, "
                f"{row['trials_practice']:,} practice, {row['trials_late']:,} late, "
                f"{row['trials_without_stimulus']:,} without a stimulus in the test set, {row['trials_kept']:,} kept; "
                f"{row['missed_percent']:.1f} % missed."
            )
    return notes


def trials(group: ObserverGroup, evaluations: Iterable[Evaluation]) -> Table:
    """Count trials by experiment, level, block and outcome; see `trial_counts.count_trials`."""
    return [
        {str(name): "" if value is pd.NA else value for name, value in row.items()}
        for row in group.trial_counts(evaluations).to_dict("records")
    ]


def problems(group: ObserverGroup) -> Table:
    """List the problems found in the answer files."""
    return [
        {"file": str(problem.path), "line": problem.line, "what": problem.what}
        for problem in group.table.attrs.get("problems", [])
    ]


def digitised() -> Table:
    """List the published curves of SATBench with their sources and conventions for missed trials."""
    return [
        {
            "condition": curve.condition,
            "who": curve.who,
            "source": curve.source,
            "misses": curve.misses or "",
            "time": step + 1,
            "accuracy_percent": value,
            "error_points": error,
        }
        for curve in satbench.CURVES
        for step, (value, error) in enumerate(zip(curve.percent, curve.error, strict=True))
    ]
