"""Files that are written whole or not at all."""

from pathlib import Path

import pytest

from convrnn_model import ConvRNNError
from convrnn_model.files import write_whole


def test_a_file_is_written_and_replaced(tmp_path):
    for data in (b"first", b"second"):
        write_whole(tmp_path / "a.csv", data)
        assert (tmp_path / "a.csv").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_failed_write_leaves_the_former_file(tmp_path, monkeypatch):
    write_whole(tmp_path / "a.csv", b"former")

    def fail(self, data):
        open(self, "wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ConvRNNError, match=r"cannot write .*a\.csv: No space left on device"):
        write_whole(tmp_path / "a.csv", b"later")
    assert (tmp_path / "a.csv").read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConvRNNError, match=r"cannot write .*none/a\.csv: No such file or directory"):
        write_whole(tmp_path / "none/a.csv", b"data")
