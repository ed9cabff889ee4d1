"""The comparison of networks and people as tables, for CSV files, the terminal and the page."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison.columns import MEASURES, Measure
from convrnn_experiments.comparison.compare import Difference, Row
from convrnn_experiments.comparison.exits import FITTED, MEANING, Exits, described
from convrnn_experiments.comparison.observer_estimates import miss_rates
from convrnn_experiments.comparison.observer_group import BEEP_TIMES, People, trial_keys
from convrnn_experiments.evaluation.accuracy import accuracy_estimates
from convrnn_experiments.observers.conventions import MISSES
from convrnn_experiments.report.tables import Table, as_markdown, people_notes, with_interval

CURVES = ("sat_rmse", "sat_rmse_raw", "sat_rmse_floor", "sat_rmse_affine", "steepness_network", "steepness_people",
          "steepness_difference")  # fmt: skip
AGREEMENT = ("category_correlation", "category_correlation_raw", "category_correlation_ceiling", "error_consistency",
             "error_consistency_people", "response_time_correlation", "response_time_correlation_correct")  # fmt: skip
"""Measures of the page's two tables."""


def comparison(rows: Sequence[Row], people: People, match: Exits) -> Table:
    """The comparison, a row for each network, condition and measure."""
    return [
        {
            "network": row.evaluation.network,
            "trained_on": str(row.evaluation.config.perturb),
            "condition": row.condition,
            "measure": measure.key,
            "value": row.estimates[measure.key].value,
            "low": row.estimates[measure.key].low,
            "high": row.estimates[measure.key].high,
            "unit": measure.unit,
            "images": row.images,
            "observers": row.observers,
            "level_blocks": row.cells,
            "simulated_observers": people.simulated,
            "exits": str(match),
            "matched_steps": " ".join(f"{position + 1:g}" for position in row.where),
            "misses": people.misses,
            "left_out": " ".join(people.named),
        }
        for row in rows
        for measure in MEASURES
    ]


def comparison_wide(rows: Sequence[Row], keys: Sequence[str] | None = None) -> Table:
    """The comparison for reading: a row for each network and condition, a column for each measure."""
    chosen = [measure for measure in MEASURES if keys is None or measure.key in keys]
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            **{measure.label: _cell(row, measure) for measure in chosen},
        }
        for row in rows
    ]


def _cell(row: Row, measure: Measure) -> str:
    return with_interval(row.estimates[measure.key], measure.digits, interval=measure.interval)


def differences(found: Sequence[Difference]) -> Table:
    """Paired differences of networks, a row for each pair, condition and measure."""
    return [
        {
            "condition": one.condition,
            "network": one.one,
            "less_network": one.other,
            "measure": one.measure,
            "difference": one.estimate.value,
            "low": one.estimate.low,
            "high": one.estimate.high,
        }
        for one in found
    ]


def differences_wide(found: Sequence[Difference]) -> Table:
    """Paired differences for reading: a row for each pair and condition, a column for each measure."""
    measures = {measure.key: measure for measure in MEASURES}
    table: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in found:
        key = one.condition, one.one, one.other
        row = table.setdefault(key, {"condition": one.condition, "networks": f"{one.one} − {one.other}"})
        measure = measures[one.measure]
        row[measure.label] = with_interval(one.estimate, measure.digits)
    return list(table.values())


def compared(rows: Sequence[Row]) -> Table:
    """What enters each comparison, and what neither side includes."""
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            "images_tested": row.images + row.shared.not_shown + row.shared.not_answered,
            "not_shown_to_people": row.shared.not_shown,
            "answered_by_nobody": row.shared.not_answered,
            "images_compared": row.images,
            "observers": row.observers,
            "trials_compared": row.shared.trials,
            "trials_on_other_images": row.shared.trials_elsewhere,
        }
        for row in rows
    ]


