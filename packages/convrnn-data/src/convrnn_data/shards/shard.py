"""One shard: a USTAR tar of samples and the index beside it.

A sample is three files with the same key, `{key}.jpg`, `{key}.cls` and `{key}.json`. The tar is written beside its
name, hashed on the way, and renamed; then its index is, whose presence says that the shard is whole.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convrnn_data.base import advice
from convrnn_data.base.atomic import temporary_name, write_file, writing
from convrnn_data.base.checksummed_json import seal, unseal
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.schema import COUNT
from convrnn_data.categories import CATEGORIES
from convrnn_data.shards.tarwalk import BLOCK, padded

RECORD = 20 * BLOCK
"""tar files are filled up to a multiple of this, as `tar` itself does."""

COLUMNS = ("keys", "offsets", "sizes", "labels", "widths", "heights")


class Sample(NamedTuple):
    """What goes into a shard under one key.

    Attributes:
        key: without dots, unique in the set.
        label: 0..15.
        jpeg: the image's bytes.
        width: in pixels.
        height: in pixels.
        notes: the rest of `{key}.json`.
    """

    key: str
    label: int
    jpeg: bytes
    width: int
    height: int
    notes: dict[str, Any]


class Rejected(NamedTuple):
    """What was to be in a shard and is not."""

    source: str
    reason: str


def ustar_header(name: str, size: int) -> bytes:
    """The header of a regular file: mode 644, owner 0 without a name, modified at 0, and no extensions.

    Written by hand, because with only name and size to vary it takes a fraction of `tarfile`'s time.

    Raises:
        ConvRNNError: the name is longer than 100 bytes, the most that a plain USTAR header holds.
    """
    encoded, digits = name.encode("ascii"), b"%011o" % size
    if len(encoded) > 100:
        raise ConvRNNError(
            f"{name!r} is too long for a tar member: at most 100 bytes, got {len(encoded)}. Shorten the name"
        )
    checksum = _BARE_SUM + sum(encoded) + sum(digits)
    return b"%b%b%b\0%b%06o\0 %b" % (encoded.ljust(100, b"\0"), _OWNER, digits, _TIME, checksum, _TAIL)


_OWNER = b"0000644\x000000000\x000000000\x00"
_TIME = b"00000000000\x00"
_TAIL = b"0" + b"\0" * 100 + b"ustar\x0000" + b"\0" * 247
_BARE_SUM = sum(_OWNER) + sum(_TIME) + sum(_TAIL) + 8 * ord(" ")


def write_shard(path: Path, plan_hash: str, samples: Iterable[Sample | Rejected]) -> dict[str, Any]:
    """Write `path` (a .tar) and its index, both or, after any error, neither.

    Args:
        path: the tar's final name; its folder exists.
        plan_hash: of the plan that the shard belongs to.
        samples: what goes in, in order, and what was rejected on the way.

    Returns:
        The index.
    """
    temporary = temporary_name(path)
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    rejected: list[Rejected] = []
    digest = hashlib.sha256()
    with writing(path, temporary):
        with open(temporary, "wb", buffering=1 << 16) as file:
            for block in _blocks(samples, columns, rejected):
                digest.update(block)
                file.write(block)
            size = file.tell()
        os.replace(temporary, path)
    index = {
        "plan": plan_hash,
        "shard": f"{path.parent.name}/{path.name}",
        "count": len(columns["keys"]),
        "bytes": size,
        "sha256 of the tar": digest.hexdigest(),
        "samples": columns,
        "rejected": [list(entry) for entry in rejected],
    }
    write_file(index_path(path), seal(index))
    return index


def _blocks(
    samples: Iterable[Sample | Rejected], columns: dict[str, list[Any]], rejected: list[Rejected]
) -> Iterator[bytes]:
    """Yield the tar's bytes piece by piece, large pieces uncopied, and fill the columns and the rejected."""
    position, pending = 0, b""
    for sample in samples:
        if isinstance(sample, Rejected):
            rejected.append(sample)
            continue
        head = pending + ustar_header(f"{sample.key}.jpg", len(sample.jpeg))
        yield head
        yield sample.jpeg
        offset = position + len(head)
        position = offset + len(sample.jpeg)
        row = (sample.key, offset, len(sample.jpeg), sample.label, sample.width, sample.height)
        for name, value in zip(COLUMNS, row, strict=True):
            columns[name].append(value)
        notes = json.dumps({**sample.notes, "width": sample.width, "height": sample.height}).encode("ascii")
        padding = bytes(padded(len(sample.jpeg)) - len(sample.jpeg))
        pending = (
            padding + _small(f"{sample.key}.cls", b"%d" % sample.label) + _small(f"{sample.key}.json", notes)
        )
    end = pending + bytes(2 * BLOCK)
    yield end + bytes(-(position + len(end)) % RECORD)


