"""Sessions of all result files at some paths: repeated ones set apart, losses counted and limited."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.human.experiment import BLOCKS
from convrnn_data.human.stimuli import EXPERIMENTS
from convrnn_data.observers import jatos
from convrnn_data.observers.answer_files import AnswerText, answer_texts
from convrnn_data.observers.conventions import MAX_UNREADABLE
from convrnn_data.observers.sessions import Problem, Session
from convrnn_data.observers.trial_sessions import read_trial_sessions

_MOST_LISTED = 10


@dataclass(frozen=True)
class Reading:
    """Content of result files.

    Attributes:
        kept: A session per observer and experiment, with readable trials.
        repeated: Other sessions of these observers, which are left out.
        unread: Sessions without a readable trial.
        problems: By file and line.
        incomplete: Keys of incomplete sessions, which are kept.
        found: Number of sessions found, including those whose records are unreadable.
        networks: File -> number of trials of a network, which are left out.
    """

    kept: list[Session]
    repeated: list[Session]
    unread: list[Session]
    problems: list[Problem]
    incomplete: set[tuple[str, str]]
    found: int
    networks: dict[Path, int]

    @property
    def unreadable_sessions(self) -> int:
        """Number of observers that cannot be read."""
        return sum(problem.lost for problem in self.problems)

    @property
    def unreadable(self) -> dict[tuple[str, str, int], int]:
        """(experiment, level, block) -> number of unreadable trials."""
        counts: Counter[tuple[str, str, int]] = Counter()
        for session in [*self.kept, *self.unread]:
            counts.update(session.unreadable)
        return dict(counts)


def read_sessions(
    paths: str | Path | Iterable[str | Path],
    *,
    strict: bool = False,
    max_unreadable: float = MAX_UNREADABLE,
) -> Reading:
    """Read all sessions at some paths; see `table.read_observers` for the arguments and errors."""
    sessions, problems, networks = read_texts(answer_texts(paths))
    lost = sum(problem.lost for problem in problems)
    readable = [session for session in sessions if session.rows]
    kept, repeated = _one_session_each(readable)
    incomplete, reports = _incomplete_sessions(kept)
    everything = problems + _repetitions(kept, repeated) + reports
    if strict and everything:
        raise ConvRNNError(
            f"cannot read the answers: with `strict`, nothing may be left out, got {_listed(everything)} Repair the "
            "files, or pass strict=False"
        )
    if not readable:
        which = f"no readable one: {problems[0]}" if problems else "none."
        if not problems and networks:
            which = f"networks alone, such as {next(iter(networks))}."
        raise ConvRNNError(
            f"cannot read the answers: {paths} must hold at least one observer, got {which} Give files with "
            "answered trials"
        )
    found = len(kept) + len(repeated) + lost
    _require_readable(sessions, lost, found, problems, max_unreadable)
    unread = [session for session in sessions if not session.rows]
    return Reading(kept, repeated, unread, everything, incomplete, found, networks)


def read_texts(texts: Iterable[AnswerText]) -> tuple[list[Session], list[Problem], dict[Path, int]]:
    """Read the sessions with trials, the problems by line, and the number of a network's trials in each file."""
    sessions: list[Session] = []
    problems: list[Problem] = []
    networks: dict[Path, int] = {}
    for text in texts:
        if text.is_trial_csv:
            content = read_trial_sessions(text)
            sessions += content.sessions
            problems += content.problems
            if content.network_trials:
                networks[text.path] = content.network_trials
        else:
            text_sessions, text_problems = jatos.read_text(text)
            sessions += text_sessions
            problems += text_problems
    return sessions, problems, networks


def _require_readable(
    sessions: list[Session], lost: int, found: int, problems: list[Problem], most: float
) -> None:
    trials = sum(session.trial_counts.total() for session in sessions)
    unreadable = sum(session.unreadable.total() for session in sessions)
    for what, number, total in (("trials", unreadable, trials), ("sessions", lost, found)):
        if number > most * total:
            raise ConvRNNError(
                f"cannot read the answers: at most {most:.3g} of the {what} may be unreadable, got {number} of "
                f"{total}: {_listed(problems)} Repair the files, or raise --max-unreadable"
            )


def _listed(problems: list[Problem]) -> str:
    more = f" (and {len(problems) - _MOST_LISTED} more)" if len(problems) > _MOST_LISTED else ""
    return f"{' '.join(map(str, problems[:_MOST_LISTED]))}{more}"


def _one_session_each(sessions: list[Session]) -> tuple[list[Session], list[Session]]:
    """Join sessions of an observer with different blocks or sittings; of others, keep the longer, or the earlier."""
    groups: dict[tuple[str, str], list[Session]] = {}
    for session in sessions:
        groups.setdefault(session.key, []).append(session)
    kept, repeated = [], []
    for group in groups.values():
        chosen: list[Session] = []
        parts: set[int] = set()
        for session in sorted(group, key=lambda session: -len(session.rows)):
            if parts.isdisjoint(session.parts):
                chosen.append(session)
                parts |= session.parts
            else:
                repeated.append(session)
        first, *others = sorted(chosen, key=group.index)
        for other in others:
            first.extend(other)
        kept.append(first)
    return kept, repeated


def _repetitions(kept: list[Session], repeated: list[Session]) -> list[Problem]:
    by_key = {session.key: session for session in kept}
    problems = []
    for session in repeated:
        other = by_key[session.key]
        what = (
            f"observer {session.observer}: another session of {session.key[1]} is {other.path}, line {other.line}; "
            "left out."
        )
        problems.append(Problem(session.path, session.line, what))
    return problems


def _incomplete_sessions(sessions: list[Session]) -> tuple[set[tuple[str, str]], list[Problem]]:
    """Report sessions that lack blocks, or with a block shorter than usual in the experiment."""
    lengths: dict[str, Counter[int]] = {}
    for session in sessions:
        counts = [count for block, count in session.trial_counts.items() if block >= 0]
        lengths.setdefault(session.key[1], Counter()).update(counts)
    usual = {
        name: max(counts, key=lambda length: (counts[length], length)) for name, counts in lengths.items()
    }
    keys, problems = set(), []
    for session in sessions:
        full = usual[session.key[1]]
        blocks = range(BLOCKS) if session.key[1] in EXPERIMENTS else (0,)
        short = {block: count for block in blocks if (count := session.trial_counts[block]) < full}
        if short:
            has = ", ".join(f"block {block} has {count}" for block, count in short.items())
            what = f"observer {session.observer}: incomplete session: {has} of {full} trials; these trials are used."
            problems.append(Problem(session.path, session.line, what))
            keys.add(session.key)
    return keys, problems
