"""Results of evaluations, read from the folders of runs; needs neither Keras nor TensorFlow."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convrnn_experiments.conditions import ALL_LEVELS, Regime, condition_name, level_order
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.measures import Measures
from convrnn_experiments.evaluation.predictions import EVALUATE_AGAIN, PREDICTIONS, Answers, read_answers
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.environment import Environment
from convrnn_experiments.runs.folder import Run, read_json
from convrnn_experiments.runs.untrained import NOT_TRAINED, UntrainedConfig

_RESTORE = "Restore the file, or delete it to report the run without its command"


@dataclass(frozen=True)
class Evaluation:
    """Results of one network on one test set under one regime.

    Attributes:
        network: Name of the network, unique among those that are compared.
        name: Name of the results, which is that of their folder.
    """

    run: Run
    network: str
    config: Config | UntrainedConfig
    name: str
    measures: Measures
    answers: Answers

    @property
    def regime(self) -> Regime:
        """Regime under which images were shown."""
        return self.measures.regime

    @property
    def trained_by(self) -> str:
        """Command that trained the network, or why there is none."""
        environment = self._environment
        if isinstance(self.config, UntrainedConfig):
            return NOT_TRAINED
        return "not known" if environment is None else environment.command

    @property
    def validated_on(self) -> str | None:
        """Origin of the images by which training chose its epoch; None for runs of older versions."""
        environment = self._environment
        return None if environment is None else environment.validation_images

    @property
    def _environment(self) -> Environment | None:
        path = self.run.environment
        return read_json(path, Environment, _RESTORE) if path.is_file() else None

    @property
    def origin(self) -> str:
        """Origin of the images of a split, to follow its name; "" for human stimuli and older results."""
        return f": {self.measures.origin}" if self.measures.origin is not None else ""

    @property
    def human(self) -> bool:
        """True if the images are stimuli of the human experiments."""
        return bool((self.answers.blocks >= 0).all())

    @property
    def multiply_adds(self) -> np.ndarray:
        """Multiply-adds per image up to each time step, (time,)."""
        return np.array(self.measures.multiply_adds, dtype=float)

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


def read_evaluations(paths: Sequence[Path]) -> list[Evaluation]:
    """Read every evaluation of every run: in the order of the runs, a run's own regime first, then by name.

    Raises:
        ConvRNNError: A folder is not a run, is unfinished or has not been evaluated, or results cannot be read.
    """
    names = Counter(path.resolve().name for path in paths)
    evaluations = []
    for path in dict.fromkeys(paths):
        run = Run(path)
        run.require_finished()
        files = run.measures()
        if not files:
            raise ConvRNNError(
                f"cannot read the results of {path}: the run must be evaluated, got no evaluation/*/measures.json. "
                f"Run `convrnn evaluate {path} TESTSET` first"
            )
        network = path.resolve().name if names[path.resolve().name] == 1 else str(path)
        config = run.settings()
        of_run = [_evaluation(run, network, config, file) for file in files]
        evaluations += sorted(
            of_run, key=lambda result: (result.regime != config.trained_on, not result.human, result.name)
        )
    return evaluations


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
    return Evaluation(run, network, config, folder.name, measures, answers)
