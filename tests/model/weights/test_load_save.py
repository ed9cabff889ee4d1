"""Weights are loaded and saved completely, or not at all."""

import json
import os

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nested_models import Subclassed, in_model, in_model_in_model, in_sequence, over_time

from convrnn_model import (
    ConvRNNError,
    b_net,
    bl_net,
    inspect_weights,
    load_weights,
    save_weights,
)
from convrnn_model.networks import BUILDERS
from convrnn_model.variants import VARIANTS


def tiny(name="bl_net", classes=5, **options):
    return BUILDERS[name]((64, 64, 3), classes, width=options.pop("width", 0.02), **options)


def described(path):
    """Describe the attributes and datasets of a file as the manifest does."""
    weights = []
    with h5py.File(path) as file:
        attributes = {name: file.attrs[name].decode() for name in ("keras_version", "backend")}
        layers = [name.decode() for name in file.attrs["layer_names"]]
        assert sorted(file) == sorted(layers)
        for layer in layers:
            for name in (name.decode() for name in file[layer].attrs["weight_names"]):
                data = file[layer][name]
                row = {"layer": layer, "name": name, "shape": list(data.shape), "dtype": str(data.dtype)}
                weights.append(row)
    return {"attrs": attributes, "layer_names": layers, "weights": weights}


@pytest.mark.parametrize("name", ["bl_net", "b_net", "b_k_net", "b_f_net", "b_d_net"])
def test_saved_files_have_the_structure_of_the_original(name, shared, tmp_path):
    manifest = json.loads((shared / "golden" / "manifest.json").read_text())[name.removesuffix("_net")]
    classes = manifest.pop("classes")
    save_weights(BUILDERS[name]((128, 128, 3), classes), tmp_path / "w.h5")
    assert described(tmp_path / "w.h5") == manifest


def test_loading_and_saving_preserves_every_byte(golden_file, golden_bl, tmp_path):
    save_weights(golden_bl, tmp_path / "again.h5")
    with h5py.File(golden_file) as theirs, h5py.File(tmp_path / "again.h5") as ours:
        assert list(ours.attrs["layer_names"]) == list(theirs.attrs["layer_names"])
        assert ours.attrs["layer_names"].dtype == theirs.attrs["layer_names"].dtype
        names = []
        for layer in theirs:
            names_of = [f[layer].attrs["weight_names"] for f in (theirs, ours)]
            assert names_of[0].dtype == names_of[1].dtype
            assert list(names_of[0]) == list(names_of[1])
            names += [f"{layer}/{weight.decode()}" for weight in names_of[0]]
        assert len(names) == 14 + 7 * 8 * 4 + 2
        assert all(ours[name][()].tobytes() == theirs[name][()].tobytes() for name in names)


@pytest.mark.parametrize("name", VARIANTS)
def test_save_then_load(name, tmp_path, snapshot, fill_golden):
    model, other = tiny(name), tiny(name)
    fill_golden(model)
    save_weights(model, tmp_path / "w.hdf5")
    report = load_weights(other, tmp_path / "w.hdf5")
    assert snapshot(other) == snapshot(model)
    assert set(report.loaded) == set(snapshot(model))
    assert (report.kept, report.repeated, report.unused) == ((), (), ())


def test_saving_replaces_a_file_and_leaves_no_temporary_file(tmp_path, tiny_bl):
    path = tmp_path / "w.h5"
    path.write_bytes(b"earlier content")
    save_weights(tiny_bl, path)
    assert inspect_weights(path).n_timesteps == 3
    assert os.listdir(tmp_path) == ["w.h5"]


def test_failed_saving_preserves_the_old_file(tmp_path, tiny_bl, monkeypatch):
    path = tmp_path / "w.h5"
    path.write_bytes(b"earlier content")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(h5py.Group, "create_dataset", full)
    with pytest.raises(ConvRNNError, match=r"cannot write .*: No space left.*free space"):
        save_weights(tiny_bl, path)
    assert path.read_bytes() == b"earlier content"
    assert os.listdir(tmp_path) == ["w.h5"]


@pytest.mark.parametrize(
    ("path", "says"), [(".", "is a folder"), ("no/such/folder/w.h5", "cannot write .*: No such file")]
)
def test_saving_to_an_invalid_path(path, says, tmp_path, tiny_bl):
    with pytest.raises(ConvRNNError, match=says):
        save_weights(tiny_bl, tmp_path / path)


