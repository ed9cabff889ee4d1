"""Command `convrnn power`: a plan of images, observers and seeds as a table."""

from collections.abc import Sequence
from pathlib import Path

from convrnn_data.base.atomic import write_file
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.comparison.options import ComparisonOptions, PowerOptions
from convrnn_experiments.comparison.power_plan import Plan, plans
from convrnn_experiments.report.formats import as_csv, as_markdown, fixed
from convrnn_experiments.rows.read import read_rows

_NEVER = "no number"


def write_plan(
    rows: Sequence[str | Path],
    human: Path,
    out: Path | None,
    wanted: PowerOptions,
    options: ComparisonOptions,
) -> str:
    """Plan an experiment by the variances of compared networks and observers.

    Args:
        rows: Networks, as `read_rows` takes them.
        human: Folder of the observers' answers.
        out: CSV file to write; None for none.
        wanted: What the experiment is to find.
        options: Options of the comparison.

    Returns:
        The plan as a Markdown table with notes.

    Raises:
        ConvRNNError: A row or the answers cannot be read, or the file cannot be written.
    """
    group = read_observer_group(
        human,
        exclusions=options.exclude or (),
        misses=options.misses,
        seed=options.seed,
        max_unreadable=options.max_unreadable,
    )
    compared = compare(
        read_rows(rows).evaluations, group, match=options.exits, seed=options.seed, workers=options.workers
    )
    found = plans(
        compared,
        difference=wanted.difference,
        wanted=wanted.target_power,
        seed_sd=wanted.seed_sd,
        seeds=wanted.seeds,
    )
    if out is not None:
        write_file(out, as_csv([vars(plan) for plan in found]), make_folder=True)
    return f"{as_markdown([_wide(plan) for plan in found])}\n{_notes(wanted, simulated=group.simulated)}"


def _wide(plan: Plan) -> dict[str, str]:
    return {
        "condition": plan.condition,
        "difference": f"{plan.network} − {plan.reference}",
        "measure": plan.measure,
        "in the data (points)": fixed(plan.observed),
        "images, observers": f"{plan.images}, {plan.observers}",
        "their power (%)": fixed(100 * plan.power, 0),
        "they find (points)": fixed(plan.smallest),
        "images needed": _number(plan.images_needed),
        "observers needed": _number(plan.observers_needed),
        "seeds needed": _number(plan.seeds_needed),
    }


def _number(needed: int | None) -> str:
    return _NEVER if needed is None else f"{needed:,}"


def _notes(wanted: PowerOptions, *, simulated: bool) -> str:
    notes = [
        f"Difference to find: {wanted.difference:g} points, with a power of {100 * wanted.target_power:g} % in a "
        "two-sided test at 5 %. Each number needed leaves the other two as they are.",
        f"Training seeds: {wanted.seeds} for each network, with a standard deviation of {wanted.seed_sd:g} points "
        + (
            "between them."
            if wanted.seed_sd
            else "between them: differences hold for these trained networks."
        ),
        "Accuracy is averaged over response-time blocks at the matched exits; steepness is the slope over all time "
        "steps.",
        "Variances of images, observers and trials are those of the data; benchmarks/power_simulation.py compares "
        "predicted with simulated power.",
    ]
    if simulated:
        notes.insert(0, "The observers are SIMULATED: their variances say nothing about humans.")
    return "".join(f"- {note}\n" for note in notes)
