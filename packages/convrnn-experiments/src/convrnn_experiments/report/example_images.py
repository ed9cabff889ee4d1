"""Example images on which the answer of a network changes over time."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.conditions import condition_name
from convrnn_experiments.evaluation.results import Evaluation


@dataclass(frozen=True)
class Example:
    """Image with a network's answers over time; `answers` and `confidence` are (time,)."""

    title: str
    path: str
    label: int
    answers: np.ndarray
    confidence: np.ndarray
    image: Image.Image


def examples(evaluation: Evaluation, count: int = 6) -> list[Example]:
    """Choose images on which the answer changes, from different categories and with different kinds of change.

    The kinds take turns: from wrong to right, from right to wrong, and any other change. Within a kind, images whose
    answer changes most often come first. Images that no longer exist are skipped.
    """
    chosen: list[Example] = []
    used: set[int] = set()
    for row in _ranked(evaluation):
        label = int(evaluation.answers.labels[row])
        if label in used:
            continue
        image = read_image(str(evaluation.answers.paths[row]))
        if image is None:
            continue
        used.add(label)
        chosen.append(_example(evaluation, row, image))
        if len(chosen) == count:
            break
    return chosen


def _ranked(evaluation: Evaluation) -> list[int]:
    """Return the positions of all images, best examples first."""
    answers, right = evaluation.answers.answers, evaluation.answers.right
    changes = (answers[:, 1:] != answers[:, :-1]).sum(axis=1)
    gained, lost = ~right[:, 0] & right[:, -1], right[:, 0] & ~right[:, -1]
    kinds = [gained, lost, ~gained & ~lost]
    queues = [sorted(np.flatnonzero(kind).tolist(), key=lambda row: (-changes[row], row)) for kind in kinds]
    longest = max(len(queue) for queue in queues)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


def _example(evaluation: Evaluation, row: int, image: Image.Image) -> Example:
    answers = evaluation.answers
    label, block = int(answers.labels[row]), int(answers.blocks[row])
    condition = condition_name(evaluation.regime, str(answers.levels[row]))
    time = f", RT {block + 1}" if block >= 0 else ""
    return Example(
        title=f"{CATEGORIES[label]}: {condition}{time}",
        path=str(answers.paths[row]),
        label=label,
        answers=answers.answers[row],
        confidence=answers.confidence[row],
        image=image,
    )


def read_image(path: str) -> Image.Image | None:
    """Read the image of a `file_paths` entry, a file or `TAR#KEY`; None if it is unreadable."""
    archive, inside, member = path.partition(".tar#")
    try:
        if not inside:
            return _decoded(Path(path).read_bytes())
        with tarfile.open(f"{archive}.tar") as tar:
            for name in (member, f"{member.rsplit('.', 1)[0].replace('.', '-')}.jpg"):
                if name in tar.getnames():
                    file = tar.extractfile(name)
                    return None if file is None else _decoded(file.read())
    except (OSError, tarfile.TarError):
        pass
    return None


def _decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
