import gzip
import os
import shutil

import pytest

from convrnn_data import ConvRNNError
from convrnn_data.imagenet.unpacking import Unpacker, is_compressed, unpacked_name

TAR = b"n02690373_1.JPEG".ljust(257, b"\0") + b"ustar\x0000" + bytes(1273)


def test_an_archive_is_unpacked_and_removed_at_the_end(tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(b"before" + gzip.compress(TAR) + b"after")
    end = (tmp_path / "x.tar.gz").stat().st_size - 5
    notices = []
    with Unpacker(tmp_path / "new" / "set", notice=notices.append) as unpack:
        assert not unpack.used
        unpacked = unpack.unpack(tmp_path / "x.tar.gz", "x.tar", 6, end)
        assert unpacked.read_bytes() == TAR
        assert unpack.used
    assert os.listdir(tmp_path) == ["x.tar.gz"]
    assert len(notices) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (gzip.compress(os.urandom(9000))[:-4000], "is damaged or truncated"),
        (gzip.compress(b"<html>"), "not a compressed tar"),
    ],
)
def test_damaged_and_other_archives_are_refused(data, expected, tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(data)
    with Unpacker(tmp_path / "set") as unpack, pytest.raises(ConvRNNError, match=expected):
        unpack.unpack(tmp_path / "x.tar.gz", "x.tar")
    assert os.listdir(tmp_path) == ["x.tar.gz"]


def test_insufficient_disk_space_is_an_early_error(tmp_path, monkeypatch):
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(TAR))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with (
        Unpacker(tmp_path / "set") as unpack,
        pytest.raises(ConvRNNError, match=r"cannot unpack .*Make room"),
    ):
        unpack.unpack(tmp_path / "x.tar.gz", "x.tar")


def test_compressed_tars_are_detected_by_their_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"12" + gzip.compress(TAR))
    assert is_compressed(tmp_path / "x", 2)
    assert not is_compressed(tmp_path / "x")
    assert [unpacked_name(tmp_path / name) for name in ("train.tar.gz", "train.tgz")] == ["train.tar"] * 2
