"""Results of evaluations, read from the folders of runs; needs neither Keras nor TensorFlow."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from convrnn_experiments.conditions import ALL_LEVELS, condition_name, level_order
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.measures import Accuracy, Measures
from convrnn_experiments.evaluation.predictions import EVALUATE_AGAIN, PREDICTIONS, Answers, read_answers
from convrnn_experiments.evaluation.sources import RunSource, Source
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import Run, read_json
from convrnn_experiments.runs.untrained import UntrainedConfig

_GENERIC = ("results", "predictions", "targets_predictions_by_exp")


@dataclass(frozen=True)
class Evaluation:
    """Results of one network on one test set under one regime.

    Attributes:
        network: Name of the network, unique among those that are compared.
        name: Name of the results, which is that of their folder.
        regime: Regime under which images were shown, or name of another experiment.
        kind: Human stimuli or a split, in words.
        test_set: Folder of the test set.
        origin: Origin of the images of a split, in words; None for human stimuli and older results.
        answers: Answer to each image at each time step.
        multiply_adds: Multiply-adds per image up to each time step, (time,); NaN where unknown.
        accuracy: Accuracy on all images.
        accuracy_by_level: Level -> accuracy.
        source: Run or file of the results.
        unavailable: What the source does not have, such as "response times" -> the reason.
    """

    network: str
    name: str
    regime: str
    kind: str
    test_set: str
    origin: str | None
    answers: Answers
    multiply_adds: np.ndarray
    accuracy: Accuracy
    accuracy_by_level: Mapping[str, Accuracy]
    source: Source
    unavailable: Mapping[str, str] = field(default_factory=dict)

    @property
    def human(self) -> bool:
        """True if the images are stimuli of the human experiments."""
        return bool((self.answers.blocks >= 0).all())

    @property
    def levels(self) -> list[str]:
        """Levels of the images, weakest first."""
        return sorted(set(self.answers.levels.tolist()), key=level_order)

    @property
    def conditions(self) -> dict[str, np.ndarray]:
        """Name of each condition -> (images,) mask; all levels together come last, if there are several."""
        masks = {
            condition_name(self.regime, level): self.answers.levels == level
            for level in self.levels
            if self.human
        }
        if len(masks) != 1:
            masks[condition_name(self.regime, ALL_LEVELS)] = np.ones(len(self.answers.labels), bool)
        return masks


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each path: its last part without the suffix of a file, or the path if others share it.

    Files with a name that programs give, such as results.json, are named after their folder.
    """
    stems = [_stem(path) for path in paths]
    counts = Counter(stem for stem, _ in dict.fromkeys(zip(stems, paths, strict=True)))
    return [stem if counts[stem] == 1 else str(path) for stem, path in zip(stems, paths, strict=True)]


def _stem(path: Path) -> str:
    resolved = path.resolve()
    if not path.is_file():
        return resolved.name
    return resolved.parent.name if path.stem.lower() in _GENERIC else path.stem


def read_evaluations(paths: Sequence[Path]) -> list[Evaluation]:
    """Read every evaluation of every run, in the order of the runs.

    Raises:
        ConvRNNError: A folder is not a run, is unfinished or has not been evaluated, or results cannot be read.
    """
    runs = list(dict.fromkeys(paths))
    return [
        evaluation
        for path, name in zip(runs, unique_names(runs), strict=True)
        for evaluation in read_run(path, name)
    ]


def read_run(path: Path, network: str) -> list[Evaluation]:
    """Read every evaluation of a run: its own regime first, then by name.

    Args:
        path: Folder of the run, or of the results of a weights file.
        network: Name of the network.

    Raises:
        ConvRNNError: The folder is not a run, is unfinished or has not been evaluated, or results cannot be read.
    """
    run = Run(path)
    run.require_finished()
    files = run.measures()
    if not files:
        raise ConvRNNError(
            f"cannot read the results of {path}: the run must be evaluated, got no evaluation/*/measures.json. "
            f"Run `convrnn evaluate {path} TESTSET` first"
        )
    config = run.settings()
    evaluations = [_evaluation(run, network, config, file) for file in files]
    return sorted(
        evaluations, key=lambda result: (result.regime != config.trained_on, not result.human, result.name)
    )


def _evaluation(run: Run, network: str, config: Config | UntrainedConfig, file: Path) -> Evaluation:
    folder = file.parent
    measures = read_json(file, Measures, EVALUATE_AGAIN)
    answers = read_answers(folder / PREDICTIONS)
    for what, measured, answered in (
        ("time steps", len(measures.multiply_adds), answers.answers.shape[1]),
        ("images", measures.images, len(answers.labels)),
    ):
        if measured != answered:
            raise ConvRNNError(
                f"cannot read the results in {folder}: measures.json and predictions.csv must have the same number of "
                f"{what}, got {measured} and {answered}. {EVALUATE_AGAIN}"
            )
    return Evaluation(
        network=network,
        name=folder.name,
        regime=measures.regime,
        kind=measures.kind,
        test_set=measures.source,
        origin=measures.origin,
        answers=answers,
        multiply_adds=np.array(measures.multiply_adds, dtype=float),
        accuracy=measures.accuracy,
        accuracy_by_level=measures.accuracy_by_level,
        source=RunSource(run, config, measures),
    )
