"""Damage that HDF5 itself does not end at: lists in a file's bytes that it would follow, and keep, for ever."""

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_TEXTS = 1_000_000
"""Texts of no fixed length in a file; a name in a list is one of them."""
_COLLECTION, _HEAP = re.compile(rb"GCOL\x01"), re.compile(rb"HEAP\x00")
_LAST = 1
"""What a free list has for the place of the next free room where there is none."""


def require_ending_free_lists(path: Path) -> None:
    """Whether the heaps, in which old groups keep the names of their links, have free lists that end.

    A heap is `HEAP`, a version, and from byte 8 on its data's size, the first free room in it, and where in the file
    the data lie; a free room begins with where the next one is, and its size (HDF5 File Format Specification 3.0,
    III.D).

    Raises:
        ValueError: One leads back to itself.
    """
    with _bytes_of(path) as data:
        address, length = _widths(data)
        for heap in _HEAP.finditer(data):
            at = heap.start() + 8
            size, free = (_number(data, at + place, length) for place in (0, length))
            start = _number(data, at + 2 * length, address)
            seen = set()
            # What lies beyond the data HDF5 finds itself.
            while free != _LAST and free < size and start + free < len(data):
                if free in seen:
                    raise ValueError("the free list of a local heap leads back to itself")
                seen.add(free)
                free = _number(data, start + free, length)


def require_ending_collections(path: Path) -> None:
    """Whether the collections, in which text of no fixed length lies, can be gone through.

    A collection is `GCOL`, a version, its size at byte 8, and from byte 16 on objects: number, count, size at byte 8,
    data (HDF5 File Format Specification 3.0, III.E).

    Raises:
        ValueError: An object takes no room or more than there is, or they are more than lists of names need.
    """
    with _bytes_of(path) as data:
        if _widths(data)[1] != 8:
            raise ValueError("a file with variable-length names must have sizes of 8 bytes")
        objects = 0
        for found in _COLLECTION.finditer(data):
            end = min(found.start() + _number(data, found.start() + 8), len(data))
            at = found.start() + 16
            while at + 16 <= end:
                size, objects = _number(data, at + 8), objects + 1
                # Number 0 is free room, whose size counts all of it.
                room = 16 + -(-size // 8) * 8 if data[at : at + 2] != b"\0\0" else size
                if not 16 <= room <= end - at or objects > MOST_TEXTS:
                    raise ValueError("an object of a global heap is empty or extends beyond its collection")
                at += room


def _widths(data: mmap.mmap | bytes) -> tuple[int, int]:
    """How many bytes addresses and sizes have, which the file's first block says, by its version in two places."""
    if len(data) < 16:
        return 8, 8  # not HDF5; it says so itself
    return (data[13], data[14]) if data[8] < 2 else (data[9], data[10])


def _number(data: mmap.mmap | bytes, at: int, width: int = 8) -> int:
    return int.from_bytes(data[at : at + width], "little")


@contextmanager
def _bytes_of(path: Path) -> Iterator[mmap.mmap | bytes]:
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError:
            # Some network and user-space file systems have no mappings.
            yield file.read()
            return
        with mapped as data:
            yield data
