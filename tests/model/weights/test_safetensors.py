"""Weights as safetensors, in the published layout."""

import subprocess
import sys

import numpy as np
import pytest

from convrnn_model import ConvRNNError, b_net, load_weights
from convrnn_model.weights import safetensors as ours
from convrnn_model.weights.load_save import as_array, model_weights

safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")

from safetensors.numpy import load_file, save_file


@pytest.fixture
def model(fill_golden):
    """B, with 5 classes."""
    model = b_net((64, 64, 3), 5, width=0.02)
    fill_golden(model)
    return model


@pytest.fixture
def tensors(model):
    """The network's `state_dict`, with the axes written by hand."""
    found = {}
    for layer in model.layers:
        values = {variable.name: as_array(variable) for variable in layer.weights}
        if layer.name.startswith("Conv"):
            found[f"{layer.name}.weight"] = values["kernel"].transpose(3, 2, 0, 1)
        elif layer.name.startswith("Batch"):
            found[f"{layer.name}.weight"], found[f"{layer.name}.bias"] = values["gamma"], values["beta"]
            found[f"{layer.name}.running_mean"] = values["moving_mean"]
            found[f"{layer.name}.running_var"] = values["moving_variance"]
            found[f"{layer.name}.num_batches_tracked"] = np.array(0)
        elif layer.name == "ReadoutDense":
            found["ReadoutDense.weight"], found["ReadoutDense.bias"] = values["kernel"].T, values["bias"]
    return {name: np.ascontiguousarray(value) for name, value in found.items()}


@pytest.fixture
def path(tensors, tmp_path):
    save_file(tensors, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_tensors_of_weights(model, tensors):
    weights = {name: as_array(variable) for name, variable in model_weights(model).items()}
    found = ours.tensors_of(weights)
    assert set(found) == set(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert found[name].dtype == value.dtype


def test_keras_networks_load_it(model, path, snapshot):
    other = b_net((64, 64, 3), 5, width=0.02)
    report = load_weights(other, path)
    assert snapshot(other) == snapshot(model)
    assert report.kept == report.unused == ()


def test_written_files_are_read(tensors, tmp_path):
    (tmp_path / "again.safetensors").write_bytes(ours.serialized(tensors, {"variant": "b_net"}))
    found = load_file(tmp_path / "again.safetensors")
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)


def test_counters_may_be_missing_and_half_precision_is_read(tensors, model, path):
    some = {name: value.astype(np.float16) for name, value in tensors.items() if "tracked" not in name}
    save_file(some, path)
    load_weights(model, path)
    np.testing.assert_array_equal(
        as_array(model.get_layer("ReadoutDense").bias), some["ReadoutDense.bias"].astype(np.float32)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Conv_Layer_1.weight": None}, "Weights missing: Conv_Layer_1/kernel"),
        ({"Conv_Layer_1.bias": np.zeros(2, np.float32)}, "unexpected: Conv_Layer_1/bias"),
        ({"classifier.weight": np.zeros(2, np.float32)}, "unexpected: classifier.weight"),
        (
            {"BatchNorm_Layer_0.running_mean": np.zeros(9, np.float32)},
            r"mismatched: BatchNorm_Layer_0/moving_mean must be \(2,\), got \(9,\)",
        ),
        (
            {"Conv_Layer_0.weight": np.zeros((2, 3, 5, 5), np.float32)},
            r"Conv_Layer_0/kernel must be \(7, 7, 3, 2\), got \(5, 5, 3, 2\)",
        ),
        ({"ReadoutDense.bias": np.full(5, np.nan, np.float32)}, "weights must be finite"),
        ({"ReadoutDense.bias": np.zeros(5, np.int32)}, "must be F16, F32, F64, got ReadoutDense/bias is I32"),
    ],
)
def test_files_that_do_not_fit_change_nothing(change, message, tensors, model, path, snapshot):
    save_file({name: value for name, value in (tensors | change).items() if value is not None}, path)
    before = snapshot(model)
    with pytest.raises(ConvRNNError, match=message):
        load_weights(model, path)
    assert snapshot(model) == before


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_truncated_files(share, model, path):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ConvRNNError, match=r"w\.safetensors is damaged or truncated: safetensors reports"):
        load_weights(model, path)


def test_paths_that_are_no_files(model, tmp_path):
    with pytest.raises(ConvRNNError, match=r"absent\.safetensors.*Check the path"):
        load_weights(model, tmp_path / "absent.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(ConvRNNError, match="is a folder"):
        load_weights(model, tmp_path / "folder.safetensors")


def test_not_installed(model, path, monkeypatch):
    monkeypatch.setattr(ours, "find_spec", lambda name: None)
    with pytest.raises(ConvRNNError, match=r'Install it: pip install "convrnn-model\[safetensors\]"\.'):
        load_weights(model, path)


def test_neither_keras_nor_pytorch_is_imported():
    code = (
        "import sys, safetensors.numpy, convrnn_model.weights.safetensors\n"
        "assert not {'keras', 'torch', 'tensorflow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
