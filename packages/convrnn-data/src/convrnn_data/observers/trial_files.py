"""Writer of trial CSVs, the format in which answers of people and of networks are exchanged (`human.trial_csv`)."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from convrnn_data.base.atomic import atomic_folder
from convrnn_data.human.stimuli import EXPERIMENTS
from convrnn_data.human.trial_csv import Trial, file_name_of, format_trial_csv
from convrnn_data.observers.stimulus_names import named_stimulus
from convrnn_data.observers.trial_sessions import FURTHER


def write_trial_csvs(table: pd.DataFrame, out: Path) -> list[Path]:
    """Write a table of trials as trial CSVs, a file for each observer, experiment and block or sitting.

    `read_observers(out, all_trials=True)` reads the same table, if it holds all trials. Answers to SATBench's stimuli
    have three columns more than published files, `order`, `duration` and `tutorial_accuracy`; their sessions are the
    blocks from 1, and `imagename` ends in the block, since images of two blocks may share a name.

    Args:
        table: Table from `read_observers`.
        out: A new folder, written atomically.

    Returns:
        Paths of the files, sorted.

    Raises:
        ConvRNNError: `out` exists already and is not empty, or cannot be written.
    """
    files: dict[str, str] = {}
    sessions = table["session"] if "session" in table else table["block"] + 1
    keys = ["experiment", "observer", "session"]
    for (experiment, observer, session), rows in table.assign(session=sessions).groupby(keys):
        more = FURTHER if experiment in EXPERIMENTS else ()
        name = file_name_of(str(experiment), str(observer), int(str(session)))
        files[name] = format_trial_csv(_trials(rows.sort_values("trial"), further=bool(more)), more)
    with atomic_folder(out) as folder:
        for name, text in files.items():
            (folder / name).write_bytes(text.encode())
    return sorted(out / name for name in files)


def _trials(rows: pd.DataFrame, *, further: bool) -> Iterator[Trial]:
    for row in rows.itertuples(index=False):
        trial: Any = row
        yield Trial(
            0,
            trial.observer,
            int(trial.session),
            trial.trial + 1,
            _time(trial, further=further),
            None if trial.missed else trial.response,
            trial.category,
            trial.level,
            _image(trial, further=further),
            (str(trial.order), _text(trial.duration), _text(trial.tutorial_accuracy)) if further else (),
        )


def _time(trial: Any, *, further: bool) -> float | None:
    """Return the time for `rt`; that of a missed trial is written only if the file lacks a column `duration`."""
    time = trial.duration if trial.missed and not further else trial.response_time
    return None if math.isnan(time) else float(time)


def _image(trial: Any, *, further: bool) -> str:
    if not further:
        return str(trial.image_name)
    stimulus = named_stimulus(trial.file_name)
    assert stimulus is not None
    return stimulus.in_block(trial.block)


def _text(number: float) -> str:
    return "" if math.isnan(number) else repr(float(number))
