"""Parser of JATOS results with lab.js rows: each JSON array is the trials of one observer.

The format is that of SATBench's experiments (OSF 2cpmb). A block starts at a row whose `sender` is in `BEEPS`, and each
following row `Stimulus & Response` is a trial of the block. `observers.table` selects and scores the trials.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from convrnn_data.categories import CATEGORIES
from convrnn_data.human.experiment import BEEPS
from convrnn_data.observers.answer_files import AnswerText, Record, json_records
from convrnn_data.observers.sessions import Problem, Session, TrialRow
from convrnn_data.observers.stimulus_names import named_stimulus, plain_level

TUTORIAL = "ScreenCategorizationTutorial"
RESPONSE = "Stimulus & Response"

_MAX_DURATION = 1e9
_MAX_ID, _LONGEST_ID = 10**18, 200
_NOTHING = frozenset({"", "null", "none", "undefined", "nan"})
_DURATION = re.compile(r"\s*([+-]?\d{1,12}(?:\.\d{0,12})?(?:[eE][+-]?\d{1,2})?)\s*(?:ms)?\s*")


def read_text(text: AnswerText) -> tuple[list[Session], list[Problem]]:
    """Read the sessions with trials, readable or not, and the problems by line, of one text."""
    sessions: list[Session] = []
    problems: list[Problem] = []
    open_session: Session | None = None
    for record in json_records(text.text):
        if open_session is not None and _continues(open_session, record):
            _read_rows(open_session, record.value)
            continue
        session = _session(text.path, record)
        open_session = session if isinstance(session, Session) else None
        if isinstance(session, Problem):
            problems.append(session)
        else:
            _read_rows(session, record.value)
            sessions.append(session)
    for session in sessions:
        _finish(session)
        problems += session.problems
    return [session for session in sessions if session.rows or session.unreadable], problems


def _session(path: Path, record: Record) -> Session | Problem:
    """Start the session of a record, or explain why it has none."""
    if record.problem is not None:
        what = f"{record.problem}; the whole observer is left out."
        if not record.array:
            what = f"{record.problem}, so it is not an observer's record; left out."
        return Problem(path, record.line, what, lost=record.array)
    rows = record.value
    if not isinstance(rows, list):
        return Problem(
            path, record.line, "is not an array of rows, so it is not an observer's record; left out."
        )
    first = rows[0] if rows and isinstance(rows[0], dict) else {}
    url = first.get("url")
    observer = url.get("srid") if isinstance(url, dict) else None
    if not _is_id(observer):
        answers = any(isinstance(row, dict) and row.get("sender") == RESPONSE for row in rows)
        what = "has no observer's id (url.srid) in its first row; left out."
        return Problem(path, record.line, what, lost=answers)
    return Session(path, record.line, str(observer).strip())


def _continues(session: Session, record: Record) -> bool:
    """Return whether a record continues a session; lab.js transmits long experiments in pieces.

    A continuation has no `url`, and repeats no block of the session.
    """
    rows = record.value
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return False
    senders = {str(row.get("sender")) for row in rows}
    starts = senders & {*BEEPS, TUTORIAL}
    return not any("url" in row for row in rows) and not starts & session.screens and RESPONSE in senders


def _is_id(observer: object) -> bool:
    """Return whether a value is a valid id: an integer, or printable text."""
    number = isinstance(observer, int) and not isinstance(observer, bool) and abs(observer) < _MAX_ID
    return number or (
        isinstance(observer, str)
        and 0 < len(observer.strip()) <= _LONGEST_ID
        and observer.strip().isprintable()
    )


def _read_rows(session: Session, rows: list[Any]) -> None:
    """Add the trials in an observer's rows to the session, block by block."""
    problems: Counter[str] = Counter()
    for row in rows:
        sender = str(row.get("sender")) if isinstance(row, dict) else ""
        if sender in BEEPS or sender == TUTORIAL:
            if sender in session.screens:
                session.problem(f"{sender} starts a second time; its trials are left out.")
            session.screen, session.trial = "" if sender in session.screens else sender, 0
            session.screens.add(sender)
        elif sender == RESPONSE and session.screen == TUTORIAL:
            answer = _category(row.get("response"))
            session.tutorial.append(answer is not None and answer == _category(row.get("category")))
        elif sender == RESPONSE:
            if problem := _read_trial(session, row):
                problems[problem] += 1
            session.trial += 1
    for what, count in problems.items():
        session.problem(f"{count} trial(s): {what}{'.' if 'kept' in what else '; left out.'}")


