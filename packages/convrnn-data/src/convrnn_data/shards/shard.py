"""One shard: a USTAR tar of samples and the index beside it.

A sample is three files with the same key, `{key}.jpg`, `{key}.cls` and `{key}.json`. The tar is written beside its
name, hashed on the way, and renamed; then its index is, whose presence says that the shard is whole.
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
from convrnn_data.shards.formats import Samples, ShardIndex
from convrnn_data.shards.tarwalk import BLOCK, padded

RECORD = 20 * BLOCK
"""tar files are filled up to a multiple of this, as `tar` itself does."""

COLUMNS = tuple(Samples.model_fields)


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


def write_shard(path: Path, plan_hash: str, samples: Iterable[Sample | Rejected]) -> ShardIndex:
    """Write `path` (a .tar) and its index, both or, after any error, neither.

    Args:
        path: the tar's final name; its folder exists.
        plan_hash: of the plan that the shard belongs to.
        samples: what goes in, in order, and what was rejected on the way.

    Returns:
        The index.
    """
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    rejected: list[Rejected] = []
    digest = hashlib.sha256()
    with atomic_file(path) as temporary, open(temporary, "wb", buffering=1 << 16) as file:
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
    write_file(index_path(path), seal(index.model_dump(by_alias=True)))
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


def read_index(shard: Path, plan_hash: str | None = None) -> ShardIndex:
    """Read a shard's index and check its form.

    Args:
        shard: the tar.
        plan_hash: of the plan that the shard must belong to, where that is known.

    Raises:
        ConvRNNError: the index is missing, damaged, or of another plan.
    """
    index = unseal_as(index_path(shard), ShardIndex)
    if plan_hash is not None and index.plan != plan_hash:
        raise ConvRNNError(
            f"{index_path(shard)} belongs to another plan: it must be of plan {plan_hash[:12]}, got "
            f"{index.plan[:12]}. Make the set again"
        )
    return index


def is_whole(shard: Path, plan_hash: str) -> bool:
    """Whether a shard was finished under this plan: index there and sound, tar there and of the right length."""
    try:
        return shard.stat().st_size == read_index(shard, plan_hash).bytes
    except (OSError, ConvRNNError):
        return False


def damage(shard: Path, index: ShardIndex) -> str | None:
    """Read all of a shard; what is wrong with it, or None."""
    try:
        with open(shard, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != index.bytes:
                return f"{shard} has {size:,} bytes, but its index says {index.bytes:,}"
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot read {shard}: {advice.describe(error, shard)}"
    return (
        None
        if digest == index.sha256
        else f"{shard} is damaged: its sha256 differs from the one in its index"
    )