# --- invalid files -------------------------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def no_hdf5(path):
    path.write_text("<html>404</html>")


def empty(path):
    path.write_bytes(b"")


def keras_archive(path):
    path.write_bytes(b"PK\x03\x04 and so on")


def gone(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def unreadable(path):
    if os.geteuid():
        path.chmod(0)
    else:
        # Root may read any file; reading this one fails for all users.
        path.unlink()
        path.symlink_to("/proc/self/mem")


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def change(edit):
    def changed(path):
        with h5py.File(path, "r+") as file:
            edit(file)

    return changed


KERNEL = "RCL_2_LConv/RCL_2_LConv/kernel:0"
MEAN = "BatchNorm_Layer_3_Time_1/BatchNorm_Layer_3_Time_1/moving_mean:0"


@change
def lost_layer(file):
    names = [name for name in file.attrs["layer_names"] if name != b"RCL_2_LConv"]
    del file["RCL_2_LConv"], file.attrs["layer_names"]
    file.attrs["layer_names"] = names


@change
def lost_data(file):
    del file[KERNEL]


@change
def extra_layer(file):
    group = file.create_group("RCL_7_BConv")
    group["RCL_7_BConv/kernel:0"] = np.zeros((1, 1, 2, 2), np.float32)
    group.attrs["weight_names"] = [b"RCL_7_BConv/kernel:0"]
    file.attrs["layer_names"] = [*file.attrs["layer_names"], b"RCL_7_BConv"]


@change
def extra_data(file):
    file["RCL_0_BConv/RCL_0_BConv/bias:0"] = np.zeros(2, np.float32)


@change
def extra_step_of_one_layer(file):
    layer = "BatchNorm_Layer_0_Time_3"
    file.copy("BatchNorm_Layer_0_Time_2/BatchNorm_Layer_0_Time_2", f"{layer}/{layer}")
    file[layer].attrs["weight_names"] = [f"{layer}/gamma:0".encode()]
    file.attrs["layer_names"] = [*file.attrs["layer_names"], layer.encode()]


def replace(name, value):
    @change
    def replaced(file):
        data = value(file[name][()])
        del file[name]
        file[name] = data

    return replaced


def set_one(number):
    def value(array):
        array.flat[-1] = number
        return array

    return value


def link(kind):
    @change
    def linked(file):
        del file[KERNEL]
        file[KERNEL] = kind

    return linked


@change
def stored_outside(file):
    shape = file[KERNEL].shape
    del file[KERNEL]
    file.create_dataset(KERNEL, shape, "f4", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])


@change
def twice(file):
    file["RCL_0_BConv"].attrs["weight_names"] = [b"RCL_0_BConv/kernel:0"] * 2


@change
def no_layout(file):
    del file.attrs["layer_names"]


