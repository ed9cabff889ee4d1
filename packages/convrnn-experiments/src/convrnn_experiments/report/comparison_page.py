"""Markdown page of the comparison, with explanatory notes."""

from collections.abc import Sequence

from convrnn_data.observers.conventions import MISSES
from convrnn_experiments.comparison.accuracy_rows import AccuracyComparison
from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.differences import Difference
from convrnn_experiments.comparison.exits import FITTED, MEANING, Exits, describe
from convrnn_experiments.comparison.observer_group import ObserverGroup
from convrnn_experiments.comparison.seed_groups import SeedRow
from convrnn_experiments.report.comparison_tables import (
    AGREEMENT,
    CURVES,
    SAT,
    TIMES,
    ceilings_wide,
    comparison_wide,
    differences_wide,
)
from convrnn_experiments.report.formats import as_markdown
from convrnn_experiments.report.observer_tables import misses_wide, observer_notes
from convrnn_experiments.report.seed_tables import SEED_DIFFERENCE_NOTE, SEED_NOTE, seeds_wide
from convrnn_experiments.rows.accuracies import REASON

SAT_NOTE = (
    "SAT function: accuracy(t) = chance + (asymptote - chance) (1 - exp(-rate (t - intercept))) for t above the "
    "intercept, else chance (Wickelgren 1977), fitted by generalised least squares; chance is 1/16, or 0 for humans "
    "where missed trials are scored as wrong."
)
CEILING_NOTE = (
    "Agreement among observers: of two samples as large as the whole one, from halves (correlations are stepped up by "
    "the Spearman-Brown formula; distances are those of the halves), and of one observer with the mean of the others. "
    "A network that scores as one observer does agrees with humans as well as a further observer would. Error "
    "consistency is between two raters, so it has the second form only."
)
DIFFERENCE_NOTE = (
    "Networks are compared with each other by paired differences, on the same images and observers. An asterisk marks "
    "p < 0.05 with Holm's "
    "correction over the pairs of networks in the condition and measure; differences.csv has all measures and p-values."
)


def comparison_markdown(
    rows: Sequence[Comparison],
    group: ObserverGroup,
    match: Exits,
    pairs: Sequence[Difference] = (),
    others: Sequence[AccuracyComparison] = (),
    seeds: Sequence[SeedRow] = (),
    between_seeds: Sequence[Difference] = (),
) -> str:
    """Format the whole comparison.

    Args:
        rows: Comparisons.
        group: Human answers.
        match: Method of matching exits to response times.
        pairs: Paired differences between networks.
        others: Comparisons of networks of which only accuracies are known.
        seeds: Spread over training seeds.
        between_seeds: Differences between groups of seeds, and between groups and networks.
    """
    listed = "".join(f"- {note}\n" for note in notes(rows, group, match, others))
    tables = [as_markdown(comparison_wide(rows, keys, others)) for keys in (CURVES, AGREEMENT, TIMES, SAT)]
    tables.append("Agreement among observers:\n\n" + as_markdown(ceilings_wide(rows)))
    if pairs:
        tables.append("Differences between networks:\n\n" + as_markdown(differences_wide(pairs)))
    if seeds:
        tables.append(f"Spread over training seeds:\n\n{as_markdown(seeds_wide(seeds))}")
        listed = f"- {SEED_NOTE}\n{listed}"
    if between_seeds:
        tables.append(
            f"Differences between networks of several seeds:\n\n{as_markdown(differences_wide(between_seeds))}"
        )
        listed = f"- {SEED_DIFFERENCE_NOTE}\n{listed}"
    tables.append(
        "Missed trials (%), by condition and response-time block:\n\n" + as_markdown(misses_wide(rows))
    )
    return f"# Networks and {group.noun}\n\n" + "\n".join(tables) + f"\n{listed}"