def _read_trial(session: Session, row: dict[str, Any]) -> str:
    """Add a trial to the session as readable or unreadable, and return its problem, if any."""
    block = list(BEEPS).index(session.screen) if session.screen else -1
    trial = _trial(session, block, row) if session.screen else "is outside every block"
    session.trial_counts[block] += 1
    if isinstance(trial, str):
        stimulus = named_stimulus(_file_name(row))
        session.unreadable[(stimulus.experiment, stimulus.level, block) if stimulus else ("", "", block)] += 1
        return trial
    session.rows.append(trial)
    correct = trial.response == trial.category
    if _truth(row.get("correct", correct)) != correct:
        return "`correct` contradicts response and category (kept: scored by response and category)"
    return ""


def _finish(session: Session) -> None:
    """Determine the experiment of a session after all of its pieces are read."""
    experiments = Counter(row.experiment for row in session.rows)
    main = max(experiments, key=experiments.__getitem__, default="")
    if len(experiments) > 1:
        session.problem(f"stimuli of {', '.join(experiments)} in one session; only {main} is kept.")
        for row in session.rows:
            if row.experiment != main:
                session.unreadable[row.experiment, row.level, row.block] += 1
        session.rows = [row for row in session.rows if row.experiment == main]
    unreadable: Counter[tuple[str, str, int]] = Counter()
    for (experiment, level, block), count in session.unreadable.items():
        unreadable[experiment or main, level, block] += count
    session.unreadable = unreadable
    if not session.rows and session.unreadable:
        session.problem("no trial can be read; left out.", lost=True)
    elif not session.rows:
        session.problem("no trial after the tutorial; left out.")


def _trial(session: Session, block: int, row: dict[str, Any]) -> TrialRow | str:
    """Parse a response row in a block, or explain why it is unreadable."""
    stimulus = named_stimulus(name := _file_name(row))
    if stimulus is None:
        return f"{name!r} is not a stimulus's file name such as 41_blur_9_bird.JPEG"
    if _category(row.get("category")) != stimulus.category:
        return f"category {row.get('category')!r} is not that of {stimulus.name}"
    if plain_level(row.get("mode")) != stimulus.level:
        return f"mode {row.get('mode')!r} is not the level of {stimulus.name}"
    missed = _is_missed(row.get("response"))
    response = None if missed else _category(row.get("response"))
    if response is None and not missed:
        return f"response {row.get('response')!r} is not one of the 16 categories"
    duration = _duration(row.get("duration"))
    if duration is None and not (missed and row.get("duration") is None):
        return f"duration {row.get('duration')!r} is not a number of milliseconds"
    order = row.get("order")
    if order not in (1, -1, "1", "-1"):
        return f"order {order!r} is neither 1 nor -1"
    recorded = float("nan") if duration is None else duration
    return TrialRow(
        session.observer,
        stimulus.experiment,
        block,
        BEEPS[session.screen],
        session.trial,
        int(order),
        stimulus.name,
        stimulus.category,
        stimulus.level,
        response,
        response_time=float("nan") if missed else recorded,
        missed=missed,
        duration=recorded,
        session=block + 1,
        image_name=stimulus.in_block(block),
    )


def _file_name(row: dict[str, Any]) -> str:
    return str(row.get("filename", "")).replace("\\", "/").rsplit("/", 1)[-1]


def _is_missed(response: object) -> bool:
    """Return whether a response is missing: None, or a word for a missing value."""
    return response is None or (isinstance(response, str) and response.strip().lower() in _NOTHING)


def _category(value: object) -> str | None:
    """Normalise the case of a category; None for anything else."""
    name = value.strip().lower() if isinstance(value, str) else ""
    return name if name in CATEGORIES else None


def _duration(value: object) -> float | None:
    """Parse milliseconds, a number or text such as "634"; None for anything else."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        value = float(match[1]) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MAX_DURATION:
        return None
    return float(value)


def _truth(value: object) -> object:
    """Convert `correct` from text to a boolean; other values are unchanged."""
    return (
        {"true": True, "false": False}.get(value.strip().lower(), value) if isinstance(value, str) else value
    )
