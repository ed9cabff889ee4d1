"""Regression tests of findings: each minimised input with the expected answer."""

import io

import h5py
import numpy as np
import pytest

import convrnn_data
import convrnn_model
from convrnn_data import categories
from convrnn_data.base import checksummed_json
from convrnn_data.shards import prepared_set, stats
from convrnn_data.shards.images import BadImage, make_ready
from convrnn_data.shards.tarwalk import walk
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.predictions import read_answers
from convrnn_experiments.runs.folder import Run
from convrnn_model import inspect_weights
from convrnn_model.weights import hdf5
from fuzz.seeds import documents, tars, weights
from fuzz.targets.labels import LISTS

ANSWERS = documents.predictions(1, human=False).decode()
HEADER, FIRST, SECOND = ANSWERS.splitlines()


def test_the_unchanged_inputs_are_read(tmp_path):
    (tmp_path / "predictions.csv").write_text(ANSWERS)
    assert read_answers(tmp_path / "predictions.csv").answers.tolist() == [[0], [1]]
    (tmp_path / "history.csv").write_bytes(documents.HISTORY)
    assert len(Run(tmp_path).history()) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{HEADER}\nx,{FIRST}\nx,{SECOND}\n", "row 2 must have 9 cells as the header has, got 10"),
        (f"{HEADER}\n-1,{FIRST}\n4,{SECOND}\n", "row 2 must have 9 cells as the header has, got 10"),
        (f"{HEADER}\n{FIRST}\n \n", "row 3 must have 9 cells as the header has, got 1"),
        (f"{HEADER}\n\n{SECOND}\n", "row 2 must have 9 cells as the header has, got 0"),
        (ANSWERS.replace(",1.25,", ",True,", 1), "could not convert string to float: 'True'"),
        (ANSWERS.replace(",0,0,0.5,", ",0,0.5,0.5,"), "predictions must be whole numbers, got 0.5"),
        (ANSWERS.replace(",0,0,0.5,", ",0.5,0,0.5,"), "labels must be whole numbers, got 0.5"),
        (ANSWERS.replace(",0.04,,", ",0.04,0.5,"), "block must be whole numbers, got 0.5"),
        (f"{HEADER},labels\n{FIRST},3\n{SECOND},3\n", "column names must be unique, got 'labels' twice"),
        (ANSWERS.replace(",0,0,0.5,", f",0,{'9' * 400},0.5,"), "predictions must be from 0 to 15, got inf"),
    ],
)
def test_altered_predictions_are_refused(tmp_path, text, why):
    assert text != ANSWERS
    (tmp_path / "predictions.csv").write_text(text)
    with pytest.raises(ConvRNNError, match=why):
        read_answers(tmp_path / "predictions.csv")


@pytest.mark.parametrize("number", ["9223372036854775807", "9223372036854775808", "9" * 30])
def test_image_numbers_beyond_64_bits_are_refused(tmp_path, number):
    for name, content in LISTS.items():
        (tmp_path / f"{name}.txt").write_bytes(content)
    (tmp_path / "bear.txt").write_text(f"n02690374_{number}.JPEG\nn02690374_1.JPEG\n")
    with pytest.raises(convrnn_data.ConvRNNError, match="must be an ImageNet training file name"):
        categories.read_lists(tmp_path)


@pytest.mark.parametrize("extra", ["1", 1, None])
def test_a_manifests_other_counts_are_ignored(tmp_path, extra):
    manifest = documents.manifest("human", "color/000000")
    expected = stats.table(a_set(tmp_path / "unchanged", manifest))
    manifest["counts"]["color"]["train/000000"] = extra
    assert stats.table(a_set(tmp_path / "extra", manifest)) == expected
    assert expected[-1] == ("all", "1", "1")


def a_set(folder, manifest) -> prepared_set.PreparedSet:
    folder.mkdir()
    (folder / prepared_set.MANIFEST).write_bytes(checksummed_json.seal(manifest))
    return prepared_set.PreparedSet(folder)


