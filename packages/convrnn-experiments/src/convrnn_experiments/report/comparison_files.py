"""Compare runs with observers and write the tables, as `convrnn compare` does."""

from collections.abc import Callable, Sequence
from pathlib import Path

from convrnn_experiments.comparison import compare as comparing
from convrnn_experiments.comparison.observer_group import read_people
from convrnn_experiments.comparison.options import ComparisonOptions
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import comparison_tables
from convrnn_experiments.report.tables import as_csv
from convrnn_experiments.runs.folder import written


def write_comparison(
    runs: Sequence[Path],
    human: Path,
    out: Path,
    options: ComparisonOptions,
    warn: Callable[[str], None],
) -> str:
    """Write `comparison.md` and its tables.

    Args:
        runs: evaluated runs.
        human: folder of the observers' answers.
        out: folder of the files.
        options: how networks and observers are compared.
        warn: prints problems of the answers.

    Returns:
        The text of `comparison.md`.

    Raises:
        ConvRNNError: a run or the answers cannot be read, or the folder cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise ConvRNNError(
            f"cannot write {out}: --out must be a folder, got a file. Choose another folder with --out"
        )
    evaluations = read_evaluations(runs)
    observers = read_people(
        human,
        named=options.exclude or (),
        misses=options.misses,
        seed=options.seed,
        max_unreadable=options.max_unreadable,
    )
    rows = comparing.compare(evaluations, observers, match=options.exits, seed=options.seed)
    for problem in observers.table.attrs["problems"]:
        warn(str(problem))
    differences = comparing.differences(rows)
    page = comparison_tables.comparison_markdown(rows, observers, options.exits, differences)
    files = {
        "comparison.csv": as_csv(comparison_tables.comparison(rows, observers, options.exits)),
        "differences.csv": as_csv(comparison_tables.differences(differences)),
        "misses.csv": as_csv(comparison_tables.misses(rows, observers)),
        "compared.csv": as_csv(comparison_tables.compared(rows)),
        "comparison.md": page.encode("utf-8"),
    }
    for name, data in files.items():
        with written(out / name) as temporary:
            temporary.write_bytes(data)
    return page
