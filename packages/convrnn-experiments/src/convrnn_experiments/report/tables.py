"""Results as tables: rows of text, written as CSV, Markdown or HTML; every number of a picture is in one of them."""

import csv
import html
import io
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison import satbench as published
from convrnn_experiments.comparison.compare import Row
from convrnn_experiments.comparison.observer_estimates import mean_time_estimates
from convrnn_experiments.comparison.observer_group import BEEP_TIMES, EXPERIMENTS, People
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.statistics import measures
from convrnn_experiments.statistics.intervals import Estimate, proportion_interval
from convrnn_experiments.statistics.sampling_error import pooled_shares

Table = list[dict[str, Any]]
_NORMAL = 1.959964  # standard errors on either side of a 95 % interval


def as_csv(table: Table) -> bytes:
    """A header and a line for each row; what is not known stays empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if table:
        writer.writerow(table[0])
        writer.writerows([_plain(value) for value in row.values()] for row in table)
    return text.getvalue().encode("utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def as_markdown(table: Table) -> str:
    """A pipe table; columns of numbers are set to the right."""
    head = list(table[0])
    rows = [[str(value).replace("|", "\\|") for value in row.values()] for row in table]
    align = ["---" if index < 2 else "---:" for index in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, align, *rows)) + "\n"


def as_html(table: Table, *, text: int = 2) -> str:
    """A table whose first `text` columns are words; on a narrow page each row becomes a card."""
    head = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in table[0])
    body = []
    for row in table:
        cells = [
            f"<td{'' if place < text else ' class=number'} data-label='{html.escape(name, quote=True)}'>"
            f"{_cell(str(value))}</td>"
            for place, (name, value) in enumerate(row.items())
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f"<div class='table'><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"


def _cell(text: str) -> str:
    """An interval goes on a line of its own."""
    value, bracket, interval = text.partition(" [")
    small = f" <small>[{html.escape(interval)}</small>" if bracket else ""
    return f"<span>{html.escape(value)}{small}</span>"


def with_interval(found: Estimate, digits: int = 1, *, interval: bool = True) -> str:
    """`71.4 [66.2, 75.9]`; a dash where undefined, and no brackets where there is to be no `interval`."""
    value, low, high = (_fixed(number, digits) for number in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]" if interval and not math.isnan(found.value) else value


def _fixed(number: float, digits: int) -> str:
    """A rounded number without a negative zero; a dash where undefined."""
    return "–" if math.isnan(number) else f"{round(number, digits) + 0.0:.{digits}f}"


def accuracies(evaluations: Iterable[Evaluation]) -> Table:
    """Networks' accuracy by time step, for each level and for all."""
    table: Table = []
    for one in evaluations:
        levels = one.measures["accuracy_by_level"]
        lines = {**levels, **({"all": one.measures["accuracy"]} if len(levels) != 1 else {})}
        for level, line in lines.items():
            for step, percent in enumerate(line["percent"]):
                table.append(
                    {
                        "network": one.network,
                        "trained_on": str(one.config.perturb),
                        "test_set": one.name,
                        "level": level,
                        "time_step": step + 1,
                        "multiply_adds": int(one.multiply_adds[step]),
                        "accuracy_percent": percent,
                        "low": line["low"][step],
                        "high": line["high"][step],
                        "images": line["images"],
                    }
                )
    return table


def accuracy_wide(evaluations: Iterable[Evaluation]) -> Table:
    """Accuracy for reading: a row for each network, test set and level, a column for each time step."""
    table: Table = []
    evaluations = list(evaluations)
    longest = max(len(one.multiply_adds) for one in evaluations)
    for one in evaluations:
        levels = one.measures["accuracy_by_level"]
        lines = levels if one.human else {}
        for level, line in {
            **lines,
            **({"all": one.measures["accuracy"]} if len(lines) != 1 else {}),
        }.items():
            found = [
                with_interval(Estimate(*ends))
                for ends in zip(line["percent"], line["low"], line["high"], strict=True)
            ]
            steps = found + ["–"] * (longest - len(found))
            table.append(
                {"network": one.network, "test set": one.name, "level": level}
                | {f"step {step + 1}": text for step, text in enumerate(steps)}
            )
    return table


def network_confusions(evaluations: Iterable[tuple[Evaluation, Row | None]]) -> Table:
    """Networks' confusions: how often each category was given each answer, at each time step.

    Of the images compared with people where there is such a comparison, else of all.
    """
    return [
        {"network": one.network, "test_set": one.name, "time_step": step + 1, **cell}
        for one, row in evaluations
        for answers in [one.answers if row is None else row.answers]
        for step, matrix in enumerate(measures.confusion_matrix(answers.labels, answers.answers))
        for cell in _cells(matrix, _binomial_variances(matrix), matrix.sum(axis=1))
    ]


