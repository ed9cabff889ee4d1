"""JSON files that contain their own SHA-256, so that truncation and flipped bits are detected on reading."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.schema import Document
from convrnn_data.base.validation import first_problem

_SEAL = re.compile(rb',\n"sha256": "([0-9a-f]{64})"}\n')
_SEAL_BYTES = 80

Model = TypeVar("Model", bound=Document)


def seal(body: dict[str, Any], indent: int | None = None) -> bytes:
    """Return the file's bytes: `body` as JSON, with the SHA-256 of all preceding bytes as the last entry."""
    text = json.dumps(body, indent=indent, ensure_ascii=True, allow_nan=False)[:-1].rstrip().encode("ascii")
    return text + b',\n"sha256": "' + hashlib.sha256(text).hexdigest().encode("ascii") + b'"}\n'


def unseal(path: Path) -> dict[str, Any]:
    """Read a sealed file, and return its content without the seal.

    Raises:
        ConvRNNError: The file cannot be read, or is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        otherwise = "Restore the file from a copy, or make the set again"
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path, otherwise)}") from error
    match = _SEAL.fullmatch(data[-_SEAL_BYTES:])
    text = data[:-_SEAL_BYTES]
    if match is None or hashlib.sha256(text).hexdigest() != match[1].decode():
        kind = advice.kind_of(data[: advice.HEAD])
        if kind is not None and kind.name not in ("json", "text"):
            raise ConvRNNError(advice.not_a("JSON", path, kind, "Make the set again"))
        raise ConvRNNError(
            f"{path} is damaged: its sha256 does not match its content. Copy it again from an intact copy, or "
            "make the set again"
        )
    try:
        body = json.loads(text + b"}")
    except (ValueError, RecursionError) as error:
        raise ConvRNNError(f"{path} is not valid JSON: {error}. Make the set again") from error
    if not isinstance(body, dict):
        raise _other_format(path, f"it must be an object, got a {type(body).__name__}")
    return body


def unseal_as(path: Path, model: type[Model]) -> Model:
    """Read a sealed file as a model: the seal proves that the file is intact, but not that this package wrote it.

    Raises:
        ConvRNNError: The file cannot be read, is damaged, or does not fit the model.
    """
    return validated(unseal(path), model, path)


def validated(body: dict[str, Any], model: type[Model], path: Path) -> Model:
    """Return the content of the file `path` as a model.

    Raises:
        ConvRNNError: The content does not fit the model.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise _other_format(path, first_problem(error)) from error


def _other_format(path: Path, problem: str) -> ConvRNNError:
    return ConvRNNError(f"{path} does not have this version's format: {problem}. Make the set again")
