"""What runs have left in their folders, read back for tables and pictures. Needs neither Keras nor TensorFlow."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_data.base import advice
from convrnn_data.base.schema import COUNT
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import Run, read_json

ALL_LEVELS = "all"
_NUMBER = (float, type(None))
"""Not-a-number is written as null."""
_ACCURACY = {"percent": [_NUMBER], "low": [_NUMBER], "high": [_NUMBER], "images": COUNT}
_MEASURES = {
    "regime": re.compile("|".join(Regime)),
    "kind": str,
    "source": str,
    "network": str,
    "images": COUNT,
    "multiply_adds": [_NUMBER],
    "parameters": COUNT,
    "environment": {"command": str, "versions": dict},
    "accuracy": _ACCURACY,
    "accuracy_by_level": {re.compile(".*"): _ACCURACY},
}
_ENVIRONMENT = {"command": str}
_NO_ENVIRONMENT = "Restore the file, or delete it to report the run without its command"
_EVALUATE_AGAIN = "Run `convrnn evaluate` again"
_ANSWERS = {
    "labels": (0, 15),
    "predictions": (0, 15),
    "confidence": (0, np.inf),
    "entropy": (0, np.inf),
    "block": (-1, 4),
}
"""Least and largest of each column of `predictions.csv`."""
_WHOLE = ("labels", "predictions", "block")


@dataclass(frozen=True)
class Answers:
    """A network's answers, from `predictions.csv`; row i of every array belongs together.

    Attributes:
        paths, names: of the images, (images,).
        labels: (images,) 0..15.
        answers: (images, time) 0..15.
        confidence: (images, time) softmax of the answer.
        entropy: (images, time) nats.
        levels: (images,) text; numbers in their shortest form.
        blocks: (images,) response-time block 0..4, or -1.
    """

    paths: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray
    entropy: np.ndarray
    levels: np.ndarray
    blocks: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """(images, time) whether each answer is right."""
        return self.answers == self.labels[:, None]

    def of(self, rows: np.ndarray) -> "Answers":
        """Some of the rows, by mask or position."""
        return Answers(**{name: column[rows] for name, column in vars(self).items()})


@dataclass(frozen=True)
class Evaluation:
    """One network on one test set under one regime."""

    run: Run
    network: str
    config: Config
    name: str
    measures: dict[str, Any]
    answers: Answers

    @property
    def regime(self) -> Regime:
        """Under which the images were shown."""
        return Regime(self.measures["regime"])

    @property
    def trained_by(self) -> str:
        """The command that made the run."""
        found = self._environment
        return "not known" if found is None else str(found["command"])

    @property
    def validated_on(self) -> str | None:
        """Where the images come from that training chose its epoch by; None for runs of older versions."""
        found = (self._environment or {}).get("validation_images")
        return found if isinstance(found, str) else None

    @property
    def _environment(self) -> dict[str, Any] | None:
        """What `environment.json` of the run holds; None where it does not exist."""
        path = self.run.path / "environment.json"
        found: dict[str, Any] | None = (
            read_json(path, _ENVIRONMENT, _NO_ENVIRONMENT) if path.is_file() else None
        )
        return found

    @property
    def origin(self) -> str:
        """Where the images of a split come from, to follow its name; "" for human stimuli and older results."""
        found = self.measures.get("origin")
        return f": {found}" if isinstance(found, str) else ""

    @property
    def human(self) -> bool:
        """Whether these are the stimuli of the human experiments."""
        return bool((self.answers.blocks >= 0).all())

    @property
    def multiply_adds(self) -> np.ndarray:
        """(time,) multiply-adds of an image up to each time step."""
        return np.array(self.measures["multiply_adds"], dtype=float)

    @property
    def levels(self) -> list[str]:
        """Levels of the images, weakest first."""
        return sorted(set(self.answers.levels.tolist()), key=level_order)

    @property
    def conditions(self) -> dict[str, np.ndarray]:
        """Name of each condition -> (images,) mask; all levels together come last, where there are several."""
        masks = {
            condition_name(self.regime, level): self.answers.levels == level
            for level in self.levels
            if self.human
        }
        if len(masks) != 1:
            masks[condition_name(self.regime, ALL_LEVELS)] = np.ones(len(self.answers.labels), bool)
        return masks


def condition_name(regime: Regime, level: str) -> str:
    """The one name of a condition in every table and picture: `color`, `noise 0.04`, `blur (all levels)`."""
    if CONDITIONS[regime].perturbation is None:
        return str(regime)
    return f"{regime} (all levels)" if level == ALL_LEVELS else f"{regime} {plain_level(level)}"


def plain_level(level: Any) -> str:
    """A level in its shortest form: 0.0, "0.0" and 0 are all "0"; c and g stay."""
    try:
        return f"{float(level):g}"
    except ValueError:
        return str(level)


def level_order(level: str) -> tuple[float, str]:
    """Sorts levels by their number; those without one come last."""
    try:
        return float(level), level
    except ValueError:
        return float("inf"), level


def read_evaluations(paths: Sequence[Path]) -> list[Evaluation]:
    """Every evaluation of every run: in the order of the runs, a run's own regime first, then by name.

    Raises:
        ConvRNNError: a folder is no run, is unfinished, has not been evaluated, or holds results that cannot be read.
    """
    names = Counter(path.resolve().name for path in paths)
    found = []
    for path in dict.fromkeys(paths):
        run = Run(path)
        run.require_finished()
        measured = sorted(path.glob("evaluation/*/measures.json"))
        if not measured:
            raise ConvRNNError(
                f"cannot read the results of {path}: the run must be evaluated, got no evaluation/*/measures.json. "
                f"Run `convrnn evaluate {path} TESTSET` first"
            )
        network = path.resolve().name if names[path.resolve().name] == 1 else str(path)
        config = run.config()
        ours = [_evaluation(run, network, config, file.parent) for file in measured]
        found += sorted(ours, key=lambda one: (one.regime != config.perturb, not one.human, one.name))
    return found


def _evaluation(run: Run, network: str, config: Config, folder: Path) -> Evaluation:
    file = folder / "measures.json"
    measures = read_json(file, _MEASURES, _EVALUATE_AGAIN)
    answers = read_answers(folder / "predictions.csv")
    for what, measured, answered in (
        ("time steps", len(measures["multiply_adds"]), answers.answers.shape[1]),
        ("images", measures["images"], len(answers.labels)),
    ):
        if measured != answered:
            raise ConvRNNError(
                f"cannot read the results in {folder}: measures.json and predictions.csv must have the same number of "
                f"{what}, got {measured} and {answered}. {_EVALUATE_AGAIN}"
            )
    return Evaluation(run, network, config, folder.name, measures, answers)


def read_answers(path: Path) -> Answers:
    """Reads a `predictions.csv`.

    Raises:
        ConvRNNError: there is none, it is cut short, or it has other columns.
    """
    try:
        table = _read_table(path)
        exits = sum(name.startswith("predictions_exit") for name in table)
        if not exits:
            raise ValueError("it must have columns predictions_exit0, predictions_exit1, ..., got none")
        columns = {name: _by_exit(table, name, exits) for name in ("predictions", "confidence", "entropy")}
        columns["labels"] = _numbers(table, "labels")
        columns["block"] = np.array([float(block or -1) for block in _column(table, "block")])
        _require_in_range(columns)
        return Answers(
            paths=np.array(_column(table, "file_paths"), dtype=object),
            names=np.array(_column(table, "file_names"), dtype=object),
            labels=columns["labels"].astype(np.int64),
            answers=columns["predictions"].astype(np.int64),
            confidence=columns["confidence"],
            entropy=columns["entropy"],
            levels=np.array([plain_level(level) for level in _column(table, "level")], dtype=object),
            blocks=columns["block"].astype(np.int64),
        )
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path, _EVALUATE_AGAIN)}") from error
    except (ValueError, csv.Error) as error:
        raise ConvRNNError(f"cannot read {path}: {error}. {_EVALUATE_AGAIN}") from error


def _read_table(path: Path) -> dict[str, tuple[str, ...]]:
    """Column by name. pandas guesses where rows are longer than the header, and takes true for 1: not here."""
    _require_last_line(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, strict=True)
        header, rows = next(lines, []), list(lines)
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        raise ValueError(f"column names must be unique, got {twice[0]!r} twice")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(f"row {number} must have {len(header)} cells as the header has, got {len(row)}")
    if not rows:
        raise ValueError("it must have a row per image, got the header alone")
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _require_last_line(path: Path) -> None:
    """A table that is cut within its last line still reads, with less in it."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 1, 0))
        if file.read() != b"\n":
            raise ValueError("its last line must end in a line break, got one that is cut short")


def _require_in_range(columns: dict[str, np.ndarray]) -> None:
    for name, (least, largest) in _ANSWERS.items():
        # Not-a-number is in no range.
        values = columns[name]
        in_range = (values >= least) & (values <= largest)
        if not in_range.all():
            raise ValueError(f"{name} must be from {least} to {largest}, got {values[~in_range][0]:g}")
        if name in _WHOLE and (values % 1).any():
            raise ValueError(f"{name} must be whole numbers, got {values[values % 1 != 0][0]:g}")


def _column(table: dict[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    if name not in table:
        raise ValueError(f"it must have a column {name!r}, got {', '.join(table)}")
    return table[name]


def _numbers(table: dict[str, tuple[str, ...]], name: str) -> np.ndarray:
    return np.array([float(cell) for cell in _column(table, name)])


def _by_exit(table: dict[str, tuple[str, ...]], name: str, exits: int) -> np.ndarray:
    return np.stack([_numbers(table, f"{name}_exit{index}") for index in range(exits)], axis=1)
