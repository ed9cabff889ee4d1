"""Human answers (JATOS results of lab.js rows, and trial CSVs) as one tidy table.

JATOS results are those of SATBench's experiments (Subramanian et al. 2025, doi 10.1167/jov.25.1.4; OSF 2cpmb), and the
simulated ones of the drawn sample. Each JSON array contains the rows of one observer, in the order of recording. An
array without an id that continues the blocks of the previous array belongs to the same observer. Trial CSVs
(`human.trial_csv`) hold answers to the same stimuli, or those of other experiments.

Each row of the table is a trial:

| column | |
|---|---|
| observer | id, as text; ids of simulated observers start with `simulated-` |
| experiment | color_gray, noise or blur, by the file name of the stimulus; else by that of the trial CSV |
| block | 0 (fastest) to 4; 0 in experiments without response-time blocks |
| beep | time from the stimulus to the beep of the block, ms; NaN without blocks |
| trial | position in the block, from 0, including practice |
| order | 1 if blocks were presented from fast to slow, -1 from slow to fast, 0 if not recorded or without blocks |
| file_name | stimulus, as in the human test set; without blocks, the name that it has for every observer |
| category, response | names; `response` is missing in a missed trial |
| level | c, g; 0, 0.04, 0.16; 0, 3, 9: text, as in the file name; without blocks, the condition of the trial CSV |
| correct | whether the response is the category; False in a missed trial |
| score | contribution to accuracy: 1, 0, or, in a missed trial, by the convention of `with_misses` |
| response_time | ms; NaN in a missed trial |
| missed | whether no response was given |
| duration | ms as recorded, including missed trials; NaN if nothing was recorded |
| practice | among the first 10 trials of the block; False without blocks |
| in_time | missed (with any duration), or 0 < response_time <= beep + 250; without blocks, or not response_time <= 0 |
| tutorial_accuracy | share of correct answers in the tutorial after its first 10 trials; NaN without a tutorial |

If any experiment has no blocks, the table has two more columns: `session`, the sitting from 1 (in SATBench's
experiments, the block from 1), and `image_name`, the file name of the image as in the trial CSV.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import CATEGORIES, CHANCE
from convrnn_data.human.experiment import BEEPS, GRACE
from convrnn_data.human.stimuli import EXPERIMENTS
from convrnn_data.observers.conventions import MAX_UNREADABLE, MISSES, Misses
from convrnn_data.observers.reading import read_sessions
from convrnn_data.observers.sessions import PRACTICE_TRIALS, Session, TrialRow

_DTYPES = {
    "observer": "str",
    "experiment": "str",
    "block": "int64",
    "beep": "int64",
    "trial": "int64",
    "order": "int64",
    "file_name": "str",
    "category": "str",
    "level": "str",
    "response": "str",
    "correct": "bool",
    "score": "float64",
    "response_time": "float64",
    "missed": "bool",
    "duration": "float64",
    "practice": "bool",
    "in_time": "bool",
    "tutorial_accuracy": "float64",
}
COLUMNS = tuple(_DTYPES)
_FURTHER = {"session": "int64", "image_name": "str"}
FURTHER_COLUMNS = tuple(_FURTHER)
"""Columns after `COLUMNS` in tables with experiments that have no response-time blocks."""


def read_observers(
    paths: str | Path | Iterable[str | Path],
    *,
    strict: bool = False,
    all_trials: bool = False,
    max_unreadable: float = MAX_UNREADABLE,
) -> pd.DataFrame:
    """Read human answers into one table with a row per trial; the module's docstring describes the columns.

    By the rules of the experiments, the first 10 trials of each block are practice, and a response counts if
    0 < response time <= beep + 250 ms. Experiments without response-time blocks have neither practice nor a deadline.
    Missed trials are kept, without a time, and score 1/16 unless `with_misses` applies another convention. Rows are
    sorted by observer, experiment, block, session and trial.

    Every problem is reported, and its message says whether the data are kept or left out. `table.attrs` has

    * `problems`: a `Problem` each, by file and line;
    * `sessions`: numbers of sessions `found`, `unreadable` and `repeated`;
    * `unreadable`: (experiment, level, block) -> number of unreadable trials, with empty text and -1 for unknown;
    * `networks`: file -> number of trials of a network, whose trial CSVs are left out;
    * `left_out`: numbers of trials left out as `practice` and `out_of_time`.

    Unreadable records and trials are left out. Sessions of one observer in one experiment are joined if they have
    different blocks or sittings; else the shorter is left out, or the later if both are of equal length. Incomplete
    sessions are kept: those with fewer than five blocks, or with a block shorter than usual in the experiment.

    Args:
        paths: JATOS results, trial CSVs, archives of either, or folders of all of these at any depth.
        strict: Treat any problem as an error.
        all_trials: Keep practice trials and late responses.
        max_unreadable: Largest share of trials, and of sessions, that may be unreadable.

    Raises:
        ConvRNNError: A path does not exist, a folder cannot be listed or contains no result, there is no observer, more
            than `max_unreadable` is unreadable, or `strict` and there is a problem.
    """
    reading = read_sessions(paths, strict=strict, max_unreadable=max_unreadable)
    table = session_table(reading.kept)
    table.attrs = {
        "problems": reading.problems,
        "sessions": {
            "found": reading.found,
            "unreadable": reading.unreadable_sessions,
            "repeated": len(reading.repeated),
        },
        "unreadable": reading.unreadable,
        "networks": reading.networks,
    }
    return table if all_trials else scored_trials(table)


def scored_trials(table: pd.DataFrame) -> pd.DataFrame:
    """Drop practice trials and late responses, and count them in `attrs["left_out"]`."""
    scored = ~table["practice"] & table["in_time"]
    left_out = {
        "practice": int(table["practice"].sum()),
        "out_of_time": int((~table["practice"] & ~scored).sum()),
    }
    remaining = table[scored].reset_index(drop=True)
    remaining.attrs = {**table.attrs, "left_out": left_out}
    return remaining


def session_table(sessions: Sequence[Session], *, further: bool = False) -> pd.DataFrame:
    """Arrange the trials of sessions as a table, with the computed columns.

    Args:
        sessions: Sessions with readable trials.
        further: Whether to add `FURTHER_COLUMNS` even if all experiments have blocks.
    """
    table = pd.DataFrame([row for session in sessions for row in session.rows], columns=TrialRow._fields)
    tutorial = [session.tutorial_accuracy for session in sessions]
    table["tutorial_accuracy"] = np.repeat(np.array(tutorial), [len(session.rows) for session in sessions])
    table["correct"] = ~table["missed"] & (table["response"] == table["category"])
    table["score"] = _scores(table, CHANCE)
    in_blocks = has_blocks(table)
    table["practice"] = in_blocks & (table["trial"] < PRACTICE_TRIALS)
    times = table["response_time"]
    in_time = (times > 0) & (times <= table["beep"] + GRACE)
    table["in_time"] = table["missed"] | in_time.where(in_blocks, ~(times <= 0))
    if in_blocks.all() and not further:
        return _sorted(table[list(COLUMNS)].astype(_DTYPES), ["block"])
    table = table[[*COLUMNS, *FURTHER_COLUMNS]].astype({**_DTYPES, **_FURTHER, "beep": "float64"})
    return _sorted(table, ["block", "session"])


def _sorted(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return table.sort_values(["observer", "experiment", *by, "trial"], ignore_index=True)


def has_blocks(table: pd.DataFrame) -> pd.Series:
    """Return whether the experiment of each trial has response-time blocks, as SATBench's have."""
    return table["experiment"].isin(EXPERIMENTS)


