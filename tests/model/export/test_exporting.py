"""Export of weights files."""

import json
import subprocess
import sys

import numpy as np
import pytest

from convrnn_model import ConvRNNError, export_network, inspect_weights, names
from convrnn_model.export import exporting, onnx_file
from convrnn_model.export.formats import FORMATS
from convrnn_model.inference.engine import missing

WITHOUT_KERAS = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "tensorflow", "jax", "torch"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
from convrnn_model import export_network
print(export_network(*sys.argv[1:]))
"""


@pytest.fixture
def require():
    """A function that skips a test unless the software of a format is installed."""

    def check(suffix):
        for name in {FORMATS[suffix].writer, FORMATS[suffix].runtime}:
            pytest.importorskip(name, reason=f"{name} is not installed")

    return check


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format(suffix, files, require, tmp_path):
    require(suffix)
    report = export_network(files["bl"], tmp_path / f"out{suffix}", n_timesteps=2)
    assert report.difference <= 1e-5
    assert sorted(tmp_path.iterdir()) == sorted(report.files)
    assert "checked with" in str(report)
    assert report.outputs == (() if suffix == ".safetensors" else (names.softmax(0), names.softmax(1)))


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".safetensors"])
def test_keras_is_not_imported(suffix, files, require, tmp_path):
    require(suffix)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_KERAS, files["bl"], tmp_path / f"out{suffix}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "largest relative difference" in done.stdout


@pytest.mark.parametrize("outputs", ["features", "RCL_0_BConv", ["Sotfmax_Time_0", "ReLU_Layer_1_Time_2"]])
def test_outputs(outputs, files, require, tmp_path):
    require(".onnx")
    report = export_network(files["bl"], tmp_path / "out.onnx", outputs=outputs, image_size=(64, 70))
    expected = {
        "features": tuple(names.global_pool(time) for time in range(3)),
        "RCL_0_BConv": ("RCL_0_BConv_Time_0",),
    }
    assert report.outputs == (expected[outputs] if isinstance(outputs, str) else tuple(outputs))


def test_metadata(files, require, tmp_path):
    require(".onnx")
    import onnx

    export_network(files["bl"], tmp_path / "out.onnx", cumulative_readout=True, image_size=64)
    found = {one.key: one.value for one in onnx.load(tmp_path / "out.onnx").metadata_props}
    assert found["variant"] == "bl_net"
    assert found["weights_sha256"] == inspect_weights(files["bl"]).sha256
    assert (found["input_layout"], found["input_range"]) == ("NCHW", "[-1, 1]")
    assert json.loads(found["outputs"]) == [names.softmax(time) for time in range(3)]
    assert json.loads(found["cumulative_readout"]) is True


def test_existing_files(files, require, tmp_path):
    require(".safetensors")
    path = tmp_path / "out.safetensors"
    path.write_text("former")
    with pytest.raises(ConvRNNError, match=r"out\.safetensors must not exist yet\. Pass --force"):
        export_network(files["b"], path)
    assert path.read_text() == "former"
    export_network(files["b"], path, force=True)
    assert path.stat().st_size > 1000


@pytest.mark.skipif(missing("openvino") is not None, reason="OpenVINO is not installed")
def test_an_existing_file_of_weights(files, tmp_path):
    (tmp_path / "out.bin").write_text("former")
    with pytest.raises(ConvRNNError, match=r"out\.bin must not exist yet"):
        export_network(files["b"], tmp_path / "out.xml")
    assert (tmp_path / "out.bin").read_text() == "former"


@pytest.mark.parametrize("change", ["values", "shape", "name", "nan"])
def test_a_file_that_disagrees_is_not_kept(change, files, require, monkeypatch, tmp_path):
    require(".onnx")
    run = onnx_file.run

    def changed(path, images):
        found = run(path, images)
        first, *_ = found
        if change == "name":
            found["other"] = found.pop(first)
        elif change == "shape":
            found[first] = found[first][:1]
        else:
            found[first] = found[first] + (np.float32("nan") if change == "nan" else np.float32(1e-4))
        return found

    monkeypatch.setattr(onnx_file, "run", changed)
    with pytest.raises(ConvRNNError, match=r"was not written: onnxruntime must agree .* within 1e-05, got"):
        export_network(files["b"], tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_the_runtime(files, monkeypatch, tmp_path):
    pytest.importorskip("onnx", reason="ONNX is not installed")
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    report = export_network(files["b"], tmp_path / "out.onnx")
    assert report.difference is None
    assert "not checked, because onnxruntime is not installed. Install it: pip install onnxruntime" in str(
        report
    )
    assert (tmp_path / "out.onnx").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 63}, "its sides must be at least 64 px, got 63 x 63"),
        ({"image_size": 0}, "image_size must be a positive integer, got 0"),
        ({"batch": 0}, "batch must be a positive integer, got 0"),
        ({"outputs": "ReLU_Layer_9"}, "b_net has no output called ReLU_Layer_9"),
        ({"n_timesteps": 2}, "n_timesteps and cumulative_readout belong to recurrent networks"),
    ],
)
def test_options_out_of_range(options, message, files, tmp_path, monkeypatch):
    monkeypatch.setattr("convrnn_model.export.formats.find_spec", lambda name: object())
    with pytest.raises(ConvRNNError, match=message):
        export_network(files["b"], tmp_path / "out.onnx", **options)
    assert list(tmp_path.iterdir()) == []


def test_files_of_weights_have_no_graph(files, tmp_path, monkeypatch):
    monkeypatch.setattr("convrnn_model.export.formats.find_spec", lambda name: object())
    with pytest.raises(ConvRNNError, match=r"batch, outputs cannot be set for .*without a computation"):
        export_network(files["b"], tmp_path / "out.safetensors", batch=1, outputs="features")


def test_other_files(tmp_path, monkeypatch):
    monkeypatch.setattr("convrnn_model.export.formats.find_spec", lambda name: object())
    with pytest.raises(ConvRNNError, match=r"absent\.h5 does not exist"):
        export_network(tmp_path / "absent.h5", tmp_path / "out.onnx")
