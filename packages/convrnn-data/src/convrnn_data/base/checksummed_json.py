"""JSON files that carry their own sha256, so that a cut or a flipped bit in them is found on reading."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.schema import misfit

_SEAL = re.compile(rb',\n"sha256": "([0-9a-f]{64})"}\n')
_SEAL_BYTES = 80


def seal(body: dict[str, Any], indent: int | None = None) -> bytes:
    """The file's bytes for `body`: its JSON, and as a last entry the sha256 of all bytes before that entry."""
    text = json.dumps(body, indent=indent, ensure_ascii=True, allow_nan=False)[:-1].rstrip().encode("ascii")
    return text + b',\n"sha256": "' + hashlib.sha256(text).hexdigest().encode("ascii") + b'"}\n'


def unseal(path: Path, form: Any = None) -> dict[str, Any]:
    """Read a sealed file, without its seal.

    Args:
        path: the file.
        form: what it has to hold, as `forms.misfit` takes it; the seal tells that a file is as it was written, and
            not that it was written here.

    Raises:
        ConvRNNError: the file cannot be read, is not as it was written, or holds something else.
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
        body: dict[str, Any] = json.loads(text + b"}")
    except (ValueError, RecursionError) as error:
        raise ConvRNNError(f"{path} is not valid JSON: {error}. Make the set again") from error
    if wrong := misfit(body, {} if form is None else form):
        raise ConvRNNError(f"{path} does not have this version's format: {wrong}. Make the set again")
    return body