def is_simulated(table: pd.DataFrame) -> bool:
    """Return whether any observer of the table is simulated, which every figure must then state."""
    return bool(table["observer"].str.startswith("simulated-").any())


def _scores(table: pd.DataFrame, miss: float) -> np.ndarray:
    """Score trials 1 or 0 by `correct`, and missed trials by `miss`, (trials,)."""
    return np.where(table["missed"], miss, table["correct"].astype(float))


def with_misses(table: pd.DataFrame, convention: Misses, *, seed: int = 0) -> pd.DataFrame:
    """Score missed trials by one of four conventions.

    Args:
        table: Table from `read_observers`.
        convention: "chance": a miss scores 1/16, the expectation of "random" without the noise. "wrong": a miss scores
            0, as in the authors' notebooks. "random": `response` is drawn from the 16 categories, and determines
            `correct` and `score`, as in SATBench's published figure (there without a seed). "answered": a miss has
            no score (NaN), so accuracies are over the answered trials.
        seed: Seed of the draw, which depends only on the seed and the trial, not on other rows of the table.

    Returns:
        Table of the same rows, with `missed` and `response_time` unchanged.

    Raises:
        ConvRNNError: The convention is unknown.
    """
    table = table.copy()
    if convention not in MISSES:
        raise ConvRNNError(
            f"cannot score missed trials: the convention must be one of {', '.join(MISSES)}, got {convention!r}. "
            "Choose one of these"
        )
    if convention == "random":
        return _with_random_answers(table, seed)
    table["score"] = _scores(table, {"chance": CHANCE, "wrong": 0.0, "answered": np.nan}[convention])
    return table


