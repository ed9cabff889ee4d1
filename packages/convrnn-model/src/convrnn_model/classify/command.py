"""Command `convrnn-model classify`: answers as a text table, a CSV file and a picture."""

import csv as csv_writer
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from convrnn_model.classify.answers import Answers, Classes, Classifier
from convrnn_model.classify.photo import read_photo
from convrnn_model.errors import ConvRNNError
from convrnn_model.files import write_whole
from convrnn_model.variants import VARIANTS
from convrnn_model.weights.inspection import PathLike

BATCH = 8


def classify(
    photos: Sequence[Path],
    weights: PathLike,
    *,
    classes: Classes = "all",
    n_timesteps: int | None = None,
    cumulative_readout: bool = False,
    image_size: int = 128,
) -> list[Answers]:
    """Classify photos; all are read before the first is classified.

    Raises:
        ConvRNNError: A photo or the weights cannot be read, or the image size is too small for the network.
    """
    classifier = Classifier(
        weights, classes=classes, n_timesteps=n_timesteps, cumulative_readout=cumulative_readout
    )
    smallest = VARIANTS[classifier.info.variant].smallest_side
    if image_size < smallest:
        raise ConvRNNError(
            f"the image size must be at least {smallest} px for {classifier.info.variant}, got {image_size}. Choose a "
            "larger one."
        )
    read = [read_photo(path, image_size) for path in photos]
    return [
        answer for start in range(0, len(read), BATCH) for answer in classifier(read[start : start + BATCH])
    ]


def table(answers: Sequence[Answers], top: int) -> str:
    """Format the answers as text: a block per photo, a line per time step."""
    return "\n\n".join("\n".join(_lines(one, top)) for one in answers)


def _lines(answers: Answers, top: int) -> Iterator[str]:
    photo = answers.photo
    yield f"{photo.path}: {photo.width} x {photo.height} px, central square at {len(photo.image)} px"
    cells = [[f"{name} {probability:.3f}" for name, probability in step] for step in answers.top(top)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    yield "time step  entropy (nats)  most probable classes"
    for time, (step, entropy) in enumerate(zip(cells, answers.entropy, strict=True), start=1):
        line = "  ".join(cell.ljust(width) for cell, width in zip(step, widths, strict=True))
        yield f"{time:>9}  {entropy:>14.2f}  {line}".rstrip()


def write(
    answers: Sequence[Answers], top: int, *, picture: Path | None = None, csv: Path | None = None
) -> list[Path]:
    """Write the picture and the CSV file that are asked for, and return their paths.

    Raises:
        ConvRNNError: A file cannot be written.
    """
    if csv is not None:
        _write_csv(answers, top, csv)
    if picture is not None:
        from convrnn_model.classify.picture import draw

        draw(answers, picture)
    return [path for path in (csv, picture) if path is not None]


def _write_csv(answers: Sequence[Answers], top: int, path: Path) -> None:
    rows = [row for one in answers for row in one.rows(top)]
    text = io.StringIO()
    writer = csv_writer.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())
