"""Corruption that makes libhdf5 loop, in files built byte by byte and in those that h5py writes."""

import errno
import os
import struct

import h5py
import numpy as np
import pytest

from convrnn_model import inspect_weights
from convrnn_model.weights import damage

SUPERBLOCK = b"\x89HDF\r\n\x1a\n" + bytes(5) + b"\x08\x08" + bytes(9)
"""Version 0, with addresses and sizes of 8 bytes."""
END = 1


@pytest.fixture
def write(tmp_path):
    def write(*parts):
        path = tmp_path / "w.h5"
        path.write_bytes(b"".join(parts))
        return path

    return write


def heap(size, first_free):
    """Header of a local heap whose data follow it."""
    return b"HEAP" + bytes(4) + struct.pack("<QQQ", size, first_free, len(SUPERBLOCK) + 32)


def free_block(following, size=16):
    return struct.pack("<QQ", following, size)


def test_free_lists_that_end(write):
    damage.require_acyclic_free_lists(
        write(SUPERBLOCK, heap(48, 32), free_block(END), bytes(16), free_block(0))
    )
    damage.require_acyclic_free_lists(write(SUPERBLOCK, heap(48, END), bytes(48)))
    # libhdf5 itself rejects offsets beyond the data.
    damage.require_acyclic_free_lists(write(SUPERBLOCK, heap(16, 0), free_block(16)))
    damage.require_acyclic_free_lists(write(SUPERBLOCK, heap(10**9, 0), free_block(10**8)))


@pytest.mark.parametrize("offsets", [(0,), (16, 0), (16, 32, 16)])
def test_cyclic_free_lists(offsets, write):
    blocks = [free_block(offset) for offset in offsets]
    with pytest.raises(ValueError, match="leads back to itself"):
        damage.require_acyclic_free_lists(write(SUPERBLOCK, heap(48, 0), *blocks, bytes(48)))


def collection(*objects, size=None):
    data = b"".join(objects)
    return b"GCOL\x01" + bytes(3) + struct.pack("<Q", 16 + len(data) if size is None else size) + data


def heap_object(text, index=1, size=None):
    """Object of a global heap; its data are padded to a multiple of 8 bytes."""
    size = len(text) if size is None else size
    return struct.pack("<HHIQ", index, 1, 0, size) + text + bytes(-len(text) % 8)


def test_collections_that_can_be_traversed(write):
    # Index 0 is the free space at the end, whose size includes its header.
    free = heap_object(bytes(8), index=0, size=24)
    damage.require_traversable_collections(
        write(SUPERBLOCK, collection(heap_object(b"abc"), heap_object(b"", 2), free))
    )
    damage.require_traversable_collections(write(SUPERBLOCK, collection()))


@pytest.mark.parametrize(
    "broken",
    [
        heap_object(b"abc", size=1000),
        heap_object(bytes(16), index=0, size=0),
        heap_object(bytes(16), index=0, size=15),
        heap_object(b"abc", size=2**64 - 8),
    ],
    ids=["beyond_the_collection", "no_size", "smaller_than_its_header", "size_overflow"],
)
def test_collections_that_cannot_be_traversed(broken, write):
    with pytest.raises(ValueError, match="empty or extends beyond"):
        damage.require_traversable_collections(write(SUPERBLOCK, collection(broken)))


def test_too_many_objects(write, monkeypatch):
    monkeypatch.setattr(damage, "MOST_STRINGS", 2)
    path = write(SUPERBLOCK, collection(heap_object(b"a")), collection(heap_object(b"b")))
    damage.require_traversable_collections(path)
    with path.open("ab") as file:
        file.write(collection(heap_object(b"c")))
    with pytest.raises(ValueError, match="empty or extends beyond"):
        damage.require_traversable_collections(path)


def test_files_of_h5py_are_sound(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["names"] = ["text", "of", "variable length"]
        for index in range(20):
            file.create_group(f"group {index}")["array"] = np.zeros(3)
        # Deleted links leave free blocks.
        del file["group 3"], file["group 7"]
    data = (tmp_path / "w.h5").read_bytes()
    assert b"HEAP" in data
    assert b"GCOL" in data
    damage.require_acyclic_free_lists(tmp_path / "w.h5")
    damage.require_traversable_collections(tmp_path / "w.h5")


@pytest.mark.parametrize("length", [0, 5])
def test_short_files_are_left_to_libhdf5(length, write):
    path = write(bytes(length))
    if length:
        damage.require_acyclic_free_lists(path)
    with damage._bytes_of(write(b"x" * 20)) as data:
        assert len(data) == 20


def test_disks_without_mmap(weights_file, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    monkeypatch.setattr("mmap.mmap", fail)
    assert inspect_weights(weights_file).variant == "b_net"
