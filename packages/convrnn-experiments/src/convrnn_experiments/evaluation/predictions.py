"""`predictions.csv`: a network's answer to each test image at each time step."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_data.base import advice
from convrnn_experiments.conditions import plain_level
from convrnn_experiments.errors import ConvRNNError

EVALUATE_AGAIN = "Run `convrnn evaluate` again"
PREDICTIONS = "predictions.csv"
PER_EXIT = ("predictions", "confidence", "entropy")
"""Prefixes of the columns that exist for each exit."""
MARGIN = "margin"
"""Prefix of the columns for each exit that files of earlier versions lack."""
_RANGES = {
    "labels": (0, 15),
    "predictions": (0, 15),
    "confidence": (0, np.inf),
    "entropy": (0, np.inf),
    MARGIN: (0, 1),
    "block": (-1, 4),
}
"""Smallest and largest valid value of each numeric column."""
_INTEGERS = ("labels", "predictions", "block")


@dataclass(frozen=True)
class Answers:
    """A network's answers; row i of every array belongs to the same image.

    Attributes:
        paths, names: Paths and file names of the images, (images,).
        labels: (images,) 0..15.
        answers: (images, time) 0..15.
        confidence: (images, time) softmax of the answer.
        entropy: (images, time) nats.
        margin: (images, time) softmax of the answer minus that of the second likeliest category; NaN where unknown.
        levels: (images,) text; numbers in their shortest form.
        blocks: (images,) response-time block 0..4, or -1.
    """

    paths: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray
    entropy: np.ndarray
    margin: np.ndarray
    levels: np.ndarray
    blocks: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """True where the answer is right, (images, time)."""
        return self.answers == self.labels[:, None]

    def of(self, rows: np.ndarray) -> "Answers":
        """Return some of the rows, by mask or position."""
        return Answers(**{name: column[rows] for name, column in vars(self).items()})


def header(exits: int) -> list[str]:
    """Return the column names for a number of exits. The first columns are those of the published code."""
    columns = [column for name in PER_EXIT for column in _exit_columns(name, exits)]
    return ["file_paths", "file_names", "labels", *columns, "level", "block", *_exit_columns(MARGIN, exits)]


def _exit_columns(name: str, exits: int) -> list[str]:
    return [f"{name}_exit{index}" for index in range(exits)]


def format_rows(batch: Answers) -> Iterator[list[Any]]:
    """Yield the cells of each row; a block of -1 is empty."""
    columns = (batch.paths, batch.names, batch.labels, batch.answers, batch.confidence, batch.entropy)
    for path, name, label, answers, confidence, entropy, level, block, margin in zip(
        *columns, batch.levels, batch.blocks, batch.margin, strict=True
    ):
        decimals = (f"{value:.6f}" for value in (*confidence, *entropy))
        margins = (f"{value:.6f}" for value in margin)
        yield [path, name, label, *answers, *decimals, level, "" if block < 0 else block, *margins]


def read_answers(path: Path) -> Answers:
    """Read a `predictions.csv`.

    Raises:
        ConvRNNError: The file does not exist, is truncated, or has wrong columns or values.
    """
    try:
        table = _read_table(path)
        exits = sum(name.startswith("predictions_exit") for name in table)
        if not exits:
            raise ValueError("it must have columns predictions_exit0, predictions_exit1, ..., got none")
        columns = {
            name: np.stack([_numbers(table, column) for column in _exit_columns(name, exits)], axis=1)
            for name in (*PER_EXIT, *([MARGIN] if f"{MARGIN}_exit0" in table else []))
        }
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
            margin=columns.get(MARGIN, np.full(columns["entropy"].shape, np.nan)),
            levels=np.array([plain_level(level) for level in _column(table, "level")], dtype=object),
            blocks=columns["block"].astype(np.int64),
        )
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path, EVALUATE_AGAIN)}") from error
    except (ValueError, csv.Error) as error:
        raise ConvRNNError(f"cannot read {path}: {error}. {EVALUATE_AGAIN}") from error


def _read_table(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the columns by name. Unlike pandas, refuses rows longer than the header, and "true" as a number."""
    _require_last_line_break(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, strict=True)
        names, rows = next(lines, []), list(lines)
    if twice := _repeated(names):
        raise ValueError(f"column names must be unique, got {twice[0]!r} twice")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise ValueError(f"row {number} must have {len(names)} cells as the header has, got {len(row)}")
    if not rows:
        raise ValueError("it must have a row per image, got the header alone")
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _require_last_line_break(path: Path) -> None:
    """Raise ValueError if the last line is truncated: it could still be read, with a shorter last cell."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 1, 0))
        if file.read() != b"\n":
            raise ValueError("its last line must end in a line break, got one that is cut short")


def _require_in_range(columns: dict[str, np.ndarray]) -> None:
    for name, (smallest, largest) in _RANGES.items():
        if name not in columns:
            continue
        values = columns[name]
        in_range = (values >= smallest) & (values <= largest)  # False for NaN
        if not in_range.all():
            raise ValueError(f"{name} must be from {smallest} to {largest}, got {values[~in_range][0]:g}")
        if name in _INTEGERS and (values % 1).any():
            raise ValueError(f"{name} must be whole numbers, got {values[values % 1 != 0][0]:g}")


def _column(table: dict[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    if name not in table:
        raise ValueError(f"it must have a column {name!r}, got {', '.join(table)}")
    return table[name]


def _numbers(table: dict[str, tuple[str, ...]], name: str) -> np.ndarray:
    return np.array([float(cell) for cell in _column(table, name)])
