"""Answers of a network as a trial CSV of model-vs-human (Geirhos et al. 2021): one answer per image, without time."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convrnn_data.categories import LABELS
from convrnn_data.human.stimuli import EXPERIMENTS
from convrnn_data.human.trial_csv import Trial, TrialFile, read_trial_csv, source_image
from convrnn_data.observers.stimulus_names import named_stimulus
from convrnn_experiments.conditions import level_of_condition, name_at
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.evaluation.sources import FileSource
from convrnn_experiments.rows.stimuli import ImageRow, ImportedAnswers, evaluation_of

FORM = "trial CSV of model-vs-human"
NO_TIME = "the file has one answer per image"
_LISTED = 3


def read_trials(path: Path) -> list[Evaluation]:
    """Read the answers of a network to stimuli of SATBench, or to images of an experiment without response-time blocks.

    In the latter, images are matched with human trials by source image and condition. The network has the name in the
    column subj.

    Raises:
        ConvRNNError: The file cannot be read.
        ValueError: The answers are people's, of several networks, or incomplete.
    """
    file = read_trial_csv(path)
    network = _network(file)
    if all(named_stimulus(trial.image) for trial in file.trials):
        return _of_stimuli(file).evaluations(network)
    if file.experiment in EXPERIMENTS:
        raise ValueError(
            f"its images must be stimuli such as 41_blur_9_bird.JPEG in SATBench's experiment {file.experiment}, got "
            f"{file.trials[0].image}"
        )
    return [_of_experiment(file, network)]


def _network(file: TrialFile) -> str:
    """Return the name of the network, or raise ValueError if the file is not the answers of one to every image."""
    if file.bad:
        listed = "; ".join(f"line {line}: {what}" for line, what in file.bad[:_LISTED])
        more = f" (and {len(file.bad) - _LISTED} more)" if len(file.bad) > _LISTED else ""
        raise ValueError(f"every line must be a trial, got {listed}{more}")
    if not file.trials:
        raise ValueError("it must have a trial per image, got the header alone")
    if not file.is_network:
        raise ValueError(
            "it must have the answers of a network, got people's. Give people's files with --human"
        )
    networks = sorted({trial.observer for trial in file.trials})
    if len(networks) > 1:
        raise ValueError(f"it must have one network, got {', '.join(networks)}. Write a file for each")
    missed = [trial for trial in file.trials if trial.response is None]
    if missed:
        raise ValueError(f"line {missed[0].line}: a network must answer every image, got no answer")
    return networks[0]


def _of_stimuli(file: TrialFile) -> ImportedAnswers:
    """Return answers to stimuli of SATBench, whose block is the session minus 1 unless their names give it."""
    rows = []
    for trial in file.trials:
        stimulus = named_stimulus(trial.image)
        block = trial.session - 1 if stimulus is None or stimulus.block is None else stimulus.block
        rows.append(ImageRow(trial.line, trial.image, LABELS[trial.category], block))
    return ImportedAnswers(file.path, FORM, rows, *_arrays(file.trials), np.array([np.nan]))


def _of_experiment(file: TrialFile, network: str) -> Evaluation:
    names = {trial.line: name_at(trial.condition, source_image(trial.image)) for trial in file.trials}
    lines: dict[str, int] = {}
    for line, name in names.items():
        first = lines.setdefault(name, line)
        if first != line:
            raise ValueError(
                f"line {line}: an image may occur once in a condition, got {name} in line {first} as well"
            )
    trials = sorted(file.trials, key=lambda trial: (LABELS[trial.category], names[trial.line]))
    given, confidence, entropy, margin = _arrays(trials)
    answers = Answers(
        paths=np.array([trial.image for trial in trials], dtype=object),
        names=np.array([names[trial.line] for trial in trials], dtype=object),
        labels=np.array([LABELS[trial.category] for trial in trials]),
        answers=given,
        confidence=confidence,
        entropy=entropy,
        margin=margin,
        levels=np.array([level_of_condition(trial.condition) for trial in trials], dtype=object),
        blocks=np.zeros(len(trials), dtype=np.int64),
    )
    sha256 = hashlib.sha256(file.path.read_bytes()).hexdigest()
    return evaluation_of(
        network,
        file.experiment,
        answers,
        multiply_adds=np.array([np.nan]),
        source=FileSource(file.path, FORM, sha256, len(trials)),
        unavailable={
            "speed-accuracy curve": "the experiment has no response-time blocks",
            "response times": NO_TIME,
        },
    )


def _arrays(trials: Sequence[Trial]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return answers, and unknown confidence, entropy and margin, (images, 1) each."""
    answers = np.array([[LABELS[trial.response or ""]] for trial in trials])
    unknown = np.full(answers.shape, np.nan)
    return answers, unknown, unknown, unknown