def _with_random_answers(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    missed = table["missed"].to_numpy()
    if missed.any():
        names = [name for name in ("observer", "experiment", "block", "session", "trial") if name in table]
        key = table.loc[missed, names].astype(str).agg("/".join, axis=1)
        # Keyed hash of the trial; pandas requires a key of 16 characters.
        draws = pd.util.hash_array(
            key.to_numpy(dtype=object), hash_key=f"{seed % 10**16:016d}", categorize=False
        )
        table.loc[missed, "response"] = np.array(CATEGORIES)[draws % len(CATEGORIES)]
        table["correct"] = table["response"] == table["category"]
    table["score"] = table["correct"].astype(float)
    return table


def by_image(table: pd.DataFrame) -> pd.DataFrame:
    """Aggregate trials by stimulus and block, a row each.

    Returns:
        Columns experiment, block, file_name, category, level; observers (number), accuracy (mean score, NaN without a
        scored trial), missed (share), response_time (mean in ms, NaN without an answer) and response_time_z: mean of
        the times standardised within observer and block, which removes differences in speed between observers and
        between blocks (this project's definition; NaN without variation).
    """
    times = table["response_time"]
    groups = times.groupby([table["observer"], table["experiment"], table["block"]])
    spread = groups.transform("std")
    z = (times - groups.transform("mean")) / spread.where(spread > 0)
    return (
        table.assign(response_time_z=z)
        .groupby(["experiment", "block", "file_name", "category", "level"], as_index=False)
        .agg(
            observers=("observer", "nunique"),
            accuracy=("score", "mean"),
            missed=("missed", "mean"),
            response_time=("response_time", "mean"),
            response_time_z=("response_time_z", "mean"),
        )
    )


def correct_matrix(table: pd.DataFrame) -> pd.DataFrame:
    """Arrange correct and wrong answers as observers x stimuli: 1, 0, or NaN without an answer to score.

    A missed trial is NaN under the conventions "chance" and "answered" of `with_misses`, 0 under "wrong", and scored by
    the random category under "random".

    Returns:
        Index observer; columns (experiment, block, file_name), since stimuli of two blocks may share a name. A name
        shown at several levels, as in some experiments without blocks, is followed by the level in parentheses.
    """
    answers = table["score"].where(table["score"].isin([0.0, 1.0]))
    keys = ["observer", "experiment", "block", "file_name"]
    levels = table.groupby(keys[1:])["level"].transform("nunique")
    names = table["file_name"].where(levels == 1, table["file_name"] + " (" + table["level"] + ")")
    return answers.groupby([table[key] for key in keys[:3]] + [names]).first().unstack(keys[1:])


def observer_curves(table: pd.DataFrame, by: str | None = "level") -> pd.DataFrame:
    """Compute each observer's mean score in percent by block; the unweighted mean of the rows is the human curve.

    Args:
        table: Table of one or several experiments.
        by: Additional grouping column, such as "level" or "category"; None for no other column.

    Returns:
        Index (experiment, `by`, observer); columns are the blocks 0..4, NaN where an observer has no scored trial.
    """
    keys = ["experiment", *([by] if by else []), "observer"]
    accuracy = 100 * table.groupby([*keys, "block"])["score"].mean().unstack("block")
    return accuracy.reindex(columns=pd.RangeIndex(len(BEEPS), name="block"))
