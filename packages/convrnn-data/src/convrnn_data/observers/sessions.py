"""Sessions: trials of an observer in an experiment, as read from a result file, and the problems found in it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from convrnn_data.base.errors import one_line

PRACTICE_TRIALS = 10
"""Number of trials at the start of each block, and of the tutorial, that are not scored."""


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


class TrialRow(NamedTuple):
    """Readable trial, with the columns of `observers.table` that are not computed, and two of `FURTHER_COLUMNS`.

    `beep` is NaN and `order` 0 in experiments without response-time blocks; `response` is None in a missed trial.
    """

    observer: str
    experiment: str
    block: int
    beep: float
    trial: int
    order: int
    file_name: str
    category: str
    level: str
    response: str | None
    response_time: float
    missed: bool
    duration: float
    session: int
    image_name: str


@dataclass
class Session:
    """Trials of an observer in an experiment, and the state of the JATOS parser.

    Attributes:
        path: File of the answers.
        line: First line of the record.
        observer: Id.
        rows: Readable trials.
        unreadable: (experiment, level, block) -> number of unreadable trials; experiment and level are empty and the
            block is -1 if unknown.
        trial_counts: Block -> number of trials, readable or not.
        problems: Found in the record.
        tutorial: Whether each tutorial trial was answered correctly.
        tutorial_share: Share of correct answers in the tutorial, if recorded instead of its trials.
        screen: `sender` of the current block; empty outside blocks.
        screens: Block starts seen so far.
        trial: Position of the next trial in its block.
    """

    path: Path
    line: int
    observer: str
    rows: list[TrialRow] = field(default_factory=list)
    unreadable: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    trial_counts: Counter[int] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    tutorial: list[bool] = field(default_factory=list)
    tutorial_share: float = float("nan")
    screen: str = ""
    screens: set[str] = field(default_factory=set)
    trial: int = 0

    def problem(self, what: str, *, lost: bool = False) -> None:
        """Record a problem."""
        self.problems.append(Problem(self.path, self.line, f"observer {self.observer}: {what}", lost))

    @property
    def key(self) -> tuple[str, str]:
        """Observer and experiment of the session."""
        return self.observer, self.rows[0].experiment

    @property
    def parts(self) -> set[int]:
        """Numbers of the blocks or sittings of the session, from 1."""
        return {row.session for row in self.rows}

    @property
    def tutorial_accuracy(self) -> float:
        """Share of correct answers in the tutorial after its first trials; NaN without a tutorial."""
        scored = self.tutorial[PRACTICE_TRIALS:]
        return float(np.mean(scored)) if scored else self.tutorial_share

    def extend(self, other: "Session") -> None:
        """Add the trials of another part of the same session."""
        self.rows += other.rows
        self.unreadable += other.unreadable
        self.trial_counts += other.trial_counts
        self.tutorial += other.tutorial
        if np.isnan(self.tutorial_share):
            self.tutorial_share = other.tutorial_share
