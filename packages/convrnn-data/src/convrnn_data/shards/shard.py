"""Shards: USTAR tars of samples, each with an index.

A sample consists of `{key}.jpg`, `{key}.cls` and `{key}.json`. The index is written after the tar: if the index exists,
the shard is complete.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from convrnn_data.base import advice
from convrnn_data.base.atomic import atomic_file, write_file
from convrnn_data.base.checksummed_json import seal, unseal_as
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.shards.formats import FileEntry, Samples, ShardIndex
from convrnn_data.shards.tarwalk import BLOCK, padded

RECORD = 20 * BLOCK
"""Tar files are padded to a multiple of this size, as `tar` does."""

COLUMNS = tuple(Samples.model_fields)


class Sample(NamedTuple):
    """Content of a shard under one key.

    Attributes:
        key: Unique in the set, without dots.
        label: 0..15.
        jpeg: The image's bytes.
        width: In pixels.
        height: In pixels.
        notes: Other entries of `{key}.json`.
    """

    key: str
    label: int
    jpeg: bytes
    width: int
    height: int
    notes: dict[str, Any]


class Rejected(NamedTuple):
    """Image that was left out of a shard, with the reason."""

    source: str
    reason: str


def ustar_header(name: str, size: int) -> bytes:
    """Return the header of a regular file: mode 644, owner 0, modification time 0, no extensions.

    Only name and size vary, so this is much faster than `tarfile`.

    Raises:
        ConvRNNError: The name is longer than 100 bytes, the limit of a plain USTAR header.
    """
    encoded, digits = name.encode("ascii"), b"%011o" % size
    if len(encoded) > 100:
        raise ConvRNNError(
            f"{name!r} is too long for a tar member: at most 100 bytes, got {len(encoded)}. Shorten the name"
        )
    checksum = _CONSTANT_SUM + sum(encoded) + sum(digits)
    return b"%b%b%b\0%b%06o\0 %b" % (encoded.ljust(100, b"\0"), _OWNER, digits, _TIME, checksum, _TAIL)


_OWNER = b"0000644\x000000000\x000000000\x00"
_TIME = b"00000000000\x00"
_TAIL = b"0" + b"\0" * 100 + b"ustar\x0000" + b"\0" * 247
_CONSTANT_SUM = sum(_OWNER) + sum(_TIME) + sum(_TAIL) + 8 * ord(" ")


def write_shard(path: Path, plan_hash: str, samples: Iterable[Sample | Rejected]) -> ShardIndex:
    """Write a shard and then its index, each atomically.

    Args:
        path: The tar, in an existing folder.
        plan_hash: Hash of the plan that the shard belongs to.
        samples: Samples in order, and rejected images.

    Returns:
        The index.
    """
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    rejected: list[Rejected] = []
    digest = hashlib.sha256()
    # Syncing would slow down every shard; after a power failure, `verify` finds damaged ones.
    with atomic_file(path, sync=False) as temporary, open(temporary, "wb", buffering=1 << 16) as file:
        for block in _blocks(samples, columns, rejected):
            digest.update(block)
            file.write(block)
        size = file.tell()
    index = ShardIndex(
        plan=plan_hash,
        shard=f"{path.parent.name}/{path.name}",
        count=len(columns["keys"]),
        bytes=size,
        sha256=digest.hexdigest(),
        samples=Samples(**columns),
        rejected=[list(entry) for entry in rejected],
    )
    write_file(index_path(path), seal(index.model_dump(by_alias=True)), sync=False)
    return index


def _blocks(
    samples: Iterable[Sample | Rejected], columns: dict[str, list[Any]], rejected: list[Rejected]
) -> Iterator[bytes]:
    """Yield the tar's bytes in pieces, without copying images, and fill `columns` and `rejected`."""
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
    """Return the path of a shard's index: `000000.json` for `000000.tar`."""
    return shard.with_suffix(".json")


def read_index(shard: Path, plan_hash: str | None = None) -> ShardIndex:
    """Read and check a shard's index.

    Args:
        shard: The tar.
        plan_hash: Hash of the plan that the shard must belong to; None accepts any plan.

    Raises:
        ConvRNNError: The index is missing, damaged, or of another plan.
    """
    index = unseal_as(index_path(shard), ShardIndex)
    if plan_hash is not None and index.plan != plan_hash:
        raise ConvRNNError(
            f"{index_path(shard)} belongs to another plan: it must be of plan {plan_hash[:12]}, got "
            f"{index.plan[:12]}. Make the set again"
        )
    return index


def is_whole(shard: Path, plan_hash: str) -> bool:
    """Return whether a shard of this plan is complete: the index is valid, and the tar has the right size."""
    try:
        return shard.stat().st_size == read_index(shard, plan_hash).bytes
    except (OSError, ConvRNNError):
        return False


def damage(path: Path, recorded: ShardIndex | FileEntry, *, record: str = "its index") -> str | None:
    """Read a whole file, and describe how it differs from its recorded size and sha256; None if it does not.

    Args:
        path: The file.
        recorded: Its recorded size and sha256.
        record: What recorded them, for the message.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != recorded.bytes:
                return f"{path} has {size:,} bytes, but {record} says {recorded.bytes:,}"
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"cannot read {path}: {advice.describe(error, path)}"
    return (
        None
        if digest == recorded.sha256
        else f"{path} is damaged: its sha256 differs from the one in {record}"
    )
