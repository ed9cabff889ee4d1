"""CSV files of other programs, with the line of each row."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST = 2**30
"""Largest size of a file, in bytes."""


@dataclass(frozen=True)
class CsvLines:
    """Rows of a CSV file.

    Attributes:
        names: Names of the columns, in lower case.
        rows: (line, cells) of each row.
    """

    names: tuple[str, ...]
    rows: list[tuple[int, list[str]]]

    def column(self, *names: str) -> list[str]:
        """Return the cells of the first column that exists.

        Raises:
            ValueError: None of them exists.
        """
        for name in names:
            if name in self.names:
                position = self.names.index(name)
                return [cells[position] for _, cells in self.rows]
        raise ValueError(f"it must have a column {' or '.join(names)}, got {', '.join(self.names)}")

    def optional(self, name: str) -> list[str]:
        """Return the cells of a column; empty cells if it does not exist."""
        return self.column(name) if name in self.names else [""] * len(self.rows)

    @property
    def lines(self) -> list[int]:
        """Line of each row, from 1."""
        return [line for line, _ in self.rows]


def column_names(path: Path) -> tuple[str, ...]:
    """Return the names of the columns in lower case; empty if the first line is not text.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        first = file.readline(2**16)
    try:
        names = next(csv.reader([first.decode("utf-8-sig")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return ()
    return tuple(name.strip().lower() for name in names)


def read_csv(path: Path) -> CsvLines:
    """Read a CSV file in UTF-8, with or without a byte order mark.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a table, is empty, or a row has another number of cells than the header.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"it must have at most {LARGEST} bytes, got {size}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        rows = list(_rows(reader))
    if not rows:
        raise ValueError("it must be a table with a header, got an empty file")
    names = tuple(name.strip().lower() for name in rows[0][1])
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"column names must be unique, got {twice[0]!r} twice")
    for line, cells in rows[1:]:
        if len(cells) != len(names):
            raise ValueError(f"line {line} must have {len(names)} cells as the header has, got {len(cells)}")
    if len(rows) == 1:
        raise ValueError("it must have a row per answer, got the header alone")
    return CsvLines(names, rows[1:])


def _rows(reader: Any) -> Iterator[tuple[int, list[str]]]:
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} must be comma-separated values ({error})") from error


def numbers(cells: Sequence[str], lines: Sequence[int], name: str) -> list[float]:
    """Parse a column of finite numbers.

    Raises:
        ValueError: A cell is not a finite number.
    """
    values = []
    for cell, line in zip(cells, lines, strict=True):
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if not abs(value) < float("inf"):
            raise ValueError(f"line {line}: {name} must be a number, got {cell!r}")
        values.append(value)
    return values
