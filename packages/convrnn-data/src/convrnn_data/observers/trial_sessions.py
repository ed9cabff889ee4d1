"""Sessions of trial CSVs: of SATBench's stimuli, or of experiments without response-time blocks.

Trials of SATBench's stimuli are recognised by `imagename`, and their experiment, block and level are those of the
image; `session` is the block, from 1. The columns `order`, `duration` (ms) and `tutorial_accuracy` are read where they
exist. In other experiments, all trials are in block 0, which has no beep.
"""

import math
from dataclasses import dataclass

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.human.experiment import BEEPS, BLOCKS
from convrnn_data.human.stimuli import EXPERIMENTS
from convrnn_data.human.trial_csv import (
    DURATION,
    MISSING,
    BadLine,
    Trial,
    TrialFile,
    parse_trials,
    source_image,
)
from convrnn_data.observers.answer_files import AnswerText
from convrnn_data.observers.sessions import Problem, Session, TrialRow
from convrnn_data.observers.stimulus_names import NamedStimulus, named_stimulus, plain_level

ORDER, TUTORIAL = "order", "tutorial_accuracy"
FURTHER = (ORDER, DURATION, TUTORIAL)
"""Columns after those of `trial_csv.COLUMNS`, for SATBench's stimuli."""

_BEEPS = tuple(BEEPS.values())
_TOLERANCE = 1e-3
"""Largest difference between `rt` and `duration` in ms, for programs that round."""


@dataclass(frozen=True)
class TrialSessions:
    """Content of a trial CSV.

    Attributes:
        sessions: A session per observer and experiment.
        problems: Invalid lines, or an unreadable file.
        network_trials: Number of trials if the answers are a network's, which are not read; else 0.
    """

    sessions: list[Session]
    problems: list[Problem]
    network_trials: int = 0


def read_trial_sessions(text: AnswerText) -> TrialSessions:
    """Read the sessions and the problems of a trial CSV."""
    try:
        file = parse_trials(text.path, text.text)
    except ConvRNNError as error:
        return TrialSessions([], [Problem(text.path, 1, f"{error}; the whole file is left out.", lost=True)])
    if file.is_network:
        return TrialSessions([], [], len(file.trials) + len(file.bad))
    sessions: dict[tuple[str, str], Session] = {}
    bad = list(file.bad)
    for trial in file.trials:
        further = dict(zip(file.more, trial.more, strict=True))
        row = _row(file.experiment, trial, further)
        if isinstance(row, str):
            bad.append(BadLine(trial.line, row))
            continue
        key = row.observer, row.experiment
        session = sessions.setdefault(key, Session(file.path, trial.line, trial.observer))
        session.rows.append(row)
        session.trial_counts[row.block] += 1
        if math.isnan(session.tutorial_share):
            share = _number(further.get(TUTORIAL, ""))
            session.tutorial_share = math.nan if share is None else share
    return _with_bad_lines(file, [*sessions.values()], sorted(bad))


def _with_bad_lines(file: TrialFile, sessions: list[Session], bad: list[BadLine]) -> TrialSessions:
    """Count invalid lines as unreadable trials: of the observer of the file, if there is only one."""
    problems = [Problem(file.path, line, f"{what}; left out.") for line, what in bad]
    if not bad:
        if not sessions:
            problems.append(Problem(file.path, 1, "no trial after the header; left out."))
        return TrialSessions(sessions, problems)
    if not sessions:
        problems.append(Problem(file.path, 1, "no trial can be read; left out.", lost=True))
    if len(sessions) != 1:
        sessions = [*sessions, Session(file.path, bad[0].line, "")]
    experiment = sessions[0].rows[0].experiment if sessions[0].rows else file.experiment
    sessions[-1].unreadable[experiment, "", -1] += len(bad)
    sessions[-1].trial_counts[-1] += len(bad)
    return TrialSessions(sessions, problems)


def _row(experiment: str, trial: Trial, further: dict[str, str]) -> TrialRow | str:
    """Convert a trial, or explain why it is unreadable."""
    stimulus = named_stimulus(trial.image)
    if stimulus is not None:
        return _stimulus_row(stimulus, trial, further)
    if experiment in EXPERIMENTS:
        return (
            f"imagename must be a stimulus such as 41_blur_9_bird.JPEG in SATBench's experiment {experiment}, got "
            f"{trial.image!r} (name the file after another experiment)"
        )
    missed = trial.response is None
    recorded = math.nan if trial.time is None else trial.time
    return TrialRow(
        trial.observer,
        experiment,
        block=0,
        beep=math.nan,
        trial=trial.trial - 1,
        order=0,
        file_name=source_image(trial.image),
        category=trial.category,
        level=trial.condition,
        response=trial.response,
        response_time=math.nan if missed else recorded,
        missed=missed,
        duration=recorded,
        session=trial.session,
        image_name=trial.image,
    )


def _stimulus_row(stimulus: NamedStimulus, trial: Trial, further: dict[str, str]) -> TrialRow | str:
    block = trial.session - 1
    missed = trial.response is None
    recorded = _number(further.get(DURATION, "")) if trial.time is None else trial.time
    if problem := (
        _block_problem(block, stimulus)
        or _stimulus_problem(stimulus, trial)
        or _further_problem(trial, further)
    ):
        return problem
    if not missed and recorded is None:
        return "rt must be given with a response to a stimulus of SATBench, got none"
    duration = math.nan if recorded is None else recorded
    return TrialRow(
        trial.observer,
        stimulus.experiment,
        block,
        beep=_BEEPS[block],
        trial=trial.trial - 1,
        order=int(further.get(ORDER) or 0),
        file_name=stimulus.name,
        category=stimulus.category,
        level=stimulus.level,
        response=trial.response,
        response_time=math.nan if missed else duration,
        missed=missed,
        duration=duration,
        session=trial.session,
        image_name=trial.image,
    )


def _block_problem(block: int, stimulus: NamedStimulus) -> str:
    if block >= BLOCKS:
        return f"session must be the block of the stimulus, 1 to {BLOCKS}, got {block + 1}"
    if stimulus.block not in (None, block):
        return f"session must be the block of the stimulus plus 1, got {block + 1} for _exit{stimulus.block}"
    return ""


def _stimulus_problem(stimulus: NamedStimulus, trial: Trial) -> str:
    if trial.category != stimulus.category:
        return f"category must be that of {trial.image}, got {trial.category!r}"
    if plain_level(trial.condition) != stimulus.level:
        return f"condition must be the level of {trial.image}, got {trial.condition!r}"
    return ""


def _further_problem(trial: Trial, further: dict[str, str]) -> str:
    duration, order = further.get(DURATION, ""), further.get(ORDER, "")
    if order not in ("", "0", "1", "-1"):
        return f"order must be 1 or -1, got {order!r}"
    for name in (DURATION, TUTORIAL):
        if _number(further.get(name, "")) is None and further.get(name, "").lower() not in MISSING:
            return f"{name} must be a number, got {further[name]!r}"
    number = _number(duration)
    if number is not None and trial.time is not None and abs(number - trial.time) > _TOLERANCE:
        return f"duration must be rt in ms, got {duration} for {trial.time / 1000:g} s"
    return ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
