"""HDF5 layouts: those that are read, those that are identified, and the one that is written."""

import errno
import os
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from convrnn_model import ConvRNNError, b_net, bl_net, inspect_weights, load_weights, save_weights
from convrnn_model.weights import hdf5

LAYERS = {
    "input_1": {},
    "Conv_Layer_0": {"kernel": np.arange(8, dtype=np.float32).reshape(2, 2, 1, 2)},
    "BatchNorm_Layer_0": {"gamma": np.float32([1, 2]), "beta": np.float32([-1, 0.5])},
}


def contents(path):
    with hdf5.open_weights(path) as stored:
        return {name: hdf5.read(path, name, dataset) for name, dataset in stored.items()}


def test_written_files_are_read_back_in_order(tmp_path):
    hdf5.write(tmp_path / "w.h5", LAYERS)
    found = contents(tmp_path / "w.h5")
    assert list(found) == ["Conv_Layer_0/kernel", "BatchNorm_Layer_0/gamma", "BatchNorm_Layer_0/beta"]
    for name, values in found.items():
        layer, weight = name.split("/")
        assert values.tobytes() == LAYERS[layer][weight].tobytes()
    with h5py.File(tmp_path / "w.h5") as file:
        assert list(file.attrs["layer_names"]) == [b"input_1", b"Conv_Layer_0", b"BatchNorm_Layer_0"]
        assert list(file["BatchNorm_Layer_0"].attrs["weight_names"]) == [
            b"BatchNorm_Layer_0/gamma:0",
            b"BatchNorm_Layer_0/beta:0",
        ]
        assert file["input_1"].attrs["weight_names"].size == 0


def test_unlisted_arrays_are_found(tmp_path):
    hdf5.write(tmp_path / "w.h5", LAYERS)
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file["stray/array"] = np.zeros(2, np.float32)
    assert list(contents(tmp_path / "w.h5"))[-1] == "stray/array"


def test_weights_of_other_precision_are_converted(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["x"] = np.array([0.1, 1e300])
        assert hdf5.read(tmp_path / "w.h5", "x", file["x"]).tolist() == [np.float32(0.1), np.inf]


def test_decompression_bombs_are_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("x", (1,), "f4", maxshape=(None,), chunks=(2**20,), compression="gzip")
        with pytest.raises(ConvRNNError, match="a chunk must not be larger than its array"):
            hdf5.read(tmp_path / "w.h5", "x", file["x"])


def test_deeply_nested_groups_are_refused(tmp_path):
    hdf5.write(tmp_path / "w.h5", LAYERS)
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file.create_group("/".join("x" * (hdf5.DEEPEST_NESTING + 1)))
    with pytest.raises(ConvRNNError, match="nests groups too deeply: at most 32 levels"):
        contents(tmp_path / "w.h5")


@pytest.mark.parametrize("names", [np.zeros(3), np.asarray(b"Conv_Layer_0"), np.zeros((2, 2), "S5")])
def test_lists_of_names_that_are_none(names, tmp_path):
    hdf5.write(tmp_path / "w.h5", LAYERS)
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file.attrs["layer_names"] = names
    with pytest.raises(ConvRNNError, match="the attribute layer_names is not a list of names"):
        contents(tmp_path / "w.h5")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EFBIG, "ulimit -f"),
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
    ],
)
def test_system_errors_of_writing(number, remedy, tmp_path, small_b, monkeypatch):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ConvRNNError, match=f"cannot write .*: {os.strerror(number)}.*{remedy}"):
        save_weights(small_b, tmp_path / "w.h5")
    assert os.listdir(tmp_path) == []


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


def training_checkpoint(file):
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
        (training_checkpoint, "a training checkpoint.*Give the run's weights.h5"),
        (features, "cached features"),
    ],
)
def test_other_hdf5_is_identified(fill, says, tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as made:
        fill(made)
    with pytest.raises(ConvRNNError, match=says):
        inspect_weights(tmp_path / "w.h5")


def nested(file, group="model_1", above=""):
    """Rewrite a weights file as Keras 2 writes a nested model: in one group, by inner names."""
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
def test_nested_models_load_by_their_inner_names(above, weights_file, small_b, snapshot, fill_golden):
    other = b_net((64, 64, 3), 5, width=0.02)
    fill_golden(other)
    before = snapshot(other)
    assert before != snapshot(small_b)
    load_weights(other, nested(weights_file, above=above))
    assert snapshot(other) == snapshot(small_b)
    assert inspect_weights(nested(weights_file, above=above)).variant == "b_net"


def test_nested_model_with_one_layer(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as made:
        made.attrs["layer_names"] = [b"sequential_1"]
        made["sequential_1/ReadoutDense/kernel:0"] = np.ones((3, 2), np.float32)
        made["sequential_1"].attrs["weight_names"] = [b"ReadoutDense/kernel:0"]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False, name="ReadoutDense")])
    assert load_weights(model, tmp_path / "w.h5").loaded == ("ReadoutDense/kernel",)


def test_whole_model_file(tmp_path, tiny_bl, snapshot, fill_golden):
    fill_golden(tiny_bl)
    save_weights(tiny_bl, tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as weights, h5py.File(tmp_path / "model.hdf5", "w") as whole:
        weights.copy("/", whole, "model_weights")
        whole.attrs["model_config"] = b"{}"
        whole["optimizer_weights/Adam/iterations:0"] = 3
    other = bl_net((64, 64, 3), 5, 3, width=0.02)
    load_weights(other, tmp_path / "model.hdf5")
    assert snapshot(other) == snapshot(tiny_bl)
    assert inspect_weights(tmp_path / "model.hdf5").n_timesteps == 3


def test_lists_of_names_are_split_if_too_long_for_an_attribute(
    tmp_path, monkeypatch, tiny_bl, snapshot, fill_golden
):
    fill_golden(tiny_bl)
    monkeypatch.setattr("convrnn_model.weights.hdf5.ATTRIBUTE_LIMIT", 100)
    save_weights(tiny_bl, tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert "layer_names" not in file.attrs
        assert "layer_names1" in file.attrs
    other = bl_net((64, 64, 3), 5, 3, width=0.02)
    load_weights(other, tmp_path / "w.h5")
    assert snapshot(other) == snapshot(tiny_bl)


def test_text_names_and_other_prefixes(tmp_path, tiny_bl, snapshot, fill_golden):
    """Some versions write names as text, and weights under a numbered scope."""
    fill_golden(tiny_bl)
    save_weights(tiny_bl, tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file.attrs["layer_names"] = [name.decode() for name in file.attrs["layer_names"]]
        file.move("RCL_1_BConv/RCL_1_BConv", "RCL_1_BConv/model/RCL_1_BConv_1")
        file["RCL_1_BConv"].attrs["weight_names"] = [b"model/RCL_1_BConv_1/kernel:0"]
    other = bl_net((64, 64, 3), 5, 3, width=0.02)
    load_weights(other, tmp_path / "w.h5")
    assert snapshot(other) == snapshot(tiny_bl)
