"""Comparison of runs with observers, written as tables by `convrnn compare`."""

from collections.abc import Callable, Sequence
from pathlib import Path

from convrnn_data.base.atomic import write_file
from convrnn_experiments.comparison.accuracy_rows import compare_accuracies
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.contenders import contender_differences, contenders, with_seeds
from convrnn_experiments.comparison.differences import differences
from convrnn_experiments.comparison.joint_table import require_format, write_joint_table
from convrnn_experiments.comparison.observer_group import ObserverGroup, read_observer_group
from convrnn_experiments.comparison.options import ComparisonOptions
from convrnn_experiments.comparison.seed_groups import seed_rows
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.report import comparison_tables, observer_tables, seed_tables
from convrnn_experiments.report.comparison_page import comparison_markdown
from convrnn_experiments.report.formats import as_csv
from convrnn_experiments.rows.read import read_rows


def write_comparison(
    networks: Sequence[str | Path],
    human: Path,
    out: Path,
    options: ComparisonOptions,
    warn: Callable[[str], None],
    *,
    trials: Path | None = None,
) -> str:
    """Write `comparison.md` and its tables.

    Args:
        networks: Networks, as `read_rows` takes them.
        human: Folder of the observers' answers.
        out: Folder for the files.
        options: Options of the comparison.
        warn: Prints problems of the answers.
        trials: File for the joint table of trials, .csv or .parquet; see `joint_table`.

    Returns:
        Text of `comparison.md`.

    Raises:
        ConvRNNError: A run or the answers cannot be read, the folder cannot be written to, or `trials` has another
            suffix.
    """
    _require_writable(out, trials)
    evaluations, accuracies = read_rows(networks)
    group = read_observer_group(
        human,
        exclusions=options.exclude or (),
        misses=options.misses,
        seed=options.seed,
        max_unreadable=options.max_unreadable,
    )
    rows = compare(evaluations, group, match=options.exits, seed=options.seed, workers=options.workers)
    _warn_of_losses(group, warn)
    pairs = differences(rows, seed=options.seed)
    others = compare_accuracies(accuracies, group)
    seeds = seed_rows(evaluations, rows)
    found = contenders(rows)
    between_seeds = with_seeds(found, contender_differences(found, pairs))
    page = comparison_markdown(rows, group, options.exits, pairs, others, seeds, between_seeds)
    files = {
        "comparison.csv": as_csv(comparison_tables.comparison(rows, group, options.exits, others)),
        "differences.csv": as_csv(comparison_tables.differences(pairs)),
        "seeds.csv": as_csv(seed_tables.seeds(seeds)),
        "seed_differences.csv": as_csv(comparison_tables.differences(between_seeds)),
        "misses.csv": as_csv(observer_tables.misses(rows, group)),
        "compared.csv": as_csv(comparison_tables.compared(rows)),
        "comparison.md": page.encode("utf-8"),
    }
    for name, data in files.items():
        write_file(out / name, data, make_folder=True)
    if trials is not None:
        write_joint_table(evaluations, group, trials)
    return page


def _require_writable(out: Path, trials: Path | None) -> None:
    if trials is not None:
        require_format(trials)
    if out.exists() and not out.is_dir():
        raise ConvRNNError(
            f"cannot write {out}: --out must be a folder, got a file. Choose another folder with --out"
        )


def _warn_of_losses(group: ObserverGroup, warn: Callable[[str], None]) -> None:
    """Print the problems of the answers, and the number of trials that are a network's."""
    for problem in group.table.attrs["problems"]:
        warn(str(problem))
    if networks := group.table.attrs["networks"]:
        warn(
            f"{group.folder}: {sum(networks.values()):,} trials of networks in {len(networks):,} files are "
            "not human answers; left out."
        )
