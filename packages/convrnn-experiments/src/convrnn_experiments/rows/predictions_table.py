"""Predictions of any network as CSV: one row per image and time (long), or per image (wide, as ConvRNN wrote them).

The long form has the columns

| column | |
|---|---|
| image | path or file name of the stimulus |
| label | category, by name or number; may be left out |
| time | time step, or any number that rises with time; each image has all times |
| prediction | category answered, by name or number; or, instead: |
| airplane ... truck | probabilities of the 16 categories, from which answer, confidence, entropy and margin follow |
| block | response-time block 0 to 4, if neither folder nor name of the image gives it |
| multiply_adds | per image up to this time; may be left out |

The wide form has `file_names` or `file_paths`, `labels`, `predictions_exit0`, `predictions_exit1`, ..., and, if known,
`confidence_exit*`, `entropy_exit*` and `margin_exit*`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.evaluation.predictions import MARGIN
from convrnn_experiments.rows.csv_lines import CsvLines, numbers, read_csv
from convrnn_experiments.rows.stimuli import ImageRow, ImportedAnswers, block_number, category
from convrnn_experiments.statistics.uncertainty import confidence_margin

LONG, WIDE = "predictions, a row per image and time", "predictions, a row per image"
_TOLERANCE = 1e-3
"""Largest difference of the sum of probabilities from 1."""


def is_long(names: Sequence[str]) -> bool:
    """Return whether column names are those of the long form."""
    return {"image", "time"} <= set(names)


def is_wide(names: Sequence[str]) -> bool:
    """Return whether column names are those of the wide form."""
    return "predictions_exit0" in names


def read_wide(path: Path) -> ImportedAnswers:
    """Read predictions with a row per image.

    Raises:
        OSError: The file cannot be read.
        ValueError: Columns are missing, or a value is invalid.
    """
    table = read_csv(path)
    exits = sum(name.startswith("predictions_exit") for name in table.names)
    answers = np.stack([_categories(table, f"predictions_exit{step}") for step in range(exits)], axis=1)
    return ImportedAnswers(
        path,
        WIDE,
        _image_rows(table, table.column("file_paths", "file_names"), table.column("labels")),
        answers,
        _per_exit(table, "confidence", exits),
        _per_exit(table, "entropy", exits),
        _per_exit(table, MARGIN, exits),
        np.full(exits, np.nan),
    )


def read_long(path: Path) -> ImportedAnswers:
    """Read predictions with a row per image and time.

    Raises:
        OSError: The file cannot be read.
        ValueError: Columns are missing, a value is invalid, or an image does not have every time once.
    """
    table = read_csv(path)
    images, labels = table.column("image"), table.optional("label")
    blocks = table.optional("block")
    times = numbers(table.column("time"), table.lines, "time")
    keys = list(zip(images, blocks, strict=True))
    order, steps = _grid(keys, times, table.lines)
    probabilities = _probabilities(table)
    if probabilities is None:
        given = _categories(table, "prediction")
        confidence = entropy = margin = np.full(len(given), np.nan)
    else:
        given, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
        entropy = -(probabilities * logs).sum(axis=1)
        margin = confidence_margin(probabilities)
    first = order[:, 0]
    rows = _image_rows(table, images, labels)
    for image in order:
        if len({labels[row] for row in image}) > 1:
            raise ValueError(f"line {table.lines[image[-1]]}: an image must have one label at all times")
    return ImportedAnswers(
        path,
        LONG,
        [rows[row] for row in first],
        given[order],
        confidence[order],
        entropy[order],
        margin[order],
        _multiply_adds(table, order, steps),
    )


def _grid(
    keys: Sequence[tuple[str, str]], times: Sequence[float], lines: Sequence[int]
) -> tuple[np.ndarray, int]:
    """Return the row of each image and time, (images, times), and the number of times."""
    distinct = sorted(set(times))
    positions = {time: step for step, time in enumerate(distinct)}
    rows: dict[tuple[str, str], dict[int, int]] = {}
    for row, (key, time) in enumerate(zip(keys, times, strict=True)):
        of_image = rows.setdefault(key, {})
        if positions[time] in of_image:
            raise ValueError(
                f"line {lines[row]}: an image may have one row per time, got {key[0]!r} at time {time:g} in line "
                f"{lines[of_image[positions[time]]]} as well. If the image is in several response-time blocks, give a "
                "column `block`"
            )
        of_image[positions[time]] = row
    for (image, _), of_image in rows.items():
        if len(of_image) < len(distinct):
            absent = next(time for time in distinct if positions[time] not in of_image)
            raise ValueError(
                f"line {lines[next(iter(of_image.values()))]}: every image must have all times, got {image!r} without "
                f"time {absent:g}"
            )
    return np.array([[of_image[step] for step in range(len(distinct))] for of_image in rows.values()]), len(
        distinct
    )


def _image_rows(table: CsvLines, images: Sequence[str], labels: Sequence[str]) -> list[ImageRow]:
    rows = []
    for line, image, label, block in zip(table.lines, images, labels, table.optional("block"), strict=True):
        try:
            rows.append(
                ImageRow(line, image, category(label) if label.strip() else None, block_number(block))
            )
        except ValueError as error:
            raise ValueError(f"line {line}: {error}") from error
    return rows


def _categories(table: CsvLines, name: str) -> np.ndarray:
    found = []
    for line, cell in zip(table.lines, table.column(name), strict=True):
        try:
            found.append(category(cell))
        except ValueError as error:
            raise ValueError(f"line {line}: {name}: {error}") from error
    return np.array(found)


def _per_exit(table: CsvLines, name: str, exits: int) -> np.ndarray:
    """Return the values of a measure at each exit, (images, exits); NaN without its columns."""
    columns = [f"{name}_exit{step}" for step in range(exits)]
    if not set(columns) & set(table.names):
        return np.full((len(table.rows), exits), np.nan)
    values = np.stack([numbers(table.column(column), table.lines, column) for column in columns], axis=1)
    if (values < 0).any():
        row, step = np.argwhere(values < 0)[0]
        raise ValueError(
            f"line {table.lines[row]}: {columns[step]} must be at least 0, got {values[row, step]:g}"
        )
    return values


def _probabilities(table: CsvLines) -> np.ndarray | None:
    """Return the probabilities of the categories, (rows, 16); None without any of their columns."""
    present = [name for name in CATEGORIES if name in table.names]
    if not present:
        return None
    if len(present) < len(CATEGORIES):
        absent = next(name for name in CATEGORIES if name not in present)
        raise ValueError(f"it must have a probability for each of the 16 categories, got no column {absent}")
    values = np.stack([numbers(table.column(name), table.lines, name) for name in CATEGORIES], axis=1)
    totals = values.sum(axis=1)
    wrong = (values < 0).any(axis=1) | (np.abs(totals - 1) > _TOLERANCE)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"line {table.lines[row]}: probabilities must be at least 0 with the sum 1, got the smallest "
            f"{values[row].min():g} and the sum {totals[row]:g}. Give the softmax over the 16 categories"
        )
    return values / totals[:, None]


def _multiply_adds(table: CsvLines, order: np.ndarray, steps: int) -> np.ndarray:
    """Return the multiply-adds up to each time, (times,); NaN without the column."""
    if "multiply_adds" not in table.names:
        return np.full(steps, np.nan)
    values = np.array(numbers(table.column("multiply_adds"), table.lines, "multiply_adds"))[order]
    differing = (values != values[0]).any(axis=1)
    if differing.any():
        line = table.lines[order[int(np.flatnonzero(differing)[0]), 0]]
        raise ValueError(
            f"line {line}: multiply_adds must be the same for all images at a time, got another value"
        )
    if (values[0] <= 0).any() or (np.diff(values[0]) < 0).any():
        raise ValueError("multiply_adds must be positive and not fall over time")
    return values[0]
