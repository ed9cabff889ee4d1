"""HDF5 files on any disk: locks, damage, and files that are something else."""

import errno
import fcntl
import gzip
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from convrnn_model import (
    ConvRNNError,
    activations,
    b_net,
    bl_net,
    inspect_weights,
    load_weights,
    multiply_adds,
    save_weights,
)


@pytest.fixture(scope="module")
def network():
    """B, small; tests leave its weights as they are."""
    return b_net((64, 64, 3), 5, width=0.02)


@pytest.fixture
def file(tmp_path, network) -> Path:
    """A sound weights file."""
    save_weights(network, tmp_path / "w.h5")
    return tmp_path / "w.h5"


# --- locks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EAGAIN, errno.ENOSYS, errno.EACCES])
def test_disks_without_locks_are_read_and_written(number, file, network, no_locks):
    no_locks(number)
    assert inspect_weights(file).variant == "b_net"
    save_weights(network, file.with_name("again.h5"))
    assert len(load_weights(network, file.with_name("again.h5")).loaded) == len(network.weights)


def test_a_locked_file_is_said_to_be_written(file):
    with file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConvRNNError, match=f"cannot read {file}: another process is writing it. Wait"):
            inspect_weights(file)
    assert inspect_weights(file).variant == "b_net"


def test_damage_on_a_disk_without_locks_may_be_a_file_being_written(file, no_locks):
    file.write_bytes(file.read_bytes()[:4096])
    with pytest.raises(ConvRNNError, match=r"damaged or cut short: HDF5 says"):
        inspect_weights(file)
    no_locks(errno.ENOLCK)
    with pytest.raises(ConvRNNError, match="damaged or cut short, or another process is writing it"):
        inspect_weights(file)


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.EMFILE, "ulimit -n"),
        (errno.EIO, "check it, and use a copy"),
        (errno.ESTALE, "mount the disk again"),
        (errno.EACCES, "permissions"),
        (errno.ENOMEM, "Free memory"),
    ],
)
def test_errors_of_the_system_are_not_damage(number, way_out, file, monkeypatch):
    def fail(*_, **__):
        raise OSError(f"Unable to open file (unable to open file: errno = {number}, error message = 'x')")

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(ConvRNNError) as caught:
        inspect_weights(file)
    assert str(caught.value).startswith(f"cannot read {file}: {os.strerror(number)}. ")
    assert way_out in str(caught.value)


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.EFBIG, "ulimit -f"),
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
    ],
)
def test_errors_of_writing(number, way_out, tmp_path, network, monkeypatch):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ConvRNNError, match=f"cannot write .*: {os.strerror(number)}.*{way_out}"):
        save_weights(network, tmp_path / "w.h5")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("w.h5\0", "no null characters"),
        ("a" * 300, "Choose a shorter name"),
        ("w.h5/weights.h5", "Check the path"),
        ("dead.h5", "symbolic link to a file that does not exist"),
        ("loop.h5", "leads back to itself"),
    ],
)
def test_paths_that_lead_nowhere(path, says, file):
    file.with_name("dead.h5").symlink_to("nowhere")
    file.with_name("loop.h5").symlink_to("loop.h5")
    with pytest.raises(ConvRNNError, match=says):
        inspect_weights(file.parent / path)


