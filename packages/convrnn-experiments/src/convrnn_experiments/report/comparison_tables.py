"""Tables of the comparison of networks and humans."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison.accuracy_rows import AccuracyComparison
from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES
from convrnn_experiments.comparison.differences import Difference
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.comparison.observer_group import ObserverGroup, trial_keys
from convrnn_experiments.comparison.rater_consistency import (
    rater_consistency,
    rater_consistency_errors,
    same_images,
)
from convrnn_experiments.evaluation.accuracy import accuracy_estimates
from convrnn_experiments.report.formats import Table, ends, fixed, whole, with_interval
from convrnn_experiments.statistics.ceilings import NO_CEILING, Ceiling
from convrnn_experiments.statistics.intervals import NORMAL, UNDEFINED

CURVES = ("sat_rmse", "sat_rmse_raw", "sat_rmse_floor", "sat_rmse_affine", "steepness_network", "steepness_people",
          "steepness_difference")  # fmt: skip
"""Measures in the first table of the page."""
AGREEMENT = ("category_correlation", "category_correlation_raw", "category_correlation_ceiling", "error_consistency",
             "error_consistency_people")  # fmt: skip
"""Measures in the second table of the page."""
TIMES = ("response_time_correlation", "response_time_correlation_correct", "response_time_area", "response_time_margin",
         "response_time_accumulator")  # fmt: skip
"""Measures in the third table of the page, with their ceilings."""
SAT = ("sat_asymptote_network", "sat_asymptote_people", "sat_rate_network", "sat_rate_people", "sat_intercept_network",
       "sat_intercept_people", "accuracy_range_network", "accuracy_range_people")  # fmt: skip
"""Measures in the fourth table of the page."""
ONLY_IN_FILES = ("sat_rate_network_cost", "sat_intercept_network_cost")
"""Measures in CSV files only, for which the page does not have space."""
SHOWN_DIFFERENCES = ("sat_rmse", "category_correlation", "steepness_network", "error_consistency",
                     "response_time_correlation", "accuracy_range_network")  # fmt: skip
"""Measures in the table of differences between networks."""
SIGNIFICANT = 0.05
"""Corrected p-values below this call a difference."""


def comparison(
    rows: Sequence[Comparison], group: ObserverGroup, match: Exits, others: Sequence[AccuracyComparison] = ()
) -> Table:
    """Tabulate all measures, a row per network, condition and measure; `others` lack those that need images."""
    return [
        {
            "network": row.evaluation.network,
            "trained_on": row.evaluation.source.trained_on,
            "condition": row.condition,
            "measure": measure.key,
            "value": row.estimates[measure.key].value,
            **ends(row.estimates[measure.key]),
            **_ceiling(row.found.ceilings.get(measure.key, NO_CEILING)),
            "reason": row.found.reasons.get(measure.key, ""),
            "unit": measure.unit,
            "images": row.image_count,
            "observers": row.observer_count,
            "level_blocks": row.cell_count,
            "simulated_observers": group.simulated,
            "exits": str(match),
            "matched_steps": " ".join(f"{position + 1:g}" for position in row.positions),
            "misses": group.misses,
            "left_out": " ".join(group.exclusions),
        }
        for row in rows
        for measure in MEASURES
    ] + [
        {
            "network": other.network,
            "trained_on": "not known",
            "condition": other.condition,
            "measure": measure.key,
            "value": other.values.get(measure.key, np.nan),
            **ends(UNDEFINED),
            **_ceiling(NO_CEILING),
            "reason": "",
            "unit": measure.unit,
            "images": whole(other.images),
            "observers": other.observers,
            "level_blocks": other.level_blocks,
            "simulated_observers": group.simulated,
            "exits": str(Exits.INDEX),
            "matched_steps": " ".join(str(block + 1) for block in range(len(BEEP_TIMES))),
            "misses": group.misses,
            "left_out": " ".join(group.exclusions),
        }
        for other in others
        for measure in MEASURES
    ]


def _ceiling(ceiling: Ceiling) -> dict[str, float]:
    """Return the columns of a ceiling."""
    return {
        "ceiling_halves": ceiling.halves.value,
        "ceiling_halves_low": ceiling.halves.low,
        "ceiling_halves_high": ceiling.halves.high,
        "ceiling_observer": ceiling.observer.value,
        "ceiling_observer_low": ceiling.observer.low,
        "ceiling_observer_high": ceiling.observer.high,
    }


def ceilings_wide(rows: Sequence[Comparison]) -> Table:
    """Tabulate ceilings for reading: two rows per condition, on the images of the network with the most."""
    measures = {measure.key: measure for measure in MEASURES}
    table: Table = []
    for condition, members in by_condition(rows).items():
        ceilings = max(members, key=lambda row: row.image_count).found.ceilings
        keys = [key for key in (*CURVES, *AGREEMENT, *TIMES[:2]) if key in ceilings]
        for name, kind in (
            ("halves", "halves of the observers"),
            ("observer", "one observer and the others"),
        ):
            cells = {
                measures[key].label: with_interval(getattr(ceilings[key], name), measures[key].digits)
                for key in keys
            }
            table.append({"condition": condition, "agreement of": kind, **cells})
    return table


def comparison_wide(
    rows: Sequence[Comparison], keys: Sequence[str] | None = None, others: Sequence[AccuracyComparison] = ()
) -> Table:
    """Tabulate measures for reading: a row per network and condition, a column per measure."""
    selected = [measure for measure in MEASURES if keys is None or measure.key in keys]
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            **{
                measure.label: with_interval(
                    row.estimates[measure.key], measure.digits, interval=measure.interval
                )
                for measure in selected
            },
        }
        for row in rows
    ] + [
        {
            "network": other.network,
            "condition": other.condition,
            **{
                measure.label: fixed(other.values.get(measure.key, np.nan), measure.digits)
                for measure in selected
            },
        }
        for other in others
    ]


def differences(pairs: Sequence[Difference]) -> Table:
    """Tabulate paired differences between networks, a row per pair, condition and measure."""
    return [
        {
            "condition": pair.condition,
            "network": pair.network,
            "less_network": pair.reference,
            "measure": pair.measure,
            "difference": pair.estimate.value,
            **ends(pair.estimate),
            "p_value": pair.p_value,
            "p_holm": pair.corrected,
        }
        for pair in pairs
    ]


def differences_wide(pairs: Sequence[Difference]) -> Table:
    """Tabulate paired differences for reading: a row per pair and condition, a column per measure.

    An asterisk marks a difference whose p-value with Holm's correction is below 0.05.
    """
    measures = {measure.key: measure for measure in MEASURES}
    table: dict[tuple[str, str, str], dict[str, Any]] = {}
    for pair in pairs:
        if pair.measure not in SHOWN_DIFFERENCES:
            continue
        key = pair.condition, pair.network, pair.reference
        head = {"condition": pair.condition, "networks": f"{pair.network} − {pair.reference}"}
        measure = measures[pair.measure]
        star = "*" if pair.corrected < SIGNIFICANT else ""
        table.setdefault(key, head)[measure.label] = with_interval(pair.estimate, measure.digits) + star
    return list(table.values())


def compared(rows: Sequence[Comparison]) -> Table:
    """Count the images and trials that each comparison includes and leaves out."""
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            "images_tested": row.image_count + row.shared.not_shown + row.shared.not_answered,
            "not_shown_to_people": row.shared.not_shown,
            "answered_by_nobody": row.shared.not_answered,
            "images_compared": row.image_count,
            "observers": row.observer_count,
            "trials_compared": row.shared.trials,
            "trials_on_other_images": row.shared.trials_elsewhere,
        }
        for row in rows
    ]


def curves(rows: Sequence[Comparison], group: ObserverGroup) -> Table:
    """Tabulate human accuracy by response time, and network accuracy at the matched exit."""
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            "response_time_block": block + 1,
            "beep_ms": int(BEEP_TIMES[block]),
            "people_percent": row.human[block].value,
            "people_low": row.human[block].low,
            "people_high": row.human[block].high,
            "observers": row.observer_count,
            "simulated_observers": group.simulated,
            "misses": group.misses,
            "time_step": float(row.positions[block]) + 1,
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


def network_curves(rows: Sequence[Comparison]) -> Table:
    """Tabulate the accuracy of networks at every time step, on the images compared with humans.

    `milliseconds` is the time step mapped to mean human response times (`Exits.AFFINE`), fitted to all images.
    """
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            "time_step": step + 1,
            "multiply_adds": whole(row.evaluation.multiply_adds[step]),
            "milliseconds": row.affine.delay + row.affine.speed * (step + 1),
            "accuracy_percent": accuracy.value,
            **ends(accuracy),
            "images": row.image_count,
        }
        for row in rows
        for step, accuracy in enumerate(
            accuracy_estimates(row.answers.right, row.answers.levels, row.answers.blocks, row.answers.labels)
        )
    ]


def network_images(rows: Sequence[Comparison]) -> Table:
    """List every image of each comparison, a row per image; one condition contains all levels."""
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


def categories(rows: Sequence[Comparison], group: ObserverGroup) -> Table:
    """Tabulate accuracy by category, for humans and for networks at the exits matched to the response-time blocks."""
    return [
        {
            "network": row.evaluation.network,
            "condition": row.condition,
            "category": CATEGORIES[label],
            "people_percent": human.value,
            "people_low": human.low,
            "people_high": human.high,
            "simulated_observers": group.simulated,
            "network_percent": network.value,
            "network_low": network.low,
            "network_high": network.high,
        }
        for row in rows
        for label, (human, network) in enumerate(
            zip(row.human_categories, row.network_categories, strict=True)
        )
    ]


def consistency(rows: Sequence[Comparison]) -> Table:
    """Tabulate the error consistency of every pair of raters, networks first, with intervals over images.

    Networks tested on other images of a condition have rows of their own, with the observers on these images.
    """
    table: Table = []
    for group in same_images(rows):
        names = [*(row.evaluation.network for row in group), *group[0].observers.ids]
        matrix, errors = rater_consistency(group), rater_consistency_errors(group)
        for a, b in zip(*np.triu_indices(len(names), k=1), strict=True):
            half = NORMAL * errors[a, b]
            table.append(
                {
                    "condition": group[0].condition,
                    "one": names[a],
                    "other": names[b],
                    "kappa": matrix[a, b],
                    "low": matrix[a, b] - half,
                    "high": matrix[a, b] + half,
                    "images": group[0].image_count,
                }
            )
    return table


def by_condition(rows: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Group rows by condition, in order."""
    groups: dict[str, list[Comparison]] = {}
    for row in rows:
        groups.setdefault(row.condition, []).append(row)
    return groups
