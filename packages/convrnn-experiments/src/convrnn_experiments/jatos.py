"""JATOS result files of lab.js rows: one line, one observer, one list of trials.

The grammar is that of SATBench's experiments (OSF 2cpmb). A block starts at the row whose `sender` is one of `BEEPS`;
every row `Stimulus & Response` after it is a trial, up to the next such row. Nothing here decides what a trial counts
for: `observers.py` does.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from convrnn_data.categories import CATEGORIES
from convrnn_data.errors import one_line
from convrnn_data.human import parse_name
from convrnn_experiments.errors import ConvRNNError

BEEPS = {"Screen0": 500, "Screen400": 900, "Screen600": 1100, "Screen800": 1300, "Screen1000": 1500}
"""`sender` of the row that starts a block -> the block's beep in ms; the position is the block's number."""

TUTORIAL = "ScreenCategorizationTutorial"
RESPONSE = "Stimulus & Response"

_MAX_DURATION = 1e9
_MAX_ID, _LONGEST_ID = 10**18, 200


@dataclass(frozen=True)
class Problem:
    """Something in a file that could not be read, or does not fit: where it is and what became of it."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return one_line(f"{self.path}, line {self.line}: {self.what}")


@dataclass
class Session:
    """One line of a file: an observer in an experiment."""

    path: Path
    line: int
    observer: str
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    tutorial: list[bool] = field(default_factory=list)

    def problem(self, what: str) -> None:
        """Note that something does not fit."""
        self.problems.append(Problem(self.path, self.line, f"observer {self.observer}: {what}"))

    @property
    def key(self) -> tuple[str, str]:
        """Observer and experiment."""
        return self.observer, self.rows[0][1]


def read_file(path: Path) -> tuple[list[Session], list[Problem]]:
    """All observers of one file who have trials, and what was wrong, by line.

    Raises:
        ConvRNNError: If the file cannot be opened or read.
    """
    sessions, problems = [], []
    try:
        # Bytes that are no UTF-8 spoil their own line only; line ends inside JSON text are escaped.
        with path.open(encoding="utf-8-sig", errors="replace", newline=None) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                session = _read_line(path, number, line)
                if isinstance(session, Problem):
                    problems.append(session)
                    continue
                problems += session.problems
                if session.rows:
                    sessions.append(session)
    except OSError as error:
        raise ConvRNNError(f"{path} cannot be read: {error.strerror or error}.") from error
    return sessions, problems


def _read_line(path: Path, number: int, line: str) -> Session | Problem:
    """One observer, or why there is none."""
    if not line.startswith("["):
        return Problem(path, number, "does not start with '[', so it is no observer's; left out.")
    try:
        rows = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Problem(path, number, f"is cut short or no JSON ({error}); the whole observer is left out.")
    first = rows[0] if rows and isinstance(rows[0], dict) else {}
    url = first.get("url")
    observer = url.get("srid") if isinstance(url, dict) else None
    if not _is_id(observer):
        return Problem(path, number, "has no observer's id (url.srid) in its first row; left out.")
    session = Session(path, number, str(observer).strip())
    _read_rows(session, rows)
    if not session.rows and not session.problems:
        session.problem("no trial after the tutorial; left out.")
    return session


def _is_id(observer: object) -> bool:
    """Whether it is a number, or text that can be written to a table; half a letter can not."""
    number = isinstance(observer, int) and not isinstance(observer, bool) and abs(observer) < _MAX_ID
    return number or (
        isinstance(observer, str)
        and 0 < len(observer.strip()) <= _LONGEST_ID
        and observer.strip().isprintable()
    )


def _read_rows(session: Session, rows: list[Any]) -> None:
    """Walk through an observer's rows, block by block, and add the trials to the session."""
    screens, screen, trial = list(BEEPS), "", 0
    seen: set[str] = set()
    unlike: Counter[str] = Counter()
    for row in rows:
        sender = str(row.get("sender")) if isinstance(row, dict) else ""
        if sender in BEEPS or sender == TUTORIAL:
            if sender in seen:
                session.problem(f"{sender} starts a second time; its trials are left out.")
            screen, trial = "" if sender in seen else sender, 0
            seen.add(sender)
        elif sender == RESPONSE and screen == TUTORIAL:
            session.tutorial.append(bool(row.get("response")) and row.get("response") == row.get("category"))
        elif sender == RESPONSE:
            read = _trial(row)
            if isinstance(read, str) or not screen:
                unlike[read if isinstance(read, str) else "is in no block"] += 1
            else:
                if read.pop() != row.get("correct") and "correct" in row:
                    unlike[
                        "has a `correct` that is not response = category (kept: by response and category)"
                    ] += 1
                experiment, order, *rest = read
                block = screens.index(screen)
                session.rows.append((session.observer, experiment, block, BEEPS[screen], trial, order, *rest))
            trial += 1
    for what, count in unlike.items():
        session.problem(f"{count} trial(s): {what}{'.' if 'kept' in what else '; left out.'}")
    experiments = Counter(row[1] for row in session.rows)
    if len(experiments) > 1:
        main = max(experiments, key=experiments.__getitem__)
        session.problem(f"stimuli of {', '.join(experiments)} in one session; only {main} is kept.")
        session.rows = [row for row in session.rows if row[1] == main]


def _trial(row: dict[str, Any]) -> list[Any] | str:
    """A response row as experiment, order, file name ... missed, correct; or what is wrong with it."""
    name = str(row.get("filename", "")).replace("\\", "/").rsplit("/", 1)[-1]
    stimulus = _stimulus(name)
    if stimulus is None:
        return f"{name!r} is no stimulus' file name such as 41_blur_9_bird.JPEG"
    experiment, level, category, name = stimulus
    if row.get("category") != category:
        return f"category {row.get('category')!r} is not that of {name}"
    if _level(row.get("mode")) != level:
        return f"mode {row.get('mode')!r} is not the level of {name}"
    response, duration = row.get("response") or None, row.get("duration")
    if response is not None and response not in CATEGORIES:
        return f"response {response!r} is none of the 16 categories"
    if response is not None and not (isinstance(duration, int | float) and abs(duration) < _MAX_DURATION):
        return "duration is no number of milliseconds"
    order = row.get("order")
    if order not in (1, -1, "1", "-1"):
        return f"order {order!r} is neither 1 nor -1"
    missed = response is None
    time = float("nan") if duration is None or missed else float(duration)
    return [experiment, int(order), name, category, level, response, time, missed, response == category]


@cache
def _stimulus(name: str) -> tuple[str, str, str, str] | None:
    """Experiment, level, category and the name without a block."""
    parsed = parse_name(name)
    if parsed is None:
        return None
    return parsed.experiment, _level(parsed.level), parsed.category, f"{parsed.stem}.JPEG"


def _level(level: object) -> str:
    """A level as the stimuli's names have it: 0.0, "0.0" and 0 are all "0"."""
    try:
        return f"{float(str(level)):g}"
    except ValueError:
        return str(level)