def _small(name: str, data: bytes) -> bytes:
    return ustar_header(name, len(data)) + data.ljust(padded(len(data)), b"\0")


def index_path(shard: Path) -> Path:
    """The index of a shard lies beside it: `000000.tar`, `000000.json`."""
    return shard.with_suffix(".json")


_INDEX = {
    "plan": str,
    "count": COUNT,
    "bytes": COUNT,
    "sha256 of the tar": str,
    "samples": dict.fromkeys(COLUMNS, list),
    "rejected": [[str]],
}
_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")


def _misfit(index: dict[str, Any]) -> str | None:
    """What is wrong with the columns of an index; they are checked as arrays, since there may be millions of rows."""
    samples, size = index["samples"], index["bytes"]
    most = {
        "offsets": size,
        "sizes": size,
        "labels": len(CATEGORIES) - 1,
        "widths": 2**31 - 1,
        "heights": 2**31 - 1,
    }
    if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in samples["keys"]):
        return "a key must be 1 to 100 letters, digits, - and _"
    if any(len(samples[name]) != index["count"] for name in COLUMNS):
        return f"every column must have {index['count']} entries"
    if any(len(entry) != 2 for entry in index["rejected"]):
        return "every rejected entry must be a pair"
    for name, largest in most.items():
        try:
            column = np.array(samples[name])
        except (ValueError, OverflowError):
            return f"{name} must be integers"
        if len(column) and (
            column.ndim != 1 or column.dtype.kind != "i" or column.min() < 0 or column.max() > largest
        ):
            return f"{name} must be integers from 0 to {largest}"
    if any(start + length > size for start, length in zip(samples["offsets"], samples["sizes"], strict=True)):
        return "a sample extends beyond the end of the tar"
    return None


def read_index(shard: Path, plan_hash: str | None = None) -> dict[str, Any]:
    """Read a shard's index and check its form.

    Args:
        shard: the tar.
        plan_hash: of the plan that the shard must belong to, where that is known.

    Raises:
        ConvRNNError: the index is missing, damaged, or of another plan.
    """
    index = unseal(index_path(shard), _INDEX)
    if wrong := _misfit(index):
        raise ConvRNNError(
            f"{index_path(shard)} does not have this version's format: {wrong}. Make the set again"
        )
    if plan_hash is not None and index["plan"] != plan_hash:
        raise ConvRNNError(
            f"{index_path(shard)} belongs to another plan: it must be of plan {plan_hash[:12]}, got "
            f"{index['plan'][:12]}. Make the set again"
        )
    return index


def is_whole(shard: Path, plan_hash: str) -> bool:
    """Whether a shard was finished under this plan: index there and sound, tar there and of the right length."""
    try:
        return shard.stat().st_size == read_index(shard, plan_hash)["bytes"]
    except (OSError, ConvRNNError):
        return False


def damage(shard: Path, index: dict[str, Any]) -> str | None:
    """Read all of a shard; what is wrong with it, or None."""
    try:
        with open(shard, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != index["bytes"]:
                return f"{shard} has {size:,} bytes, but its index says {index['bytes']:,}"
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot read {shard}: {advice.describe(error, shard)}"
    return (
        None
        if digest == index["sha256 of the tar"]
        else f"{shard} is damaged: its sha256 differs from the one in its index"
    )
