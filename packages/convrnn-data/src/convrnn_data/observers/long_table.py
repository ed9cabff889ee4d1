"""Long table of all trials for other programs, such as R: every reason for leaving a trial out is a column.

| column | |
|---|---|
| observer, experiment | as in `observers.table` |
| session | sitting, from 1; in SATBench's experiments, the block from 1 |
| block, beep, order, trial | as in `observers.table`; missing values in experiments without blocks |
| file_name, image_name | stimulus: the same for every observer, and the file that was shown |
| category, level, response, correct | as in `observers.table` |
| response_time, duration | ms |
| missed | without a response; counts in accuracies |
| practice | among the first 10 trials of a block |
| late | answered, but not within 250 ms after the beep |
| unreadable | the trial was found, but cannot be read: cells other than observer, experiment and block may be missing |
| repeated_session | the observer has another, longer or earlier, session with the same block |
| incomplete_session | the session lacks blocks or trials; counts in accuracies |
| excluded_satbench | the observer is on the list of SATBench's authors |
| used | neither practice, late, unreadable nor repeated: the trials that `convrnn compare` uses |
| tutorial_accuracy | as in `observers.table` |
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from convrnn_data.base.atomic import atomic_file
from convrnn_data.base.csv_pieces import append_csv
from convrnn_data.observers.conventions import MAX_UNREADABLE
from convrnn_data.observers.exclusions import EXCLUSIONS
from convrnn_data.observers.reading import Reading, read_sessions
from convrnn_data.observers.sessions import Session
from convrnn_data.observers.table import has_blocks, session_table

FLAGS = (
    *("missed", "practice", "late", "unreadable", "repeated_session", "incomplete_session"),
    *("excluded_satbench", "used"),
)
"""Columns that are true or false in every row."""

COLUMNS = (
    *("observer", "experiment", "session", "block", "beep", "order", "trial", "file_name", "image_name"),
    *("category", "level", "response", "correct", "response_time", "duration", *FLAGS, "tutorial_accuracy"),
)
_LEFT_OUT = ["practice", "late", "unreadable", "repeated_session"]
_INTEGERS = ["session", "block", "beep", "order", "trial"]
_LINES_AT_ONCE = 100_000


def long_table(
    paths: str | Path | Iterable[str | Path], *, max_unreadable: float = MAX_UNREADABLE
) -> tuple[pd.DataFrame, Reading]:
    """Read all trials at some paths, including those that `read_observers` leaves out.

    Args:
        paths: As for `table.read_observers`.
        max_unreadable: Largest share of trials, and of sessions, that may be unreadable.

    Returns:
        Table with the columns of the module's docstring, sorted by observer, experiment, repeated_session, session and
        trial; and the sessions, with the problems found.

    Raises:
        ConvRNNError: As `table.read_observers`.
    """
    reading = read_sessions(paths, max_unreadable=max_unreadable)
    parts = [
        _rows(reading.kept, repeated=False),
        _rows(reading.repeated, repeated=True),
        _unreadable([*reading.kept, *reading.unread], repeated=False),
        _unreadable(reading.repeated, repeated=True),
    ]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    keys = pd.MultiIndex.from_frame(table[["observer", "experiment"]])
    table["incomplete_session"] = keys.isin(list(reading.incomplete)) & ~table["repeated_session"]
    excluded = [(observer, name) for name, ids in EXCLUSIONS["satbench"].items() for observer in ids]
    table["excluded_satbench"] = keys.isin(excluded)
    table["used"] = ~table[_LEFT_OUT].any(axis=1)
    table.loc[~has_blocks(table) & table["experiment"].notna(), ["block", "beep", "order"]] = np.nan
    table = table[list(COLUMNS)].astype(dict.fromkeys(_INTEGERS, "Int64") | dict.fromkeys(FLAGS, "bool"))
    by = ["observer", "experiment", "repeated_session", "session", "trial"]
    return table.sort_values(by, ignore_index=True, kind="stable"), reading


def _rows(sessions: Sequence[Session], *, repeated: bool) -> pd.DataFrame:
    if not sessions:
        return pd.DataFrame()
    table = session_table(sessions, further=True)
    return table.assign(
        correct=table["correct"].astype("boolean"),
        late=~table["in_time"],
        unreadable=False,
        repeated_session=repeated,
    )


def _unreadable(sessions: Sequence[Session], *, repeated: bool) -> pd.DataFrame:
    """Arrange unreadable trials as rows with the cells that are known."""
    rows = [
        {
            "observer": session.observer or None,
            "experiment": experiment or None,
            "level": level or None,
            "block": block if block >= 0 else None,
            "session": block + 1 if block >= 0 else None,
            "unreadable": True,
            "repeated_session": repeated,
        }
        for session in sessions
        for (experiment, level, block), count in session.unreadable.items()
        for _ in range(count)
    ]
    return pd.DataFrame(rows).assign(missed=False, practice=False, late=False) if rows else pd.DataFrame()


def write_long_table(table: pd.DataFrame, out: Path) -> None:
    """Write a long table as CSV: UTF-8, atomically, with TRUE, FALSE and NA, which R and pandas recognise.

    Raises:
        ConvRNNError: The file cannot be written.
    """
    with (
        atomic_file(out, make_folder=True) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        for start in range(0, max(len(table), 1), _LINES_AT_ONCE):
            piece = table.iloc[start : start + _LINES_AT_ONCE]
            append_csv(piece, file, header=start == 0)


def count_flags(table: pd.DataFrame) -> pd.DataFrame:
    """Count observers, trials and each flag by experiment; a trial may have several flags.

    Returns:
        Columns experiment (empty if unknown), observers, trials, and those of `FLAGS`.
    """
    groups = table.assign(experiment=table["experiment"].fillna("")).groupby("experiment")
    counts = groups[list(FLAGS)].sum()
    counts.insert(0, "trials", groups.size())
    counts.insert(0, "observers", groups["observer"].nunique())
    return counts.reset_index()
