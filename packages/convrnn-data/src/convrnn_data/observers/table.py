"""Human answers (JATOS files of lab.js rows) as one tidy table.

The files are those of SATBench's experiments (Subramanian et al. 2025, doi 10.1167/jov.25.1.4; OSF 2cpmb), and the
simulated ones of the drawn sample. Each JSON array contains the rows of one observer, in the order of recording. An
array without an id that continues the blocks of the previous array belongs to the same observer.

Each row of the table is a trial:

| column | |
|---|---|
| observer | id, as text; ids of simulated observers start with `simulated-` |
| experiment | color_gray, noise or blur, by the file name of the stimulus |
| block | 0 (fastest) to 4 |
| beep | time from the stimulus to the beep of the block, ms |
| trial | position in the block, from 0, including practice |
| order | 1 if blocks were presented from fast to slow, -1 from slow to fast |
| file_name | stimulus, as in the human test set |
| category, response | names; `response` is missing in a missed trial |
| level | c, g; 0, 0.04, 0.16; 0, 3, 9: text, as in the file name |
| correct | whether the response is the category; False in a missed trial |
| score | contribution to accuracy: 1, 0, or, in a missed trial, by the convention of `with_misses` |
| response_time | ms; NaN in a missed trial |
| missed | whether no response was given |
| duration | ms as recorded, including missed trials; NaN if nothing was recorded |
| practice | among the first 10 trials of the block |
| in_time | missed (with any duration), or 0 < response_time <= beep + 250 |
| tutorial_accuracy | share of correct answers in the tutorial after its first 10 trials; NaN without a tutorial |
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import CATEGORIES, CHANCE
from convrnn_data.human.experiment import BEEPS, GRACE
from convrnn_data.observers.answer_files import answer_texts
from convrnn_data.observers.conventions import MAX_UNREADABLE, MISSES, Misses
from convrnn_data.observers.jatos import Problem, Session, read_texts

PRACTICE_TRIALS = 10
"""Number of trials at the start of each block, and of the tutorial, that are not scored."""

_MOST_LISTED = 10

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


def read_observers(
    paths: str | Path | Iterable[str | Path],
    *,
    strict: bool = False,
    all_trials: bool = False,
    max_unreadable: float = MAX_UNREADABLE,
) -> pd.DataFrame:
    """Read human answers into one table with a row per trial; the module's docstring describes the columns.

    By the rules of the experiments, the first 10 trials of each block are practice, and a response counts if
    0 < response time <= beep + 250 ms. Missed trials are kept, without a time, and score 1/16 unless `with_misses`
    applies another convention. Rows are sorted by observer, experiment, block and trial.

    Every problem is reported, and its message says whether the data are kept or left out. `table.attrs` has

    * `problems`: a `Problem` each, by file and line;
    * `sessions`: numbers of sessions `found`, `unreadable` and `repeated`;
    * `unreadable`: (experiment, level, block) -> number of unreadable trials, with empty text and -1 for unknown;
    * `left_out`: numbers of trials left out as `practice` and `out_of_time`.

    Unreadable records and trials are left out. Of two sessions of one observer in one experiment, the shorter is left
    out, or the later if both are of equal length. Incomplete sessions are kept: those with fewer than five blocks, or
    with a block shorter than usual in the experiment.

    Args:
        paths: Files, JATOS archives, or folders of either at any depth.
        strict: Treat any problem as an error.
        all_trials: Keep practice trials and late responses.
        max_unreadable: Largest share of trials, and of sessions, that may be unreadable.

    Raises:
        ConvRNNError: A path does not exist, a folder cannot be listed or contains no result, there is no observer, more
            than `max_unreadable` is unreadable, or `strict` and there is a problem.
    """
    sessions, problems = read_texts(answer_texts(paths))
    unread, problems = problems, problems + _incomplete_sessions(sessions)
    if strict and problems:
        raise ConvRNNError(
            f"cannot read the answers: with `strict`, nothing may be left out, got {_listed(problems)} Repair the "
            "files, or pass strict=False"
        )
    counts = {"found": 0, "unreadable": sum(problem.lost for problem in problems), "repeated": 0}
    readable = [session for session in sessions if session.rows]
    counts["found"] = len(readable) + counts["unreadable"]
    if not readable:
        which = f"no readable one: {problems[0]}" if problems else "none."
        raise ConvRNNError(
            f"cannot read the answers: {paths} must hold at least one observer, got {which} Give files with "
            "answered trials"
        )
    _require_readable(sessions, counts, unread, max_unreadable)
    kept = _one_session_each(readable, problems)
    counts["repeated"] = len(readable) - len(kept)
    unreadable: Counter[tuple[str, str, int]] = Counter()
    for session in [*kept, *(session for session in sessions if not session.rows)]:
        unreadable.update(session.unreadable)
    table = _table(kept)
    table.attrs = {"problems": problems, "sessions": counts, "unreadable": dict(unreadable)}
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


def _require_readable(
    sessions: list[Session], counts: dict[str, int], problems: list[Problem], most: float
) -> None:
    trials = sum(session.trial_counts.total() for session in sessions)
    unreadable = sum(session.unreadable.total() for session in sessions)
    for what, lost, found in (
        ("trials", unreadable, trials),
        ("sessions", counts["unreadable"], counts["found"]),
    ):
        if lost > most * found:
            raise ConvRNNError(
                f"cannot read the answers: at most {most:.3g} of the {what} may be unreadable, got {lost} of {found}: "
                f"{_listed(problems)} Repair the files, or raise --max-unreadable"
            )


def _listed(problems: list[Problem]) -> str:
    more = f" (and {len(problems) - _MOST_LISTED} more)" if len(problems) > _MOST_LISTED else ""
    return f"{' '.join(map(str, problems[:_MOST_LISTED]))}{more}"


def _incomplete_sessions(sessions: list[Session]) -> list[Problem]:
    """Report sessions without all five blocks, or with a block shorter than usual in the experiment."""
    problems = []
    lengths: dict[str, Counter[int]] = {}
    readable = [session for session in sessions if session.rows]
    for session in readable:
        lengths.setdefault(session.key[1], Counter()).update(session.trial_counts.values())
    usual = {
        name: max(counts, key=lambda length: (counts[length], length)) for name, counts in lengths.items()
    }
    for session in readable:
        full = usual[session.key[1]]
        short = {block: count for block in range(len(BEEPS)) if (count := session.trial_counts[block]) < full}
        if short:
            has = ", ".join(f"block {block} has {count}" for block, count in short.items())
            what = f"observer {session.observer}: incomplete session: {has} of {full} trials; these trials are used."
            problems.append(Problem(session.path, session.line, what))
    return problems


def _one_session_each(sessions: list[Session], problems: list[Problem]) -> list[Session]:
    best: dict[tuple[str, str], Session] = {}
    for session in sessions:
        other = best.setdefault(session.key, session)
        if other is session:
            continue
        kept, lost = (session, other) if len(session.rows) > len(other.rows) else (other, session)
        best[session.key] = kept
        what = f"observer {lost.observer}: another session of {lost.key[1]} is {kept.path}, line {kept.line}; left out."
        problems.append(Problem(lost.path, lost.line, what))
    return list(best.values())


def _table(sessions: list[Session]) -> pd.DataFrame:
    computed = ("correct", "score", "practice", "in_time", "tutorial_accuracy")
    names = [name for name in COLUMNS if name not in computed]
    columns = zip(*(row for session in sessions for row in session.rows), strict=True)
    table = pd.DataFrame(dict(zip(names, columns, strict=True)))
    tutorial = [float(np.mean(session.tutorial[PRACTICE_TRIALS:] or np.nan)) for session in sessions]
    table["tutorial_accuracy"] = np.repeat(np.array(tutorial), [len(session.rows) for session in sessions])
    table["correct"] = ~table["missed"] & (table["response"] == table["category"])
    table["score"] = _scores(table, CHANCE)
    table["practice"] = table["trial"] < PRACTICE_TRIALS
    times = table["response_time"]
    table["in_time"] = table["missed"] | ((times > 0) & (times <= table["beep"] + GRACE))
    table = table[list(COLUMNS)].astype(_DTYPES)
    return table.sort_values(["observer", "experiment", "block", "trial"], ignore_index=True)


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
        key = (
            table.loc[missed, ["observer", "experiment", "block", "trial"]].astype(str).agg("/".join, axis=1)
        )
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
        Index observer; columns (experiment, block, file_name), since stimuli of two blocks may share a name.
    """
    answers = table["score"].where(table["score"].isin([0.0, 1.0]))
    keys = ["observer", "experiment", "block", "file_name"]
    return answers.groupby([table[key] for key in keys]).first().unstack(keys[1:])


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
