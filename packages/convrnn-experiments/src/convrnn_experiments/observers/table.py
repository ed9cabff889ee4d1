"""Human answers (JATOS files of lab.js rows) as one tidy table.

The files are those of SATBench's experiments (Subramanian et al. 2025, doi 10.1167/jov.25.1.4; OSF 2cpmb) and the
simulated ones of the drawn sample. Each JSON array is one observer's rows, in the order in which they were written; an
array without an id that continues the blocks of the one before is a further piece of it.

A row of the table is one trial:

| column | |
|---|---|
| observer | the id, text; those of simulated observers start with `simulated-` |
| experiment | color_gray, noise or blur, by the stimulus' file name |
| block | 0 (fastest) to 4 |
| beep | ms from the stimulus to the beep of that block |
| trial | position in the block, from 0, practice included |
| order | 1 if the blocks came from fast to slow, -1 if from slow to fast |
| file_name | the stimulus, as in the human test set |
| category, response | names; `response` is missing where it was missed |
| level | c, g; 0, 0.04, 0.16; 0, 3, 9: text, as in the file name |
| correct | response is category; False where it was missed |
| score | what the trial adds to an accuracy: 1, 0, or, where it was missed, by the convention of `with_misses` |
| response_time | ms; NaN where it was missed |
| missed | no response was given |
| duration | ms as recorded, also where it was missed; NaN where nothing was recorded |
| practice | among the first 10 trials of the block |
| in_time | missed, or 0 < response_time <= beep + 250; what was recorded of a miss does not matter |
| tutorial_accuracy | the observer's share of correct answers in the tutorial, without its first 10; NaN without one |
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from convrnn_data.categories import CATEGORIES
from convrnn_data.human.stimuli import GRACE
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.observers.answer_files import answer_texts
from convrnn_experiments.observers.conventions import MAX_UNREADABLE, MISSES, Misses
from convrnn_experiments.observers.exclusions import EXCLUSIONS as EXCLUSIONS
from convrnn_experiments.observers.exclusions import exclude as exclude
from convrnn_experiments.observers.jatos import BEEPS, Problem, Session, read_text

PRACTICE_TRIALS = 10
"""First trials of each block, and of the tutorial, that count for nothing."""

_MOST_LISTED = 10

CHANCE = 1 / len(CATEGORIES)

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
    """Read human answers into one table, a row per trial; the module's text names the columns.

    By the rules of the experiments, the first 10 trials of each block are practice, and a response counts if
    0 < response time <= beep + 250 ms. Missed trials have no time and stay; they score 1/16 until `with_misses`
    applies another convention. Rows are sorted by observer, experiment, block and trial.

    What does not fit is left out or kept as each message says, and never in silence; `table.attrs` has

    * `problems`: a `Problem` for each, by file and line;
    * `sessions`: how many sessions were `found`, of which `unreadable` and `repeated`;
    * `unreadable`: (experiment, level, block) -> trials that could not be read, empty text and -1 for unknown;
    * `left_out`: trials left out as `practice` and `out_of_time`.

    Left out are records that cannot be read; trials that cannot be read, answered or not; of two sessions of one
    observer in one experiment the shorter, or the later of two that are equal. A session with fewer than five blocks,
    or with a block shorter than those of others in its experiment, is kept as far as it goes.

    Args:
        paths: Files, JATOS archives, or folders that hold either at any depth.
        strict: Whether any problem is an error.
        all_trials: Whether practice and responses out of time stay in the table.
        max_unreadable: Largest share of trials, and of sessions, that may be unreadable.

    Raises:
        ConvRNNError: If a path does not exist, a folder cannot be listed or holds no result, no observer is found, more
            than `max_unreadable` cannot be read, or, where `strict`, anything does not fit.
    """
    sessions: list[Session] = []
    problems: list[Problem] = []
    for text in answer_texts(paths):
        found, wrong = read_text(text)
        sessions += found
        problems += wrong
    unread, problems = problems, problems + _half_sessions(sessions)
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
    for session in [*kept, *(one for one in sessions if not one.rows)]:
        unreadable.update(session.unreadable)
    table = _table(kept)
    table.attrs = {"problems": problems, "sessions": counts, "unreadable": dict(unreadable)}
    return table if all_trials else scored_trials(table)


def scored_trials(table: pd.DataFrame) -> pd.DataFrame:
    """The trials that count: no practice, and no response out of time. `attrs["left_out"]` counts the others."""
    scored = ~table["practice"] & table["in_time"]
    left_out = {
        "practice": int(table["practice"].sum()),
        "out_of_time": int((~table["practice"] & ~scored).sum()),
    }
    rest = table[scored].reset_index(drop=True)
    rest.attrs = {**table.attrs, "left_out": left_out}
    return rest


def _require_readable(
    sessions: list[Session], counts: dict[str, int], problems: list[Problem], most: float
) -> None:
    trials = sum(session.found.total() for session in sessions)
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


def _half_sessions(sessions: list[Session]) -> list[Problem]:
    """Sessions without all five blocks, or with a block shorter than most of their experiment."""
    problems = []
    lengths: dict[str, Counter[int]] = {}
    readable = [session for session in sessions if session.rows]
    for session in readable:
        lengths.setdefault(session.key[1], Counter()).update(session.found.values())
    usual = {name: max(found, key=lambda length: (found[length], length)) for name, found in lengths.items()}
    for session in readable:
        full = usual[session.key[1]]
        short = {block: session.found[block] for block in range(len(BEEPS)) if session.found[block] < full}
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
    """Whether any observer of the table is simulated: then every figure made of it has to say so."""
    return bool(table["observer"].str.startswith("simulated-").any())


def _scores(table: pd.DataFrame, miss: float) -> np.ndarray:
    """(trials,) 1 or 0 by `correct`, and `miss` for a missed trial."""
    return np.where(table["missed"], miss, table["correct"].astype(float))


def with_misses(table: pd.DataFrame, convention: Misses, *, seed: int = 0) -> pd.DataFrame:
    """Score missed trials by one of four conventions.

    Args:
        table: Of `read_observers`.
        convention: "chance": a miss scores 1/16, the expectation of "random" without its noise. "wrong": a miss
            scores 0, as in the authors' notebooks. "random": `response` is drawn from the 16 categories, and
            `correct` and `score` follow from it, as in SATBench's published figure (there without a seed).
            "answered": a miss has no score (NaN), so accuracies are those of the answered trials.
        seed: Of the draw. It depends on the seed and the trial alone: not on the order of rows, nor on which
            other trials are in the table.

    Returns:
        A table of the same rows; `missed` and `response_time` are unchanged.

    Raises:
        ConvRNNError: If the convention is unknown.
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
        # A keyed hash of the trial: pandas takes a key of 16 characters.
        draws = pd.util.hash_array(
            key.to_numpy(dtype=object), hash_key=f"{seed % 10**16:016d}", categorize=False
        )
        table.loc[missed, "response"] = np.array(CATEGORIES)[draws % len(CATEGORIES)]
        table["correct"] = table["response"] == table["category"]
    table["score"] = table["correct"].astype(float)
    return table


