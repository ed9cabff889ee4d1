"""Files of safetensors, for modules of PyTorch."""

import numpy as np
import pytest

from convrnn_model.inference.frozen import read_network

safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")

from convrnn_model.export import safetensors_file


@pytest.fixture
def weights(file):
    return read_network(file)[1]


def test_difference(weights, tmp_path):
    path = tmp_path / "out.safetensors"
    safetensors_file.write(path, weights, {"classes": "5"})
    assert safetensors_file.largest_difference(path, weights) == 0
    changed = weights | {"ReadoutDense/bias": weights["ReadoutDense/bias"] + np.float32(0.5)}
    assert safetensors_file.largest_difference(path, changed) == pytest.approx(0.5)
    fewer = {name: value for name, value in weights.items() if name != "ReadoutDense/bias"}
    assert safetensors_file.largest_difference(path, fewer) == float("inf")
    with safetensors.safe_open(path, framework="numpy") as stored:
        assert stored.metadata() == {"classes": "5"}


def test_modules_load_it_strictly(files, graph, images, expected, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from safetensors.torch import load_file

    from convrnn_model.torch import b, bl

    builders = {"bl": lambda: bl(5, 3, width=0.02, softmax=True), "b": lambda: b(5, width=0.02, softmax=True)}
    batch = images(2, 64, 71)
    for name, build in builders.items():
        safetensors_file.write(tmp_path / "out.safetensors", read_network(files[name])[1], {})
        module = build().eval()
        module.load_state_dict(load_file(tmp_path / "out.safetensors"), strict=True)
        with torch.inference_mode():
            found = module(torch.from_numpy(batch).permute(0, 3, 1, 2)).numpy()
        values = np.squeeze(np.stack(list(expected(graph(name), batch).values()), 1))
        np.testing.assert_allclose(found, values, rtol=0, atol=1e-5)