def _binomial_variances(matrix: np.ndarray) -> np.ndarray:
    """Variance of the share of each answer, each image being a draw of its own."""
    total = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return matrix / total * (1 - matrix / total) / total


def people_confusions(rows: Sequence[Row], people: People) -> Table:
    """People's confusions, in each response-time block; answers of missed trials are not counted."""
    table: Table = []
    for condition, row in {row.condition: row for row in rows}.items():
        labels, crowd = row.answers.labels, row.crowd
        groups = crowd.blocks * len(CATEGORIES) + labels
        count = len(BEEP_TIMES) * len(CATEGORIES)
        _, variances = pooled_shares(crowd.answers, groups, count, len(CATEGORIES))
        variances = variances.reshape(len(BEEP_TIMES), len(CATEGORIES), len(CATEGORIES))
        units = np.full(len(CATEGORIES), len(crowd.observers))
        for block, matrix in enumerate(crowd.confusions(labels)):
            head = {
                "condition": condition,
                "response_time_block": block + 1,
                "simulated_observers": people.simulated,
            }
            table += [head | cell for cell in _cells(matrix, variances[block], units)]
    return table


def _cells(matrix: np.ndarray, variances: np.ndarray, units: np.ndarray) -> list[dict[str, Any]]:
    """Counts and row shares in percent, with Wilson's interval; cells without an answer are left out."""
    found = []
    for true, given in np.argwhere(matrix):
        percent = 100 * matrix[true, given] / matrix[true].sum()
        estimate = proportion_interval(
            percent, 1e4 * variances[true, given], max(units[true] - 1, 1), units[true]
        )
        found.append(
            {
                "category": CATEGORIES[true],
                "answer": CATEGORIES[given],
                "count": int(matrix[true, given]),
                "percent_of_category": percent,
                "low": estimate.low,
                "high": estimate.high,
            }
        )
    return found


def consistencies(
    rows: Sequence[Row],
    matrix_of: Callable[[Sequence[Row]], np.ndarray],
    errors_of: Callable[[Sequence[Row]], np.ndarray],
) -> Table:
    """Error consistency of each pair, with intervals over images; networks come first."""
    table: Table = []
    for condition in dict.fromkeys(row.condition for row in rows):
        group = [row for row in rows if row.condition == condition]
        names = [*(row.evaluation.network for row in group), *group[0].crowd.observers]
        matrix, errors = matrix_of(group), errors_of(group)
        for a, b in zip(*np.triu_indices(len(names), k=1), strict=True):
            half = _NORMAL * errors[a, b]
            table.append(
                {
                    "condition": condition,
                    "one": names[a],
                    "other": names[b],
                    "kappa": matrix[a, b],
                    "low": matrix[a, b] - half,
                    "high": matrix[a, b] + half,
                }
            )
    return table


def network_times(evaluation: Evaluation, steps: np.ndarray, threshold: float) -> Table:
    """How many images a network answers at each time step: `steps` (images,) from 0, NaN for never."""
    places = [*range(evaluation.answers.entropy.shape[1]), float("nan")]
    counts = [int(np.isnan(steps).sum() if math.isnan(place) else (steps == place).sum()) for place in places]
    return [
        {
            "network": evaluation.network,
            "test_set": evaluation.name,
            "entropy_threshold_nats": threshold,
            "time_step": "never" if math.isnan(place) else int(place) + 1,
            "images": count,
            "percent": 100 * count / len(steps),
            **_ends(_binomial(count, len(steps))),
        }
        for place, count in zip(places, counts, strict=True)
    ]


def _binomial(count: int, number: int) -> Estimate:
    """Wilson's interval of a share in percent, each of `number` units being a draw of its own."""
    share = count / number
    return proportion_interval(100 * share, 1e4 * share * (1 - share) / number, np.inf, number)


def _ends(found: Estimate) -> dict[str, float]:
    return {"low": found.low, "high": found.high}


def people_times(rows: Sequence[Row], people: People) -> Table:
    """Mean (of each observer, then over observers) and quartiles of people's response times, in each block."""
    table: Table = []
    for condition, row in {row.condition: row for row in rows}.items():
        means = mean_time_estimates(row.crowd)
        for block, beep in enumerate(BEEP_TIMES):
            times = row.crowd.times[:, row.crowd.blocks == block]
            times = times[~np.isnan(times)]
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
                | {"simulated_observers": people.simulated}
            )
    return table


