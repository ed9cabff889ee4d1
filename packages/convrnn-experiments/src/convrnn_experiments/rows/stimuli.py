"""Answers of a network in a file of another program, checked and sorted by regime."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from convrnn_data.categories import CATEGORIES, LABELS
from convrnn_data.human.experiment import BLOCK_FOLDERS
from convrnn_data.human.stimuli import StimulusName, parse_name
from convrnn_experiments.conditions import Regime, level_order, plain_level
from convrnn_experiments.evaluation.accuracy import accuracy_estimates
from convrnn_experiments.evaluation.measures import Accuracy
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.evaluation.sources import FileSource

KIND = "human stimuli"
NO_PROBABILITIES = "the file has answers without probabilities"
NO_COST = "the file does not give multiply-adds"


@dataclass(frozen=True)
class ImageRow:
    """Image of a file.

    Attributes:
        line: Line of the file, from 1.
        image: Path or name of the image.
        label: Category that the file gives, 0 to 15; None if it gives none.
        block: Response-time block that the file gives; None if it gives none.
    """

    line: int
    image: str
    label: int | None
    block: int | None


@dataclass(frozen=True)
class ImportedAnswers:
    """Answers of a network to stimuli of the human experiments, as read from a file.

    Attributes:
        path: The file.
        form: Name of its form.
        images: Images in the order of the arrays.
        answers: (images, time) 0 to 15.
        confidence, entropy, margin: (images, time), as for `Answers`; NaN where unknown.
        multiply_adds: (time,), per image up to each time step; NaN where unknown.
    """

    path: Path
    form: str
    images: Sequence[ImageRow]
    answers: np.ndarray
    confidence: np.ndarray
    entropy: np.ndarray
    margin: np.ndarray
    multiply_adds: np.ndarray

    def evaluations(self, network: str) -> list[Evaluation]:
        """Return an evaluation for each regime of the images, in the order of the regimes.

        Raises:
            ValueError: An image is not a stimulus, occurs twice, or contradicts its name.
        """
        names = [_stimulus(row) for row in self.images]
        _require_unique(self.images, names)
        regimes = np.array([name.regime for name in names])
        sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
        found = [regime for regime in Regime if (regimes == regime).any()]
        return [
            self._evaluation(network, regime, names, np.flatnonzero(regimes == regime), sha256)
            for regime in found
        ]

    def _evaluation(
        self, network: str, regime: Regime, names: Sequence[StimulusName], rows: np.ndarray, sha256: str
    ) -> Evaluation:
        rows = np.array(sorted(rows, key=lambda row: (LABELS[names[row].category], str(names[row]))))
        chosen = [names[row] for row in rows]
        answers = Answers(
            paths=np.array([self.images[row].image for row in rows], dtype=object),
            names=np.array([str(name) for name in chosen], dtype=object),
            labels=np.array([LABELS[name.category] for name in chosen]),
            answers=self.answers[rows],
            confidence=self.confidence[rows],
            entropy=self.entropy[rows],
            margin=self.margin[rows],
            levels=np.array([plain_level(name.level) for name in chosen], dtype=object),
            blocks=np.array([name.block for name in chosen]),
        )
        source = FileSource(self.path, self.form, sha256, len(rows))
        return evaluation_of(
            network,
            str(regime),
            answers,
            multiply_adds=self.multiply_adds,
            source=source,
            unavailable=self._unavailable,
        )

    @property
    def _unavailable(self) -> dict[str, str]:
        lacking = {}
        if np.isnan(self.entropy).any():
            lacking["response times"] = NO_PROBABILITIES
        if np.isnan(self.multiply_adds).any():
            lacking["curve over multiply-adds"] = NO_COST
        return lacking


def evaluation_of(
    network: str,
    regime: str,
    answers: Answers,
    *,
    multiply_adds: np.ndarray,
    source: FileSource,
    unavailable: Mapping[str, str],
) -> Evaluation:
    """Return the evaluation for the answers in a file, named after the regime, with its accuracies."""
    levels = sorted(set(answers.levels.tolist()), key=level_order)
    return Evaluation(
        network=network,
        name=regime,
        regime=regime,
        kind=KIND,
        test_set=str(source.path),
        origin=None,
        answers=answers,
        multiply_adds=multiply_adds,
        accuracy=_accuracy(answers),
        accuracy_by_level={level: _accuracy(answers.of(answers.levels == level)) for level in levels},
        source=source,
        unavailable=unavailable,
    )


def category(text: str) -> int:
    """Return the number of a category from its name or number.

    Raises:
        ValueError: It is neither.
    """
    name = text.strip().lower()
    if name in LABELS:
        return LABELS[name]
    if name.isdecimal() and len(name) <= 2 and int(name) < len(CATEGORIES):
        return int(name)
    raise ValueError(
        f"a category must be one of {', '.join(CATEGORIES)}, or 0 to 15 in this order, got {text!r}. Map other classes "
        "to the 16 categories with `convrnn_model.map_decisions`"
    )


def block_number(text: str) -> int | None:
    """Return a response-time block from text; None if it is empty.

    Raises:
        ValueError: It is not 0 to 4.
    """
    if not text.strip():
        return None
    if text.strip() not in BLOCK_FOLDERS:
        raise ValueError(f"block must be 0 to 4, the fastest first, got {text!r}")
    return int(text)


def _accuracy(answers: Answers) -> Accuracy:
    estimates = accuracy_estimates(answers.right, answers.levels, answers.blocks, answers.labels)
    return Accuracy.of(estimates, len(answers.labels))


def _stimulus(row: ImageRow) -> StimulusName:
    """Return the name of the stimulus with its block, which the name, its folder or the file gives."""
    path = PurePosixPath(row.image.replace("\\", "/").rpartition("#")[2])
    name = parse_name(path.name)
    if name is None:
        raise ValueError(
            f"line {row.line}: an image must be named as the stimuli of the human experiments are, such as "
            f"14_noise_0.16_bicycle.JPEG, got {row.image!r}"
        )
    if row.label is not None and row.label != LABELS[name.category]:
        raise ValueError(
            f"line {row.line}: the label must be the category in the name of the image, got {CATEGORIES[row.label]} "
            f"for {path.name}. Categories are numbered in alphabetical order"
        )
    folder = int(path.parent.name) if path.parent.name in BLOCK_FOLDERS else None
    given = {block for block in (name.block, folder, row.block) if block is not None}
    if len(given) != 1:
        found = f"blocks {', '.join(map(str, sorted(given)))}" if given else "no block"
        raise ValueError(
            f"line {row.line}: an image must be in one response-time block, got {found} for {row.image!r}. Give the "
            "block in a column `block`, as the folder of the image, or as _exit0 to _exit4 at the end of its name"
        )
    return name._replace(block=given.pop())


def _require_unique(images: Sequence[ImageRow], names: Sequence[StimulusName]) -> None:
    lines: dict[str, int] = {}
    for row, name in zip(images, names, strict=True):
        first = lines.setdefault(str(name), row.line)
        if first != row.line:
            raise ValueError(f"line {row.line}: an image may occur once, got {name} in line {first} as well")