def misses(rows: Sequence[Row], people: People) -> Table:
    """Share of missed trials in each condition and response-time block, with intervals over observers."""
    return [
        {
            "condition": condition,
            "response_time_block": block + 1,
            "beep_ms": int(BEEP_TIMES[block]),
            "missed_percent": rate.value,
            "low": rate.low,
            "high": rate.high,
            "observers": row.observers,
            "simulated_observers": people.simulated,
        }
        for condition, row in {row.condition: row for row in rows}.items()
        for block, rate in enumerate(miss_rates(row.crowd))
    ]


def misses_wide(rows: Sequence[Row]) -> Table:
    """Missed trials for reading: a row for each condition, a column for each response-time block."""
    return [
        {"condition": condition}
        | {
            f"RT {block + 1}, {int(BEEP_TIMES[block])} ms": with_interval(rate, 0)
            for block, rate in enumerate(miss_rates(row.crowd))
        }
        for condition, row in {row.condition: row for row in rows}.items()
    ]


def notes(rows: Sequence[Row], people: People, match: Exits) -> list[str]:
    """What has to be known to read a comparison: people, misses, images, exits, intervals, measures."""
    counts = {row.evaluation.regime: people.observers(row.evaluation.regime) for row in rows}
    said = ", ".join(f"{count} in {regime}" for regime, count in counts.items())
    who = (
        "SIMULATED observers (made by a program: they say nothing about people)"
        if people.simulated
        else "people"
    )
    left_out = f"excluded: {', '.join(people.named)}" if people.named else "nobody excluded by name"
    where = {
        f"{row.evaluation.network}, {row.evaluation.regime}: {described(row.match, match)}": None
        for row in rows
        if match in FITTED
    }
    affine = {
        f"{row.evaluation.network}, {row.evaluation.regime}: {described(row.affine, Exits.AFFINE)}": None
        for row in rows
        if row.pooled and row.answers.right.shape[1] > 1
    }
    return [
        f"Observers: {said}; {who}; {left_out}; {MISSES[people.misses]}.",
        *people_notes(people, [row.evaluation for row in rows]),
        "Images: only those that somebody answered, and levels that people were shown, enter either side. "
        + "; ".join(_counts(row) for row in rows if row.pooled)
        + ".",
        f"Exits, '{match}': {MEANING[match]}{'. ' + '; '.join(where) if where else ''}.",
        *([f"Affine time, fitted to all images: {'; '.join(affine)}."] if affine else []),
        "Brackets: 95 % confidence intervals. Images are drawn within level, response-time block and category, "
        "jointly for networks and people; observers are drawn too. benchmarks/coverage.py counts how often they hold "
        "the truth.",
        *(f"{measure.label} ({measure.unit}): {measure.meaning}." for measure in MEASURES),
    ]


def _counts(row: Row) -> str:
    out = [
        f"{count:,} {what}"
        for count, what in (
            (row.shared.not_shown, "not shown to these people"),
            (row.shared.not_answered, "missed by everybody"),
        )
        if count
    ]
    trials = f"{row.shared.trials:,} trials"
    if row.shared.trials_elsewhere:
        trials += f", and {row.shared.trials_elsewhere:,} on other images left out"
    left = f" (left out: {', '.join(out)})" if out else ""
    return f"{row.evaluation.network}, {row.condition}: {row.images:,} images{left}, {trials}"


def comparison_markdown(
    rows: Sequence[Row], people: People, match: Exits, found: Sequence[Difference] = ()
) -> str:
    """The whole comparison as a Markdown page."""
    listed = "".join(f"- {note}\n" for note in notes(rows, people, match))
    tables = [as_markdown(comparison_wide(rows, keys)) for keys in (CURVES, AGREEMENT)]
    if found:
        tables.append("Differences of networks:\n\n" + as_markdown(differences_wide(found)))
    tables.append(
        "Missed trials (%), by condition and response-time block:\n\n" + as_markdown(misses_wide(rows))
    )
    return f"# Networks and {people.noun}\n\n" + "\n".join(tables) + f"\n{listed}"