def test_disks_without_mappings(file, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    monkeypatch.setattr("mmap.mmap", fail)
    assert inspect_weights(file).variant == "b_net"


# --- files that are something else ---------------------------------------------------------------------


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
    "zip": (zipped("w/bl.h5", "readme"), "a zip archive.*give w/bl.h5"),
    "cut_zip": (bytes_of(b"PK\3\4 and so on"), "zip archive that is damaged"),
    "keras": (zipped("config.json", "metadata.json", "model.weights.h5"), "whole Keras 3 model.*load_model"),
    "npz": (saved(np.savez), r"NumPy arrays \(.npz\)"),
    "npy": (saved(np.save), r"one NumPy array \(.npy\)"),
    "pytorch": (zipped("archive/data.pkl", "archive/data/0"), "a PyTorch file.*Load it in PyTorch"),
    "pickle": (bytes_of(pickle.dumps({"a": 1})), "a Python pickle.*can run code"),
    "safetensors": (bytes_of(struct.pack("<Q", 2) + b"{}"), "a safetensors file"),
    "login": (bytes_of(b"\n<!DOCTYPE html><title>Sign in</title>"), "a web page.*Download the file again"),
    "answer": (bytes_of(json.dumps({"error": 403}).encode()), "JSON, such as the answer of a web service"),
    "parquet": (bytes_of(b"PAR1...PAR1"), "a Parquet table"),
    "lfs": (bytes_of(b"version https://git-lfs.github.com/spec/v1\noid"), "Git LFS pointer.*git lfs pull"),
    "zeros": (bytes_of(bytes(5000)), "filled with zeros"),
    "text_mode": (text_mode, "text mode.*binary mode"),
    "matlab": (bytes_of(b"MATLAB 7.3 MAT-file"), "a MATLAB 7.3 file"),
    "unknown": (bytes_of(b"12345678901234"), "not HDF5 .it begins with b'12345678'"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_named(kind, tmp_path, network):
    make, says = FOREIGN[kind]
    make(tmp_path / "w.h5")
    with pytest.raises(ConvRNNError, match=says) as caught:
        load_weights(network, tmp_path / "w.h5")
    assert str(tmp_path / "w.h5") in str(caught.value)


def keras_1(file):
    group = file.create_group("convolution2d_1")
    group["convolution2d_1_W:0"] = np.zeros((3, 3, 1, 1), np.float32)
    group.attrs["weight_names"] = [b"convolution2d_1_W:0"]
    file.attrs["layer_names"] = [b"convolution2d_1"]
    file.attrs["keras_version"] = b"1.2.2"


def keras_0(file):
    file.attrs["nb_layers"] = 2
    file.create_group("layer_0").attrs["nb_params"] = 0


def keras_3(file):
    file["layers/dense/vars/0"] = np.zeros(2, np.float32)


def checkpoint(file):
    file["0"] = np.zeros(2, np.float32)
    file.attrs.update({"count": 1, "epoch": 3.0, "best": 1.0})


def features(file):
    file["features"] = np.zeros((2, 8, 4), np.float32)


@pytest.mark.parametrize(
    ("fill", "says"),
    [
        (keras_1, "of Keras 1: only the layout of Keras 2.*Load it in Keras 2"),
        (keras_0, "of Keras 1"),
        (keras_3, "of Keras 3 .*model.load_weights"),
        (checkpoint, "a training checkpoint.*Give the run's weights.h5"),
        (features, "cached features"),
    ],
)
def test_other_hdf5_is_named(fill, says, tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as made:
        fill(made)
    with pytest.raises(ConvRNNError, match=says):
        inspect_weights(tmp_path / "w.h5")


# --- models within models ------------------------------------------------------------------------------


def nested(file, group="model_1", above=""):
    """Rewrite a weights file as Keras 2 writes a model within a model: in one group, by inner names."""
    made = file.with_name("nested.h5")
    with h5py.File(file) as old, h5py.File(made, "w") as new:
        new.create_group("input_2").attrs["weight_names"] = np.asarray([])
        new.attrs["layer_names"] = [b"input_2", group.encode()]
        inner = new.create_group(group)
        listed = []
        for layer in (name.decode() for name in old.attrs["layer_names"]):
            for name in (name.decode() for name in old[layer].attrs["weight_names"]):
                inner[above + name] = old[layer][name][()]
                listed.append((above + name).encode())
        inner.attrs["weight_names"] = listed
    return made


@pytest.mark.parametrize("above", ["", "model_7/", "replica_0/model_7/"])
def test_nested_files_load_by_their_inner_names(above, file, network, snapshot, fill_golden):
    other = b_net((64, 64, 3), 5, width=0.02)
    fill_golden(other)
    before = snapshot(other)
    assert before != snapshot(network)
    load_weights(other, nested(file, above=above))
    assert snapshot(other) == snapshot(network)
    assert inspect_weights(nested(file, above=above)).variant == "b_net"


def test_nested_files_with_one_layer(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as made:
        made.attrs["layer_names"] = [b"sequential_1"]
        made["sequential_1/ReadoutDense/kernel:0"] = np.ones((3, 2), np.float32)
        made["sequential_1"].attrs["weight_names"] = [b"ReadoutDense/kernel:0"]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False, name="ReadoutDense")])
    assert load_weights(model, tmp_path / "w.h5").loaded == ("ReadoutDense/kernel",)


def around(network):
    image = keras.Input((64, 64, 3))
    return keras.Model(image, keras.layers.Rescaling(2.0)(network(image)))


def in_sequence(network):
    return keras.Sequential([keras.Input((64, 64, 3)), network])


def twice_around(network):
    return around(around(network))


class Subclassed(keras.Model):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def call(self, images):
        return self.network(images)


def over_time(network):
    return keras.Sequential([keras.Input((2, 64, 64, 3)), keras.layers.TimeDistributed(network)])


@pytest.mark.parametrize("wrap", [around, in_sequence, twice_around, Subclassed, over_time])
def test_models_around_a_network(wrap, file, network, snapshot, fill_golden):
    inner = b_net((64, 64, 3), 5, width=0.02)
    fill_golden(inner)
    model = wrap(inner)
    report = load_weights(model, file)
    assert len(report.loaded) == len(inner.weights)
    assert snapshot(inner) == snapshot(network)
    save_weights(model, file.with_name("again.h5"))
    assert len(load_weights(network, file.with_name("again.h5")).loaded) == len(network.weights)


@pytest.mark.parametrize("wrap", [around, in_sequence, twice_around])
def test_activations_within_models(wrap, network):
    images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    wanted = ["ReLU_Layer_3", "GlobalAvgPool"]
    within = activations(wrap(network), wanted).predict(images, verbose=0)
    alone = activations(network, wanted).predict(images, verbose=0)
    for name in wanted:
        np.testing.assert_allclose(within[name], alone[name], rtol=1e-5)
    with pytest.raises(ConvRNNError, match="did you mean ReLU_Layer_6"):
        activations(wrap(network), "ReLU_Layer_7")


def test_what_cannot_be_told_is_refused(network, tmp_path):
    recurrent = bl_net((64, 64, 3), 5, n_timesteps=2, width=0.02)
    image = keras.Input((64, 64, 3))
    both = keras.Model(image, [network(image), *recurrent(image)])
    with pytest.raises(ConvRNNError, match="several weights called ReadoutDense/kernel"):
        save_weights(both, tmp_path / "w.h5")
    with pytest.raises(ConvRNNError, match="not a functional model"):
        activations(Subclassed(network), "ReLU_Layer_3")
    with pytest.raises(ConvRNNError, match="must not hold other models, got"):
        multiply_adds(around(network))
    assert os.listdir(tmp_path) == []