def test_a_history_with_a_repeated_column_is_refused(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,loss\n0,1,2\n")
    with pytest.raises(ConvRNNError, match="column names must be unique, got epoch, loss, loss"):
        Run(tmp_path).history()


@pytest.mark.parametrize("header", ["apoch,loss,val_loss,learning_rate", "epoch,loss,val_loss"])
def test_a_history_with_other_columns_is_not_extended(tmp_path, header):
    count = header.count(",") + 1
    (tmp_path / "history.csv").write_text(f"{header}\n{','.join('1' * count)}\n")
    run = Run(tmp_path)
    epoch = dict.fromkeys(documents.HISTORY.decode().splitlines()[0].split(","), 1.0)
    with pytest.raises(ConvRNNError, match=r"its columns must be epoch, .*Start the run over with --force"):
        run.write_history([*run.history(), epoch])
    assert len(run.history()) == 1  # unchanged


LONG_NAME = tars.member(b"././@LongLink", b"n02690373_7.JPEG\0", b"L")
PAX_PATH = tars.pax({b"path": b"n02690373_8.JPEG"})


@pytest.mark.parametrize("before", [LONG_NAME + PAX_PATH, PAX_PATH + LONG_NAME, LONG_NAME * 2, PAX_PATH * 2])
def test_a_tar_member_with_two_names_is_refused(tmp_path, before):
    path = tmp_path / "a.tar"
    path.write_bytes(before + tars.member(b"n02690373_1.JPEG", b"abc") + tars.END)
    with path.open("rb") as file, pytest.raises(convrnn_data.ConvRNNError, match="two names"):
        list(walk(file.fileno(), path))


@pytest.mark.parametrize(
    "file",
    [
        tars.member(b"././@LongLink", b"\0", b"L") + tars.member(b"n02690373_1.JPEG", b"abc"),
        tars.pax({b"path": b""}) + tars.member(b"n02690373_1.JPEG", b"abc"),
        tars.pax({b"path": b"n02690373_9.JPEG/"}) + tars.member(b"n02690373_1.JPEG", b"abc"),
        tars.member(b"folder/", b"abc", b"\0"),
        tars.member(b"", b"abc"),
    ],
)
def test_a_tar_member_without_a_file_name_is_refused(tmp_path, file):
    path = tmp_path / "a.tar"
    path.write_bytes(file + tars.END)
    with (
        path.open("rb") as opened,
        pytest.raises(convrnn_data.ConvRNNError, match="no name, or with the name of a folder"),
    ):
        list(walk(opened.fileno(), path))


@pytest.mark.parametrize("key", [b"path", b"size"])
def test_a_global_name_or_size_is_refused(tmp_path, key):
    path = tmp_path / "a.tar"
    path.write_bytes(tars.pax({key: b"3"}, b"g") + tars.member(b"n02690373_1.JPEG", b"abc") + tars.END)
    with (
        path.open("rb") as file,
        pytest.raises(convrnn_data.ConvRNNError, match="one name or size for all files"),
    ):
        list(walk(file.fileno(), path))


def test_a_folder_in_an_old_tar_is_skipped(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(tars.member(b"folder/", b"", b"\0") + tars.member(b"folder/a", b"abc") + tars.END)
    with path.open("rb") as file:
        assert [entry.name for entry in walk(file.fileno(), path)] == ["folder/a"]


@pytest.mark.parametrize("before", [LONG_NAME, PAX_PATH])
def test_an_extended_name_applies_to_one_member(tmp_path, before):
    path = tmp_path / "a.tar"
    path.write_bytes((before + tars.member(b"n02690373_1.JPEG", b"abc")) * 2 + tars.END)
    with path.open("rb") as file:
        assert len({entry.name for entry in walk(file.fileno(), path)} - {"n02690373_1.JPEG"}) == 1


def test_the_reason_of_a_bad_image_is_reproducible():
    reasons = set()
    kept = []
    for _ in range(3):
        with pytest.raises(BadImage) as error:
            make_ready(b"no image at all")
        kept.append(io.BytesIO())  # so that the next buffer has another address
        reasons.add(str(error.value))
    assert len(reasons) == 1
    assert "0x" not in reasons.pop()


def readout(**options) -> bytes:
    def edit(file: h5py.File) -> None:
        del file[weights.READOUT]
        file.create_dataset(weights.READOUT, **options)[...] = np.ones((1, 2))

    return weights.changed(weights.valid(only_readout=True), edit)


def read_back(path) -> np.ndarray:
    with hdf5.open_weights(path) as stored:
        return hdf5.read(path, "ReadoutDense/kernel", stored["ReadoutDense/kernel"])


def test_deeply_nested_groups_are_refused(tmp_path):
    path = tmp_path / "w.h5"
    path.write_bytes(weights.changed(weights.valid(), weights.EDITS["deep"]))
    with pytest.raises(convrnn_model.ConvRNNError, match="nests groups too deeply"):
        inspect_weights(path)


FREE, FIRST_OBJECT = 16 + 32, 16
"""Offsets in a heap with one object of less than 16 bytes: its free space, and the object."""


@pytest.mark.parametrize(
    ("at", "value"),
    [(FREE + 8, 0), (FIRST_OBJECT + 8, 2**64 - 16), (FIRST_OBJECT + 8, 2**64 - 1), (FIRST_OBJECT, 0)],
)
def test_names_in_a_damaged_global_heap_are_refused(tmp_path, at, value):
    """HDF5 itself loops forever, or reports damage."""
    data = bytearray(weights.changed(weights.valid(only_readout=True), weights.EDITS["names_vlen"]))
    at += data.find(b"GCOL")
    data[at : at + 8] = value.to_bytes(8, "little")
    (tmp_path / "w.h5").write_bytes(data)
    with pytest.raises(convrnn_model.ConvRNNError, match="damaged or truncated"):
        inspect_weights(tmp_path / "w.h5")


def test_names_in_a_valid_global_heap_are_read(tmp_path):
    (tmp_path / "w.h5").write_bytes(
        weights.changed(weights.valid(only_readout=True), weights.EDITS["names_vlen"])
    )
    assert read_back(tmp_path / "w.h5").tolist() == [[1, 1]]


@pytest.mark.parametrize("edit", ["vlen_numbers", "vlen_text"])
def test_variable_length_arrays_are_refused(tmp_path, edit):
    (tmp_path / "w.h5").write_bytes(weights.changed(weights.valid(only_readout=True), weights.EDITS[edit]))
    with pytest.raises(convrnn_model.ConvRNNError, match="weights are arrays of numbers"):
        inspect_weights(tmp_path / "w.h5")


@pytest.mark.parametrize(
    "options", [{}, {"compression": "gzip"}, {"chunks": (1, 1024), "maxshape": (None, None), "shuffle": True}]
)
def test_chunked_weights_are_read(tmp_path, options):
    path = tmp_path / "w.h5"
    path.write_bytes(readout(shape=(1, 2), dtype="f4", **options))
    assert read_back(path).tolist() == [[1, 1]]


def test_chunks_far_larger_than_their_array_are_refused(tmp_path):
    path = tmp_path / "w.h5"
    options = {"chunks": (1, 2**20), "maxshape": (None, None), "compression": "gzip"}
    path.write_bytes(readout(shape=(1, 2), dtype="f4", **options))
    assert path.stat().st_size < 50_000
    with pytest.raises(convrnn_model.ConvRNNError, match="must not be larger than its array"):
        read_back(path)


def test_a_local_heap_with_a_free_list_cycle_is_refused(tmp_path):
    """HDF5 itself records every free block, until memory is exhausted."""
    data = bytearray(weights.valid(only_readout=True))
    heap = data.index(b"HEAP")
    size, free, start = (int.from_bytes(data[heap + at : heap + at + 8], "little") for at in (8, 16, 24))
    assert free + 16 <= size, "no free space in the heap"
    data[start + free : start + free + 8] = free.to_bytes(8, "little")
    (tmp_path / "w.h5").write_bytes(data)
    with pytest.raises(convrnn_model.ConvRNNError, match=r"damaged or truncated.*leads back to itself"):
        inspect_weights(tmp_path / "w.h5")


def test_an_unlisted_array_with_a_damaged_index_is_tolerated(tmp_path):
    """HDF5 itself crashes when it visits the file, since it asks for the size of the index."""
    out = io.BytesIO(weights.valid(only_readout=True, libver="latest"))
    with h5py.File(out, "r+", libver="latest") as file:
        file.create_dataset("ReadoutDense/x", (1, 2), "f4", chunks=(1, 1), maxshape=(None, None))[...] = 1
    assert out.getvalue().count(b"BTHD") == 1
    (tmp_path / "w.h5").write_bytes(out.getvalue().replace(b"BTHD", b"BTHX"))
    with hdf5.open_weights(tmp_path / "w.h5") as stored:
        assert list(stored) == ["ReadoutDense/kernel", "ReadoutDense/x"]


def test_the_name_of_an_unlisted_array_that_is_not_utf8_is_escaped(tmp_path):
    out = io.BytesIO(weights.valid(only_readout=True))
    with h5py.File(out, "r+") as file:
        h5py.h5g.create(file.id, b"x\xff")
        file[b"x\xff"].create_dataset(b"y\xfe", (1,), "f4")
    (tmp_path / "w.h5").write_bytes(out.getvalue())
    with hdf5.open_weights(tmp_path / "w.h5") as stored:
        assert list(stored) == ["ReadoutDense/kernel", r"x\xff/y\xfe"]
