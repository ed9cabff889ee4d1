"""Detection of corruption that makes libhdf5 loop: cyclic lists in a file's bytes."""

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_STRINGS = 1_000_000
"""Maximum number of variable-length strings in a file; lists of names consist of these strings."""
_COLLECTION, _HEAP = re.compile(rb"GCOL\x01"), re.compile(rb"HEAP\x00")
_LAST = 1
"""Offset that marks the end of a free list."""


def require_acyclic_free_lists(path: Path) -> None:
    """Check that the free lists of local heaps, which store link names of old groups, are acyclic.

    A heap is `HEAP`, a version, and from byte 8 the data size, the offset of the first free block and the address of
    the data. A free block starts with the offset of the next one and its size (HDF5 File Format Specification 3.0,
    III.D).

    Raises:
        ValueError: A free list is cyclic.
    """
    with _bytes_of(path) as data:
        address, length = _widths(data)
        for heap in _HEAP.finditer(data):
            at = heap.start() + 8
            size, free = (_number(data, at + offset, length) for offset in (0, length))
            start = _number(data, at + 2 * length, address)
            seen = set()
            # libhdf5 itself detects offsets beyond the data.
            while free != _LAST and free < size and start + free < len(data):
                if free in seen:
                    raise ValueError("the free list of a local heap leads back to itself")
                seen.add(free)
                free = _number(data, start + free, length)


def require_traversable_collections(path: Path) -> None:
    """Check that global heap collections, which store variable-length strings, can be traversed.

    A collection is `GCOL`, a version, its size at byte 8, and from byte 16 objects: index, reference count, size at
    byte 8, data (HDF5 File Format Specification 3.0, III.E).

    Raises:
        ValueError: An object is empty or extends beyond its collection, or there are too many objects.
    """
    with _bytes_of(path) as data:
        if _widths(data)[1] != 8:
            raise ValueError("a file with variable-length names must have sizes of 8 bytes")
        objects = 0
        for collection in _COLLECTION.finditer(data):
            end = min(collection.start() + _number(data, collection.start() + 8), len(data))
            at = collection.start() + 16
            while at + 16 <= end:
                size, objects = _number(data, at + 8), objects + 1
                # Object 0 is free space, whose size includes its header.
                length = 16 + -(-size // 8) * 8 if data[at : at + 2] != b"\0\0" else size
                if not 16 <= length <= end - at or objects > MOST_STRINGS:
                    raise ValueError("an object of a global heap is empty or extends beyond its collection")
                at += length


def _widths(data: mmap.mmap | bytes) -> tuple[int, int]:
    """Return the widths of addresses and sizes in bytes, whose position in the superblock depends on its version."""
    if len(data) < 16:
        return 8, 8  # not HDF5, which opening the file reports
    return (data[13], data[14]) if data[8] < 2 else (data[9], data[10])


def _number(data: mmap.mmap | bytes, at: int, width: int = 8) -> int:
    return int.from_bytes(data[at : at + width], "little")


@contextmanager
def _bytes_of(path: Path) -> Iterator[mmap.mmap | bytes]:
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError:
            # Some network and FUSE file systems do not support mmap.
            yield file.read()
            return
        with mapped as data:
            yield data