def by_image(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each stimulus and block: what people together did with it.

    Returns:
        Columns experiment, block, file_name, category, level; observers (how many saw it), accuracy (mean score, NaN
        if no trial has one), missed (share), response_time (mean in ms over those who answered, NaN if nobody did)
        and response_time_z: the mean
        of the times standardised within each observer and block, which takes out that some people, and all blocks,
        differ in speed (this project's definition; NaN where nobody's times vary).
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
    """Correct and wrong answers, observers x stimuli: 1, 0, or NaN where there is no answer to score.

    A missed trial is not an answer: it is NaN under the conventions "chance" and "answered" of `with_misses`, 0 under
    "wrong", and what was drawn under "random".

    Returns:
        Index observer; columns (experiment, block, file_name), so that stimuli of one name in two blocks stay two.
    """
    answers = table["score"].where(table["score"].isin([0.0, 1.0]))
    keys = ["observer", "experiment", "block", "file_name"]
    return answers.groupby([table[key] for key in keys]).first().unstack(keys[1:])


def observer_curves(table: pd.DataFrame, by: str | None = "level") -> pd.DataFrame:
    """Mean score in percent of each observer, in each block: the unweighted mean of its rows is the human curve.

    Args:
        table: Of one experiment or several.
        by: A further column to divide by, such as "level" or "category"; None for none.

    Returns:
        Index (experiment, `by`, observer); columns are the blocks 0..4, NaN where an observer has no scored
        trial.
    """
    keys = ["experiment", *([by] if by else []), "observer"]
    accuracy = 100 * table.groupby([*keys, "block"])["score"].mean().unstack("block")
    return accuracy.reindex(columns=pd.RangeIndex(len(BEEPS), name="block"))