def notes(
    rows: Sequence[Comparison],
    group: ObserverGroup,
    match: Exits,
    others: Sequence[AccuracyComparison] = (),
) -> list[str]:
    """Explain the comparison: observers, misses, images, exits, intervals, measures."""
    return [
        _observers(rows, group),
        *observer_notes(group, [row.evaluation for row in rows]),
        "Images: both sides include only images that at least one observer answered, and levels that observers were "
        f"shown. {'; '.join(_images(rows))}.",
        *_exits(rows, match),
        "Brackets: 95 % confidence intervals. Images are drawn within level, response-time block and category, jointly "
        "for networks and humans; observers are drawn too. benchmarks/interval_coverage.py measures the coverage.",
        *(f"{measure.label} ({measure.unit}): {measure.meaning}." for measure in MEASURES),
        SAT_NOTE,
        *_unfitted(rows),
        CEILING_NOTE,
        DIFFERENCE_NOTE,
        *_dashes(rows, others),
    ]


def _unfitted(rows: Sequence[Comparison]) -> list[str]:
    """Give the reasons for SAT functions that are not determined."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        for who, measure in (
            (row.evaluation.network, "sat_rate_network"),
            ("humans", "sat_rate_people"),
        ):
            if reason := row.found.reasons.get(measure, ""):
                reasons.setdefault(reason, []).append(f"{who}, {row.condition}")
    listed = "; ".join(f"{reason} ({', '.join(dict.fromkeys(which))})" for reason, which in reasons.items())
    return [f"Curves that do not determine a SAT function: {listed}."] if listed else []


def _dashes(rows: Sequence[Comparison], others: Sequence[AccuracyComparison]) -> list[str]:
    """Give the reasons for measures that a network lacks."""
    reasons = {
        f"{row.evaluation.network}: no {what}, because {reason}": None
        for row in rows
        for what, reason in row.evaluation.unavailable.items()
    }
    reasons |= {
        f"{other.network}: only raw RMSE and steepness, without intervals, because {REASON}": None
        for other in others
    }
    return [f"Dashes. {'; '.join(reasons)}."] if reasons else []


def _observers(rows: Sequence[Comparison], group: ObserverGroup) -> str:
    sizes = {row.evaluation.regime: group.size(row.evaluation.regime) for row in rows}
    counts = ", ".join(f"{size} in {regime}" for regime, size in sizes.items())
    kind = (
        "SIMULATED observers (generated by a program: they say nothing about humans)"
        if group.simulated
        else "humans"
    )
    excluded = f"excluded: {', '.join(group.exclusions)}" if group.exclusions else "none excluded by name"
    return f"Observers: {counts}; {kind}; {excluded}; {MISSES[group.misses]}."


def _exits(rows: Sequence[Comparison], match: Exits) -> list[str]:
    fitted = dict.fromkeys(_described(row, match) for row in rows if match in FITTED)
    affine = dict.fromkeys(
        _described(row, Exits.AFFINE) for row in rows if row.pooled and row.answers.right.shape[1] > 1
    )
    return [
        f"Exits, '{match}': {MEANING[match]}{'. ' + '; '.join(fitted) if fitted else ''}.",
        *([f"Affine time, fitted to all images: {'; '.join(affine)}."] if affine else []),
    ]


def _described(row: Comparison, kind: Exits) -> str:
    match = row.affine if kind == Exits.AFFINE else row.match
    return f"{row.evaluation.network}, {row.evaluation.regime}: {describe(match, kind)}"


def _images(rows: Sequence[Comparison]) -> list[str]:
    """Count the images and trials of each condition over all levels, once for all networks with the same counts."""
    conditions: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        if row.pooled:
            same = conditions.setdefault(row.condition, {})
            same.setdefault(_counts(row), []).append(row.evaluation.network)
    listed = []
    for condition, same in conditions.items():
        for counts, networks in same.items():
            which = f" ({', '.join(networks)})" if len(same) > 1 else ""
            listed.append(f"{condition}{which}: {counts}")
    return listed


def _counts(row: Comparison) -> str:
    left_out = [
        f"{count:,} {reason}"
        for count, reason in (
            (row.shared.not_shown, "not shown to these observers"),
            (row.shared.not_answered, "missed by all observers"),
        )
        if count
    ]
    trials = f"{row.shared.trials:,} trials"
    if row.shared.trials_elsewhere:
        trials += f", and {row.shared.trials_elsewhere:,} on other images left out"
    images = f" (left out: {', '.join(left_out)})" if left_out else ""
    return f"{row.image_count:,} images{images}, {trials}"