def observers(people: People, evaluations: Iterable[Evaluation]) -> Table:
    """Observers and trials of each experiment: found, unreadable, excluded, missed, without stimulus, kept.

    Sessions whose experiment is unknown, because they cannot be read, have a row of their own.
    """
    trials = people.trial_counts(evaluations).groupby("experiment").sum(numeric_only=True)
    rows: Table = []
    for row in people.observer_counts().to_dict("records"):
        experiment = row["experiment"]
        counts: dict[str, int] = {}
        if experiment in trials.index:
            counts = {name: int(trials.loc[experiment, name]) for name in _TRIALS}
        scored = counts.get("kept", 0) + counts.get("without_stimulus", 0)
        rows.append(
            {"experiment": experiment or "unknown"}
            | {f"observers_{name}": row[name] for name in _OBSERVERS}
            | {"reasons": row["reasons"]}
            | {f"trials_{name}": counts.get(name, 0) for name in _TRIALS}
            | {"missed_percent": 100 * counts["missed"] / scored if scored else float("nan")}
        )
    return rows


def transposed(table: Table, key: str) -> Table:
    """A table for reading: a row for each column, and a column for each row, named by its `key`."""
    return [
        {key: name.replace("_", " ")} | {str(row[key]): _rounded(row[name]) for row in table}
        for name in (table[0] if table else ())
        if name != key
    ]


def _rounded(value: Any) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value or "–")


_OBSERVERS = ("found", "unreadable", "repeated", "excluded", "kept", "simulated")
_TRIALS = ("found", "unreadable", "excluded", "practice", "late", "without_stimulus", "kept", "missed")


def trials(people: People, evaluations: Iterable[Evaluation]) -> Table:
    """What became of people's trials, by experiment, level and block; see `trial_counts.count_trials`."""
    return [
        {str(name): "" if value is pd.NA else value for name, value in row.items()}
        for row in people.trial_counts(evaluations).to_dict("records")
    ]


def people_notes(people: People, evaluations: Sequence[Evaluation]) -> list[str]:
    """A sentence for each experiment of the evaluations, and one for what could not be read at all."""
    wanted = {EXPERIMENTS[one.regime] for one in evaluations if one.human}
    said = []
    for row in observers(people, evaluations):
        if row["experiment"] == "unknown":
            said.append(
                f"Sessions left out: {row['observers_unreadable']} unreadable, {row['observers_repeated']} repeated."
            )
        elif row["experiment"] in wanted:
            why = f" ({row['reasons']})" if row["reasons"] else ""
            said.append(
                f"Answers, {row['experiment']}: {row['observers_found']:,} observers found, "
                f"{row['observers_excluded']:,} excluded{why}; {row['trials_found']:,} trials found, "
                f"{row['trials_unreadable']:,} unreadable, {row['trials_excluded']:,} of excluded observers, "
                f"{row['trials_practice']:,} practice, {row['trials_late']:,} out of time, "
                f"{row['trials_without_stimulus']:,} without a stimulus here, {row['trials_kept']:,} kept; "
                f"{row['missed_percent']:.1f} % missed."
            )
    return said


def problems(people: People) -> Table:
    """What did not fit in the files of answers."""
    return [
        {"file": str(problem.path), "line": problem.line, "what": problem.what}
        for problem in people.table.attrs.get("problems", [])
    ]


def digitised() -> Table:
    """SATBench's published curves with their source and their convention for missed trials."""
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
        for curve in published.CURVES
        for step, (value, error) in enumerate(zip(curve.percent, curve.error, strict=True))
    ]


def provenance(evaluations: Iterable[Evaluation]) -> Table:
    """What was run, on what, with which versions: a row for each fact."""
    facts: Table = []
    for one in evaluations:
        environment = one.measures["environment"]
        told: dict[str, Any] = {"run": str(one.run.path), "trained by": one.trained_by}
        told |= {name: one.measures[name] for name in ("network", "parameters", "kind", "source", "images")}
        told |= {"validated on": one.validated_on} if one.validated_on else {}
        told |= {"images from": one.measures["origin"]} if one.origin else {}
        told |= {"multiply-adds": int(one.multiply_adds[-1]), "evaluated by": environment["command"]}
        told |= {f"config: {key}": value for key, value in one.config.to_json().items()}
        told |= {f"version: {name}": value for name, value in environment["versions"].items()}
        facts += [
            {"network": one.network, "test_set": one.name, "what": what, "value": value}
            for what, value in told.items()
        ]
    return facts
