"""Files of human answers: which files hold them, and the JSON arrays in their text.

JATOS exports results as one text file, `jatos_results_*.txt`, or as an archive (`.zip`, `.jrzip`) with a `data.txt` for
each result. Both are read from a folder too, at any depth. Text editors, scripts and JATOS versions arrange the arrays
differently: one on each line, several on a line, one over several lines, or all within one array. `json_records` reads
all of these alike.
"""

import codecs
import gzip
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from convrnn_data.base import advice
from convrnn_data.base.directories import files_below, is_dead_link
from convrnn_data.base.reading import is_hidden
from convrnn_experiments.errors import ConvRNNError

RESULT, RESULTS = "data.txt", "jatos_results_*.txt"
COMPRESSED = ".gz"
ARCHIVES = (".zip", ".jrzip")
FOUND_AS = f"{RESULTS}, a JATOS archive ({', '.join(ARCHIVES)}) or {RESULT} of single results"

_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b"
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp")
_LARGEST_MEMBER = 2**30
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_NEXT_LINE = re.compile(r"\n(?=\s*\[)")
_NEXT_ARRAY = re.compile(r"\](?=[\s,]*\[\s*\{)")
_GAP = re.compile(r"[\s,]*")
_LINE = re.compile(r"[^\n]*")
_MOST_RETRIES = 100


@dataclass(frozen=True)
class AnswerText:
    """The text of one result file. `path` names it; for a member of an archive, it continues the archive's path."""

    path: Path
    text: str


@dataclass(frozen=True)
class Record:
    """A JSON value of a file's text, or, where `problem` is set, text that is none.

    Attributes:
        line: The line on which it starts, from 1.
        value: The decoded value; None where there is a problem.
        problem: Why it could not be decoded.
        array: Whether it is, or starts like, a JSON array.
    """

    line: int
    value: Any
    problem: str | None
    array: bool


def answer_texts(paths: str | Path | Iterable[str | Path]) -> Iterator[AnswerText]:
    """Read all result files of some paths: files, archives, or folders that hold either. Each file is read once.

    Raises:
        ConvRNNError: If a path does not exist, a folder cannot be listed or holds no result file, or a file cannot be
            read.
    """
    seen: set[Path] = set()
    for path in [paths] if isinstance(paths, str | Path) else list(paths):
        for file in _files(Path(path)):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield from _texts(file)


def decoded(data: bytes) -> str:
    """Text of a result file: UTF-8, or UTF-16 with a byte order mark; other bytes spoil their own record only."""
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    text = data[len(mark) :].decode(_MARKS.get(mark, "utf-8"), errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def json_records(text: str) -> Iterator[Record]:
    """Decode the JSON values of a text, however they are divided into lines.

    An array that begins with an array is one record for each element. Where a value is broken, the rest of its line is
    lost, unless another array starts within it.
    """
    decoder, place, line, counted = json.JSONDecoder(), 0, 1, 0
    while (place := _GAP.match(text, place).end()) < len(text):  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, place), place
        array = text[place] == "["
        if not array and text[place] != "{":
            place = _LINE.match(text, place).end()  # type: ignore[union-attr]
            yield Record(line, None, "does not start with '['", array=False)
            continue
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            yield Record(line, None, f"is cut short or not JSON ({error})", array)
            place = _after_broken(text, place, decoder)
            continue
        nested = array and bool(value) and isinstance(value[0], list)
        for inner in value if nested else [value]:
            yield Record(line, inner, None, isinstance(inner, list))


def _after_broken(text: str, start: int, decoder: json.JSONDecoder) -> int:
    """The place of the next array after the start of a broken one: on a later line, or whole on the same line."""
    following = _NEXT_LINE.search(text, start + 1)
    end = following.end() if following else len(text)
    for number, match in enumerate(_NEXT_ARRAY.finditer(text, start, end)):
        if number == _MOST_RETRIES:
            break
        place = text.index("[", match.end())
        try:
            value, _ = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        if isinstance(value[0].get("url"), dict):  # an inner array of a broken one has no such row
            return place
    return end


def _files(path: Path) -> list[Path]:
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:  # a folder above may not be entered
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error
    if not is_folder:
        if not is_file:
            found = "is neither a file nor a folder" if os.path.lexists(path) else "does not exist"
            raise ConvRNNError(
                f"cannot read answers: {path} {found}. Give the folder of the human answers, or files ({FOUND_AS})"
            )
        return [path]
    files = sorted(_below(path))
    if not files:
        raise ConvRNNError(
            f"cannot read answers: {path} must hold {FOUND_AS}, got none of these. Give the folder of the human answers"
        )
    return files


def _below(folder: Path) -> Iterator[Path]:
    """Result files at any depth."""
    for path in files_below(folder, "Give another folder of answers"):
        if _is_result(path.name) or (path.suffix.lower() in ARCHIVES and _members(path, strict=False)):
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


def _is_result(name: str) -> bool:
    name = name.removesuffix(COMPRESSED)
    return name == RESULT or PurePosixPath(name).match(RESULTS)


def _texts(path: Path) -> Iterator[AnswerText]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ConvRNNError(
                f"cannot read {path}: it must be a complete gzip file, got a damaged one ({error}). Download it again"
            ) from error
    if data.startswith(_ZIP):
        yield from _archived(path)
    else:
        yield AnswerText(path, decoded(data))


def _members(path: Path, *, strict: bool) -> list[str]:
    """Names of the result files in an archive. An archive of other things has none."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        # Beside the answers there may be archives of stimuli, whose state does not matter here.
        if strict or path.suffix.lower() != ARCHIVES[0] or path.name.startswith("jatos"):
            raise _unreadable_archive(path, error) from error
        return []
    found = (name for name in names if _is_result(PurePosixPath(name).name) and not is_hidden(name))
    return sorted(
        found, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    )


def _unreadable_archive(path: Path, error: Exception) -> ConvRNNError:
    """Name the cause and the way out that fits it: of the disk, of an unusual archive, or of a damaged one."""
    if isinstance(error, OSError):
        return ConvRNNError(f"cannot read {path}: {advice.describe(error, path, 'Download it again')}")
    rule = "it must be a complete zip archive without a password, got"
    if isinstance(error, RuntimeError):  # a password, or a compression that Python does not know
        return ConvRNNError(
            f"cannot read {path}: {rule} one that Python cannot unpack ({error}). Unpack it with another program and "
            "give the folder"
        )
    return ConvRNNError(f"cannot read {path}: {rule} a damaged one ({error}). Download it again")


def _archived(path: Path) -> Iterator[AnswerText]:
    names = _members(path, strict=True)
    if not names:
        raise ConvRNNError(
            f"cannot read {path}: the archive must hold {RESULT} or {RESULTS}, got neither. Give an archive of JATOS "
            "results"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                if archive.getinfo(name).file_size > _LARGEST_MEMBER:
                    raise ConvRNNError(
                        f"cannot read {path}: a result must have at most {_LARGEST_MEMBER} bytes, got "
                        f"{archive.getinfo(name).file_size} in {name}. Unpack it and give the folder"
                    )
                yield AnswerText(path / name, decoded(archive.read(name)))
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable_archive(path, error) from error
