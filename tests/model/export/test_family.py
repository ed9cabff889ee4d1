"""Export of networks with top-down connections, with weights per time step, and with readouts of every layer."""

from importlib.util import find_spec

import pytest

from convrnn_model import ConvRNNError, b_net, b_u_net, blt_net, save_weights
from convrnn_model.export.exporting import export_network

BUILDERS = {
    "blt": lambda: blt_net((64, 64, 3), 5, 3, width=0.02),
    "b_u": lambda: b_u_net((64, 64, 3), 5, 2, width=0.02),
    "b_layers": lambda: b_net((64, 64, 3), 5, width=0.02, layer_readouts=True),
}
PACKAGES = {".onnx": ("onnx", "onnxruntime"), ".xml": ("openvino",), ".safetensors": ("safetensors",)}


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("suffix", PACKAGES)
def test_files_agree_with_the_network_at_odd_sizes(name, suffix, tmp_path, fill_golden):
    for package in PACKAGES[suffix]:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    model = BUILDERS[name]()
    fill_golden(model)
    save_weights(model, tmp_path / "w.h5")
    size = {} if suffix == ".safetensors" else {"image_size": (71, 64)}
    report = export_network(tmp_path / "w.h5", tmp_path / f"network{suffix}", **size)
    # Files that disagree are not written.
    assert report.difference is not None
    if size:
        assert len(report.outputs) == len(model.outputs)


def test_keras_has_no_layer_for_top_down_connections(tmp_path):
    save_weights(BUILDERS["blt"](), tmp_path / "w.h5")
    with pytest.raises(ConvRNNError, match=r"cannot export RCL_\d_TConv to .keras.*Export to .onnx or .xml"):
        export_network(tmp_path / "w.h5", tmp_path / "network.keras")
    assert not (tmp_path / "network.keras").exists()
