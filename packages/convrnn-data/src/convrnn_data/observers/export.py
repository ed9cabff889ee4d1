"""Human answers in the form that other programs read, with counts of what was found and left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.observers.conventions import MAX_UNREADABLE
from convrnn_data.observers.long_table import count_flags, long_table, write_long_table
from convrnn_data.observers.reading import Reading
from convrnn_data.observers.sessions import Problem
from convrnn_data.observers.table import session_table
from convrnn_data.observers.trial_files import write_trial_csvs

LAYOUTS = ("table", "trials")


@dataclass(frozen=True)
class Exported:
    """Result of `export_answers`.

    Attributes:
        problems: Found in the answers.
        heading: "" and the experiments.
        counts: Numbers of observers, of trials and of each flag, as text: the name and the number by experiment.
        summary: What was written and what is not in it, in sentences.
    """

    problems: Sequence[Problem]
    heading: tuple[str, ...]
    counts: list[tuple[str, ...]]
    summary: list[str]


def export_answers(
    answers: Path, out: Path, layout: str = "table", *, max_unreadable: float = MAX_UNREADABLE
) -> Exported:
    """Write all trials of human answers.

    Args:
        answers: File, archive or folder, as for `table.read_observers`.
        out: A CSV for the layout "table" of `long_table`; a new folder for "trials", the trial CSVs of `trial_files`.
        layout: One of `LAYOUTS`.
        max_unreadable: Largest share of trials, and of sessions, that may be unreadable.

    Raises:
        ConvRNNError: The answers cannot be read, or `out` cannot be written.
    """
    if layout == "table" and out.is_dir():
        raise ConvRNNError(
            f"cannot write {out}: it must be a file name, got a folder. Give a name such as {out}/trials.csv"
        )
    table, reading = long_table(answers, max_unreadable=max_unreadable)
    if layout == "table":
        write_long_table(table, out)
        written = (
            f"{out}: {len(table):,} trials of {len(reading.kept):,} sessions, {table['used'].sum():,} used."
        )
    else:
        kept = session_table(reading.kept)
        files = write_trial_csvs(kept, out)
        written = f"{out}: {len(kept):,} trials in {len(files):,} files."
    counts = count_flags(table).set_index("experiment")
    heading = ("", *(str(experiment) or "unknown" for experiment in counts.index))
    rows = [(str(name).replace("_", " "), *map("{:,}".format, counts[name])) for name in counts]
    return Exported(reading.problems, heading, rows, [*_left_out(reading), written])


def _left_out(reading: Reading) -> list[str]:
    lines = []
    if reading.unreadable_sessions:
        lines.append(f"left out: {reading.unreadable_sessions:,} sessions that cannot be read")
    if reading.networks:
        trials = sum(reading.networks.values())
        lines.append(f"left out: {trials:,} trials of networks in {len(reading.networks):,} files")
    return lines
