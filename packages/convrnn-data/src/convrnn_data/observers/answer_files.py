"""Files of human answers: discovery, and decoding of their JSON arrays.

JATOS exports results as a text file, `jatos_results_*.txt`, or as an archive (`.zip`, `.jrzip`) with a `data.txt` per
result, in `study_result_1/comp-result_1/`, and a `metadata.json`; `result_archives` unpacks archives. Metadata is
ignored: the rows of a result have the id of the observer, and a result counts whether or not JATOS calls it finished.
Trial CSVs (`human.trial_csv`) are recognised by their header, or by a name that ends in `_session_1.csv` or
`_session-1.csv`. All of these may be at any depth of a folder. Text editors, scripts and JATOS versions lay out the
arrays differently: one per line, several on a line, one over several lines, or all nested in one array. `json_records`
decodes all of these.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convrnn_data.base import advice
from convrnn_data.base.directories import files_below, is_dead_link
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.text import decoded
from convrnn_data.human.trial_csv import is_trial_header
from convrnn_data.observers.result_archives import (
    ARCHIVES,
    RESULT,
    RESULTS,
    holds_results,
    is_result,
    is_session,
    unpacked,
)

TRIALS = ".csv"
ACCEPTED = f"{RESULTS}, a JATOS archive ({', '.join(ARCHIVES)}), {RESULT} of single results, or trial CSVs"

_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp")
_LONGEST_HEADER = 4096
_NEXT_LINE = re.compile(r"\n(?=\s*\[)")
_NEXT_ARRAY = re.compile(r"\](?=[\s,]*\[\s*\{)")
_GAP = re.compile(r"[\s,]*")
_LINE = re.compile(r"[^\n]*")
_MOST_RETRIES = 100


@dataclass(frozen=True)
class AnswerText:
    """Text of one result file; the `path` of an archive's member starts with the path of the archive."""

    path: Path
    text: str

    @property
    def is_trial_csv(self) -> bool:
        """True if the text is a trial CSV, by its header or by the name of the file."""
        return is_session(self.path.name) or is_trial_header(self.text.partition("\n")[0])


@dataclass(frozen=True)
class Record:
    """JSON value in the text of a file, or invalid text if `problem` is set.

    Attributes:
        line: First line, from 1.
        value: Decoded value; None if invalid.
        problem: Reason why the text is invalid; None if it is valid.
        array: Whether it is, or starts as, a JSON array.
    """

    line: int
    value: Any
    problem: str | None
    array: bool


def answer_texts(paths: str | Path | Iterable[str | Path]) -> Iterator[AnswerText]:
    """Read all result files at some paths: files, archives, or folders of either. Each file is read once.

    Raises:
        ConvRNNError: A path does not exist, a folder cannot be listed or contains no result file, or a file is
            unreadable.
    """
    seen: set[Path] = set()
    for path in [paths] if isinstance(paths, str | Path) else list(paths):
        for file in _files(Path(path)):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield from _texts(file)


def json_records(text: str) -> Iterator[Record]:
    """Decode the JSON values of a text, regardless of line breaks.

    An array of arrays is a record per element. After an invalid value, decoding resumes on the next line, or at the
    next array on the same line.
    """
    decoder, position, line, counted = json.JSONDecoder(), 0, 1, 0
    while (position := _GAP.match(text, position).end()) < len(text):  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, position), position
        array = text[position] == "["
        if not array and text[position] != "{":
            position = _LINE.match(text, position).end()  # type: ignore[union-attr]
            yield Record(line, None, "does not start with '['", array=False)
            continue
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield Record(line, None, f"is cut short or not JSON ({error})", array)
            position = _after_invalid(text, position, decoder)
            continue
        nested = array and bool(value) and isinstance(value[0], list)
        for inner in value if nested else [value]:
            yield Record(line, inner, None, isinstance(inner, list))


def _after_invalid(text: str, start: int, decoder: json.JSONDecoder) -> int:
    """Find the next array after the start of an invalid one: on a later line, or complete on the same line."""
    following = _NEXT_LINE.search(text, start + 1)
    end = following.end() if following else len(text)
    for number, match in enumerate(_NEXT_ARRAY.finditer(text, start, end)):
        if number == _MOST_RETRIES:
            break
        position = text.index("[", match.end())
        try:
            value, _ = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            continue
        if isinstance(value[0].get("url"), dict):  # absent from an array nested in the invalid one
            return position
    return end


def _files(path: Path) -> list[Path]:
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:  # no permission to enter a parent folder
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error
    if not is_folder:
        if not is_file:
            state = "is neither a file nor a folder" if os.path.lexists(path) else "does not exist"
            raise ConvRNNError(
                f"cannot read answers: {path} {state}. Give the folder of the human answers, or files ({ACCEPTED})"
            )
        return [path]
    files = sorted(_below(path))
    if not files:
        raise ConvRNNError(
            f"cannot read answers: {path} must hold {ACCEPTED}, got none of these. Give the folder of the human answers"
        )
    return files


def _below(folder: Path) -> Iterator[Path]:
    """Find result files at any depth."""
    for path in files_below(folder, "Give another folder of answers"):
        if _holds_answers(path):
            yield path
        elif path.name.startswith("jatos_results_") and path.suffix.lower() in _UNFINISHED:
            raise ConvRNNError(
                f"cannot read answers: {path} must be a complete file, got an unfinished download. Download it again, "
                "or remove it"
            )
        elif not path.suffix and is_dead_link(path):
            raise ConvRNNError(
                f"cannot read answers: {path} must link to a file or folder, got a broken link. "
                "Mount the disk of its target, or remove the link"
            )


def _holds_answers(path: Path) -> bool:
    suffix = path.suffix.lower()
    return (
        is_result(path.name)
        or (suffix in ARCHIVES and holds_results(path))
        or (suffix == TRIALS and is_trial_header(_first_line(path)))
    )


def _first_line(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return decoded(file.read(_LONGEST_HEADER)).partition("\n")[0]
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error


def _texts(path: Path) -> Iterator[AnswerText]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error
    for result, content in unpacked(path, data):
        yield AnswerText(result, decoded(content))