def people_accuracies(rows: Sequence[Row], people: People) -> Table:
    """People's accuracy by response time, with the network's at the exit matched to it."""
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            "response_time_block": block + 1,
            "beep_ms": int(BEEP_TIMES[block]),
            "people_percent": row.people[block].value,
            "people_low": row.people[block].low,
            "people_high": row.people[block].high,
            "observers": row.observers,
            "simulated_observers": people.simulated,
            "misses": people.misses,
            "time_step": float(row.where[block]) + 1,
            "network_percent": row.network[block].value,
            "network_low": row.network[block].low,
            "network_high": row.network[block].high,
            "difference_points": row.difference[block].value,
            "difference_low": row.difference[block].low,
            "difference_high": row.difference[block].high,
        }
        for row in rows
        for block in range(len(BEEP_TIMES))
    ]


def network_curves(rows: Sequence[Row]) -> Table:
    """Networks' accuracy at every time step on the images compared with people.

    `milliseconds` is the time step mapped to people's mean response times (`Exits.AFFINE`), fitted to all images.
    """
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            "time_step": step + 1,
            "multiply_adds": int(row.evaluation.multiply_adds[step]),
            "milliseconds": row.affine.delay + row.affine.speed * (step + 1),
            "accuracy_percent": one.value,
            "low": one.low,
            "high": one.high,
            "images": row.images,
        }
        for row in rows
        for step, one in enumerate(
            accuracy_estimates(row.answers.right, row.answers.levels, row.answers.blocks, row.answers.labels)
        )
    ]


def network_images(rows: Sequence[Row]) -> Table:
    """What each network's comparison was computed from, a row for each image; one condition holds all levels."""
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            "file_name": name,
            "response_time_block": block + 1,
            "level": level,
            "category": CATEGORIES[label],
            "score": score,
            "affine_score": affine,
            **{f"correct_step{step + 1}": int(right) for step, right in enumerate(steps)},
        }
        for row in rows
        if row.pooled
        for (block, name), level, label, score, affine, steps in zip(
            trial_keys(row.answers),
            row.answers.levels,
            row.answers.labels,
            row.contrast.network,
            row.affine_score,
            row.answers.right,
            strict=True,
        )
    ]


def people_trials(rows: Sequence[Row], people: People) -> Table:
    """What each condition's comparison was computed from on people's side, a row for each trial."""
    table: Table = []
    for condition, row in {row.condition: row for row in rows if row.pooled}.items():
        crowd, keys = row.crowd, trial_keys(row.answers)
        for place, observer in enumerate(crowd.observers):
            shown = ~np.isnan(crowd.scores[place]) | crowd.missed[place]
            for image in np.flatnonzero(shown):
                block, name = keys[image]
                answer = crowd.answers[place, image]
                table.append(
                    {
                        "condition": condition,
                        "observer": observer,
                        "file_name": name,
                        "response_time_block": block + 1,
                        "level": row.answers.levels[image],
                        "category": CATEGORIES[row.answers.labels[image]],
                        "answer": CATEGORIES[answer] if answer >= 0 else "",
                        "missed": bool(crowd.missed[place, image]),
                        "score": crowd.scores[place, image],
                        "correct": crowd.correct[place, image],
                        "response_time_ms": crowd.times[place, image],
                        "simulated_observers": people.simulated,
                    }
                )
    return table


def categories(rows: Sequence[Row], people: People) -> Table:
    """Accuracy by category, of people and of networks at the exits matched to people's response times."""
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            "category": CATEGORIES[label],
            "people_percent": theirs.value,
            "people_low": theirs.low,
            "people_high": theirs.high,
            "simulated_observers": people.simulated,
            "network_percent": ours.value,
            "network_low": ours.low,
            "network_high": ours.high,
        }
        for row in rows
        for label, (theirs, ours) in enumerate(
            zip(row.people_categories, row.network_categories, strict=True)
        )
    ]
