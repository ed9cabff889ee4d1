"""Files that are written whole or not at all."""

import os
from pathlib import Path

import pytest

from convrnn_model import ConvRNNError
from convrnn_model.files import whole_files, write_whole


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


def write(paths, text):
    with whole_files(*paths) as temporary:
        for path in temporary:
            path.write_text(f"{text} {path.suffix}")


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("names", [["a.onnx"], ["a.xml", "a.bin"]])
def test_several_files_are_written_and_replaced(names, tmp_path):
    paths = [tmp_path / name for name in names]
    for text in ("first", "second"):
        write(paths, text)
        assert content(tmp_path) == {name: f"{text} {Path(name).suffix}" for name in names}


@pytest.mark.parametrize("names", [["a.onnx"], ["a.xml", "a.bin"]])
def test_an_error_leaves_the_former_files(names, tmp_path):
    paths = [tmp_path / name for name in names]
    write(paths, "former")
    before = content(tmp_path)

    def fail():
        with whole_files(*paths) as temporary:
            temporary[0].write_text("new")
            raise ConvRNNError("no")

    with pytest.raises(ConvRNNError, match="no"):
        fail()
    assert content(tmp_path) == before


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_no_move_can_mix_former_and_new_files(failing, tmp_path, monkeypatch):
    paths = [tmp_path / "a.xml", tmp_path / "a.bin"]
    write(paths, "former")
    before = content(tmp_path)
    moves = []
    replace = Path.replace

    def counted(self, target):
        moves.append(target)
        if len(moves) == failing:
            raise OSError(28, os.strerror(28))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", counted)
    with pytest.raises(ConvRNNError, match=r"cannot write .*a\.xml: No space left"):
        write(paths, "new")
    assert content(tmp_path) == before


def test_a_killed_process_leaves_no_mixed_pair(tmp_path, monkeypatch):
    paths = [tmp_path / "a.xml", tmp_path / "a.bin"]
    write(paths, "former")
    seen = []
    replace = Path.replace

    def recorded(self, target):
        result = replace(self, target)
        seen.append({path.name: path.read_text().split()[0] for path in paths if path.exists()})
        return result

    monkeypatch.setattr(Path, "replace", recorded)
    write(paths, "new")
    assert seen[-1] == {"a.xml": "new", "a.bin": "new"}
    assert all("a.xml" not in state for state in seen[:-1])


def test_folders(tmp_path):
    (tmp_path / "a.onnx").mkdir()
    with pytest.raises(ConvRNNError, match="it is a folder"):
        write([tmp_path / "a.onnx"], "new")
    with pytest.raises(ConvRNNError, match=r"No such file or directory\. Check the path"):
        write([tmp_path / "missing" / "a.onnx"], "new")