DAMAGE = {
    "truncated": (cut, "damaged or truncated"),
    "not_hdf5": (no_hdf5, "is a web page, such as a login"),
    "empty": (empty, "is empty: a weights file is HDF5"),
    "keras_archive": (keras_archive, "zip archive"),
    "gone": (gone, "does not exist"),
    "folder": (folder, "is a folder"),
    "unreadable": (unreadable, "cannot read "),
    "fifo": (fifo, "not a regular file"),
    "lost_layer": (lost_layer, r"missing: RCL_2_LConv/kernel\.$"),
    "lost_data": (lost_data, "lists RCL_2_LConv/kernel:0 in /RCL_2_LConv but does not contain it"),
    "extra_layer": (extra_layer, r"unexpected: RCL_7_BConv/kernel\.$"),
    "extra_data": (extra_data, r"unexpected: RCL_0_BConv/RCL_0_BConv/bias:0\.$"),
    "extra_step": (extra_step_of_one_layer, r"unexpected: BatchNorm_Layer_0_Time_3/gamma"),
    "transposed": (
        replace("ReadoutDense/ReadoutDense/kernel:0", np.transpose),
        r"mismatched: ReadoutDense/kernel must be \(41, 5\), got \(5, 41\), its axes in another order",
    ),
    "mismatched": (
        replace(MEAN, lambda a: a[:-1]),
        r"mismatched: BatchNorm_Layer_3_Time_1/moving_mean must be .*, got \(4,\)",
    ),
    "nan": (
        replace(MEAN, set_one(np.nan)),
        r"NaN or infinite values in BatchNorm_Layer_3_Time_1/moving_mean \(1 of 5\)",
    ),
    "infinite": (replace(KERNEL, set_one(np.inf)), "NaN or infinite values in RCL_2_LConv/kernel"),
    "text": (
        replace(MEAN, lambda a: a.astype("S8")),
        "must be floating-point numbers, got BatchNorm_Layer_3_Time_1",
    ),
    "integers": (
        replace(MEAN, lambda a: a.astype("i4")),
        "must be floating-point numbers, got BatchNorm_Layer_3_Time_1",
    ),
    "external_link": (link(h5py.ExternalLink("other.h5", "/x")), "links are not followed"),
    "soft_link": (link(h5py.SoftLink("/RCL_1_LConv")), "links are not followed"),
    "external_data": (stored_outside, "stores RCL_2_LConv/kernel:0 in another file"),
    "twice": (twice, "lists RCL_0_BConv/kernel twice"),
    "no_layout": (
        no_layout,
        "HDF5 without the attribute `layer_names`.*Give a file that Keras 2 or `save_weights` wrote",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_invalid_file_is_explained_and_changes_nothing(damage, tmp_path, tiny_bl, snapshot, fill_golden):
    spoil, says = DAMAGE[damage]
    path = tmp_path / "weights.h5"
    save_weights(tiny_bl, path)
    spoil(path)
    fill_golden(tiny_bl)
    before = snapshot(tiny_bl)
    with pytest.raises(ConvRNNError, match=says) as caught:
        load_weights(tiny_bl, path)
    assert str(path) in str(caught.value)
    assert snapshot(tiny_bl) == before


@pytest.mark.parametrize("other", sorted(set(VARIANTS) - {"bl_net"}))
def test_another_variant(other, tmp_path, tiny_bl, snapshot):
    save_weights(tiny(other), tmp_path / "w.h5")
    before = snapshot(tiny_bl)
    # B-F is B with twice the filters, so at other widths the two are ambiguous.
    called = "b_net" if other == "b_f_net" else other
    # BLT has all weights of BL.
    missing = "" if other == "blt_net" else "missing: .*"
    with pytest.raises(
        ConvRNNError,
        match=f"must contain bl_net, got {called}. Give a weights file of bl_net.*{missing}unexpected: ",
    ):
        load_weights(tiny_bl, tmp_path / "w.h5")
    assert snapshot(tiny_bl) == before


def test_another_width(tmp_path, tiny_bl):
    save_weights(tiny(width=0.03, n_timesteps=3), tmp_path / "w.h5")
    with pytest.raises(
        ConvRNNError, match=r"filters must be .*, got \(3, 4, .*`width`.*mismatched: RCL_0_BConv/kernel"
    ):
        load_weights(tiny_bl, tmp_path / "w.h5")


def test_one_error_lists_all_problems(tmp_path, tiny_bl):
    path = tmp_path / "w.h5"
    save_weights(tiny_bl, path)
    for spoil in ("lost_layer", "extra_layer", "transposed"):
        DAMAGE[spoil][0](path)
    says = "missing: RCL_2_LConv/kernel.*unexpected: RCL_7_BConv/kernel.*mismatched: ReadoutDense/kernel"
    with pytest.raises(ConvRNNError, match=says):
        load_weights(tiny_bl, path)


@settings(deadline=None)
@given(data=st.binary(min_size=1, max_size=64), at=st.floats(0, 1))
def test_corrupt_bytes_never_crash(data, at, load_corrupted):
    load_corrupted(data, at)


@pytest.fixture(scope="module")
def load_corrupted(tmp_path_factory):
    """A function that overwrites part of a valid file and loads it; only ConvRNNError may be raised."""
    path = tmp_path_factory.mktemp("corrupt") / "w.h5"
    model = tiny("b_net")
    save_weights(model, path)
    valid = path.read_bytes()

    def load(data, at):
        start = int(at * (len(valid) - len(data)))
        path.write_bytes(valid[:start] + data + valid[start + len(data) :])
        message = str(path)
        try:
            load_weights(model, path)
        except ConvRNNError as error:
            message = str(error)
        assert str(path) in message

    return load


# --- readouts and time steps ---------------------------------------------------------------------------


def test_another_number_of_classes_is_reported(golden_file, tiny_bl):
    model = bl_net((64, 64, 3), 1000)
    with pytest.raises(ConvRNNError, match=r"the readout must have 1000 classes, got 565 \(ecoset\)\. Pass"):
        load_weights(model, golden_file)


def test_readout_can_be_skipped(tmp_path, snapshot, fill_golden):
    theirs, ours = tiny(classes=7), tiny(classes=5)
    fill_golden(theirs)
    save_weights(theirs, tmp_path / "w.h5")
    before = snapshot(ours)
    report = load_weights(ours, tmp_path / "w.h5", readout="skip")
    after = snapshot(ours)
    assert report.kept == ("ReadoutDense/kernel", "ReadoutDense/bias")
    assert all(after[name] == before[name] for name in report.kept)
    assert all(after[name] == snapshot(theirs)[name] for name in report.loaded)
    assert set(report.loaded) | set(report.kept) == set(before)


def test_readout_of_the_same_size_is_skipped_too(tmp_path, snapshot, fill_golden):
    theirs, ours = tiny(), tiny()
    fill_golden(theirs)
    save_weights(theirs, tmp_path / "w.h5")
    before = snapshot(ours)["ReadoutDense/kernel"]
    load_weights(ours, tmp_path / "w.h5", readout="skip")
    assert snapshot(ours)["ReadoutDense/kernel"] == before


@pytest.mark.parametrize("own", [1, 2, 3])
def test_fewer_time_steps_than_the_file(own, tmp_path, tiny_bl, snapshot, fill_golden):
    fill_golden(tiny_bl)
    save_weights(tiny_bl, tmp_path / "w.h5")
    model = tiny(n_timesteps=own)
    report = load_weights(model, tmp_path / "w.h5")
    theirs = snapshot(tiny_bl)
    assert snapshot(model) == {name: theirs[name] for name in snapshot(model)}
    assert set(report.unused) == set(theirs) - set(snapshot(model))


def test_more_time_steps_than_the_file(tmp_path, tiny_bl, snapshot, fill_golden):
    fill_golden(tiny_bl)
    save_weights(tiny_bl, tmp_path / "w.h5")
    model = tiny(n_timesteps=5)
    before = snapshot(model)
    with pytest.raises(
        ConvRNNError, match=r"must have 5 time steps, got 3\. Pass extra_timesteps='repeat-last'"
    ):
        load_weights(model, tmp_path / "w.h5")
    assert snapshot(model) == before
    report = load_weights(model, tmp_path / "w.h5", extra_timesteps="repeat-last")
    after, theirs = snapshot(model), snapshot(tiny_bl)
    assert len(report.repeated) == 2 * 7 * 4
    for name in after:
        source = name.replace("_Time_3", "_Time_2").replace("_Time_4", "_Time_2")
        assert after[name] == theirs[source]
        assert (name in report.repeated) == (name != source)
    load_weights(model, tmp_path / "w.h5", extra_timesteps=0)
    for name, value in snapshot(model).items():
        assert value == theirs[name.replace("_Time_3", "_Time_0").replace("_Time_4", "_Time_0")]


@pytest.mark.parametrize("option", ["readout", "extra_timesteps"])
def test_unknown_choice(option, tmp_path, tiny_bl):
    with pytest.raises(ConvRNNError, match=f"{option} must be one of"):
        load_weights(tiny_bl, tmp_path / "w.h5", **{option: "perhaps"})


# --- nested models -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [in_model, in_sequence, in_model_in_model, Subclassed, over_time])
def test_models_that_contain_a_network(wrap, weights_file, small_b, snapshot, fill_golden):
    inner = b_net((64, 64, 3), 5, width=0.02)
    fill_golden(inner)
    model = wrap(inner)
    report = load_weights(model, weights_file)
    assert len(report.loaded) == len(inner.weights)
    assert snapshot(inner) == snapshot(small_b)
    save_weights(model, weights_file.with_name("again.h5"))
    assert len(load_weights(small_b, weights_file.with_name("again.h5")).loaded) == len(small_b.weights)


def test_networks_with_equal_names_cannot_be_saved_together(small_b, tmp_path):
    recurrent = bl_net((64, 64, 3), 5, n_timesteps=2, width=0.02)
    image = keras.Input((64, 64, 3))
    both = keras.Model(image, [small_b(image), *recurrent(image)])
    with pytest.raises(ConvRNNError, match="several weights called ReadoutDense/kernel"):
        save_weights(both, tmp_path / "w.h5")
    assert os.listdir(tmp_path) == []
