"""Parser of JATOS results with lab.js rows: each JSON array is the trials of one observer.

The format is that of SATBench's experiments (OSF 2cpmb). A block starts at a row whose `sender` is in `BEEPS`, and each
following row `Stimulus & Response` is a trial of the block. `observers.table` selects and scores the trials.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from convrnn_data.base.errors import one_line
from convrnn_data.categories import CATEGORIES
from convrnn_data.human.experiment import BEEPS
from convrnn_data.human.stimuli import parse_name
from convrnn_data.observers.answer_files import AnswerText, Record, answer_texts, json_records

TUTORIAL = "ScreenCategorizationTutorial"
RESPONSE = "Stimulus & Response"

_MAX_DURATION = 1e9
_MAX_ID, _LONGEST_ID = 10**18, 200
_NOTHING = frozenset({"", "null", "none", "undefined", "nan"})
_DURATION = re.compile(r"\s*([+-]?\d{1,12}(?:\.\d{0,12})?(?:[eE][+-]?\d{1,2})?)\s*(?:ms)?\s*")


@dataclass(frozen=True)
class Problem:
    """Unreadable or inconsistent part of a result file, and how it was handled.

    Attributes:
        path: File; the path of an archive's member starts with the path of the archive.
        line: First line of the record.
        what: Description.
        lost: Whether a whole observer is unreadable.
    """

    path: Path
    line: int
    what: str
    lost: bool = False

    def __str__(self) -> str:
        return one_line(f"{self.path}, line {self.line}: {self.what}")


@dataclass
class Session:
    """Trials of an observer in an experiment, and the state of the parser.

    Attributes:
        path: File of the answers.
        line: First line of the record.
        observer: Id.
        rows: A tuple per readable trial.
        unreadable: (experiment, level, block) -> number of unreadable trials; experiment and level are empty and the
            block is -1 if unknown.
        trial_counts: Block -> number of trials, readable or not.
        problems: Found in the record.
        tutorial: Whether each tutorial trial was answered correctly.
        screen: `sender` of the current block; empty outside blocks.
        screens: Block starts seen so far.
        trial: Position of the next trial in its block.
    """

    path: Path
    line: int
    observer: str
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    unreadable: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    trial_counts: Counter[int] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    tutorial: list[bool] = field(default_factory=list)
    screen: str = ""
    screens: set[str] = field(default_factory=set)
    trial: int = 0

    def problem(self, what: str, *, lost: bool = False) -> None:
        """Record a problem."""
        self.problems.append(Problem(self.path, self.line, f"observer {self.observer}: {what}", lost))

    @property
    def key(self) -> tuple[str, str]:
        """Observer and experiment of the session."""
        return self.observer, self.rows[0][1]


def read_file(path: Path) -> tuple[list[Session], list[Problem]]:
    """Read the sessions with trials, and the problems by line, of one file or archive.

    Raises:
        ConvRNNError: The file is unreadable.
    """
    return read_texts(answer_texts(path))


def read_texts(texts: Iterable[AnswerText]) -> tuple[list[Session], list[Problem]]:
    """Read the sessions with trials, and the problems by line, of several texts."""
    sessions: list[Session] = []
    problems: list[Problem] = []
    for text in texts:
        text_sessions, text_problems = read_text(text)
        sessions += text_sessions
        problems += text_problems
    return sessions, problems


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
    trial = _trial(row) if session.screen else "is outside every block"
    block = list(BEEPS).index(session.screen) if session.screen else -1
    session.trial_counts[block] += 1
    if isinstance(trial, str):
        stimulus = _stimulus(_file_name(row))
        session.unreadable[(*stimulus[:2], block) if stimulus else ("", "", block)] += 1
        return trial
    experiment, order, *rest, correct = trial
    beep = BEEPS[session.screen]
    session.rows.append((session.observer, experiment, block, beep, session.trial, order, *rest))
    if _truth(row.get("correct", correct)) != correct:
        return "`correct` contradicts response and category (kept: scored by response and category)"
    return ""


def _finish(session: Session) -> None:
    """Determine the experiment of a session after all of its pieces are read."""
    experiments = Counter(row[1] for row in session.rows)
    main = max(experiments, key=experiments.__getitem__, default="")
    if len(experiments) > 1:
        session.problem(f"stimuli of {', '.join(experiments)} in one session; only {main} is kept.")
        for row in session.rows:
            if row[1] != main:
                session.unreadable[row[1], row[8], row[2]] += 1
        session.rows = [row for row in session.rows if row[1] == main]
    unreadable: Counter[tuple[str, str, int]] = Counter()
    for (experiment, level, block), count in session.unreadable.items():
        unreadable[experiment or main, level, block] += count
    session.unreadable = unreadable
    if not session.rows and session.unreadable:
        session.problem("no trial can be read; left out.", lost=True)
    elif not session.rows:
        session.problem("no trial after the tutorial; left out.")


def _trial(row: dict[str, Any]) -> list[Any] | str:
    """Parse a response row as experiment, order, file name ... missed, correct; or explain why it is unreadable."""
    stimulus = _stimulus(name := _file_name(row))
    if stimulus is None:
        return f"{name!r} is not a stimulus's file name such as 41_blur_9_bird.JPEG"
    experiment, level, category, name = stimulus
    if _category(row.get("category")) != category:
        return f"category {row.get('category')!r} is not that of {name}"
    if _level(row.get("mode")) != level:
        return f"mode {row.get('mode')!r} is not the level of {name}"
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
    time = float("nan") if missed else recorded
    answer = [response, time, missed, recorded]
    return [experiment, int(order), name, category, level, *answer, response == category]


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


@cache
def _stimulus(name: str) -> tuple[str, str, str, str] | None:
    """Parse a file name as experiment, level, category and name without the block."""
    parsed = parse_name(name)
    if parsed is None:
        return None
    return parsed.experiment, _level(parsed.level), parsed.category, f"{parsed.stem}.JPEG"


def _level(level: object) -> str:
    """Format a level as in the names of the stimuli: 0.0, "0.0" and 0 are all "0"."""
    try:
        return f"{float(str(level)):g}"
    except ValueError:
        return str(level).strip().lower()
