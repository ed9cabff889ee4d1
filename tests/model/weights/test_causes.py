"""Messages for files that are not HDF5."""

import gzip
import json
import pickle
import struct
import zipfile

import h5py
import numpy as np
import pytest

from convrnn_model import ConvRNNError, load_weights


def zipped(*names):
    def make(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")

    return make


def bytes_of(data):
    return lambda path: path.write_bytes(data)


def saved(save):
    def make(path):
        with path.open("wb") as file:
            save(file, np.zeros(2))

    return make


def text_mode(path):
    with h5py.File(path, "w") as made:
        made["x"] = 1
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))


FOREIGN = {
    "gzip": (bytes_of(gzip.compress(b"x")), "a gzip archive.*gunzip w.h5"),
    "xz": (bytes_of(b"\xfd7zXZ\0 and so on"), "an xz archive"),
    "bzip2": (bytes_of(b"BZh9 and so on"), "a bzip2 archive"),
    "zstd": (bytes_of(b"\x28\xb5\x2f\xfd and so on"), "a zstd archive"),
    "7z": (bytes_of(b"7z\xbc\xaf\x27\x1c"), "a 7z archive"),
    "tar": (bytes_of(bytes(1) + b"x" * 256 + b"ustar\0"), "a tar archive"),
    "hdf4": (bytes_of(b"\x0e\x03\x13\x01"), "an HDF4 file"),
    "zip": (zipped("w/bl.h5", "readme"), "a zip archive.*give w/bl.h5"),
    "cut_zip": (bytes_of(b"PK\3\4 and so on"), "zip archive that is damaged"),
    "keras": (zipped("config.json", "metadata.json", "model.weights.h5"), "whole Keras 3 model.*load_model"),
    "npz": (saved(np.savez), r"NumPy arrays \(.npz\)"),
    "npy": (saved(np.save), r"one NumPy array \(.npy\)"),
    "pytorch": (zipped("archive/data.pkl", "archive/data/0"), "a PyTorch file.*Load it in PyTorch"),
    "pickle": (bytes_of(pickle.dumps({"a": 1})), "a Python pickle.*can run code"),
    "safetensors": (
        bytes_of(struct.pack("<Q", 2) + b"{}"),
        "a safetensors file.*its name ends in `.safetensors`",
    ),
    "login": (bytes_of(b"\n<!DOCTYPE html><title>Sign in</title>"), "a web page.*Download the file again"),
    "answer": (bytes_of(json.dumps({"error": 403}).encode()), "JSON, such as the response of a web service"),
    "parquet": (bytes_of(b"PAR1...PAR1"), "a Parquet table"),
    "lfs": (bytes_of(b"version https://git-lfs.github.com/spec/v1\noid"), "Git LFS pointer.*git lfs pull"),
    "zeros": (bytes_of(bytes(5000)), "filled with zeros"),
    "text_mode": (text_mode, "text mode.*binary mode"),
    "matlab": (bytes_of(b"MATLAB 7.3 MAT-file"), "a MATLAB 7.3 file"),
    "unknown": (bytes_of(b"12345678901234"), "not HDF5 .it begins with b'12345678'"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_identified(kind, tmp_path, small_b):
    make, says = FOREIGN[kind]
    make(tmp_path / "w.h5")
    with pytest.raises(ConvRNNError, match=says) as caught:
        load_weights(small_b, tmp_path / "w.h5")
    assert str(tmp_path / "w.h5") in str(caught.value)
