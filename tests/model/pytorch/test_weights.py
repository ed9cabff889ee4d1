"""Weights files into modules and back, without Keras."""

import subprocess
import sys

import numpy as np
import pytest

from convrnn_model import ConvRNNError, b_net, bl_net
from convrnn_model import save_weights as save_keras
from convrnn_model.networks import BUILDERS
from convrnn_model.variants import VARIANTS

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from convrnn_model.torch import b, bl, load_weights, save_weights
from convrnn_model.torch.networks import Network

WITHOUT_KERAS = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "tensorflow", "jax"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import torch, convrnn_model.torch as c
from convrnn_model import fetch_weights, inspect_weights
network = c.bl(5, 3, width=0.02, softmax=True).eval()
c.load_weights(network, "w.h5")
network(c.Preprocess()(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)))
c.save_weights(network, "again.h5")
"""


def tiny(n_timesteps=3, classes=5, **options):
    return bl(classes, n_timesteps, **{"width": 0.02} | options)


def values(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.fixture
def file(tmp_path, fill_golden):
    """Weights of BL with three time steps, 5 classes."""
    model = bl_net((64, 64, 3), 5, 3, width=0.02)
    fill_golden(model)
    save_keras(model, tmp_path / "w.h5")
    return tmp_path / "w.h5"


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, {}) for name in VARIANTS] + [("bl_net", {"n_timesteps": steps}) for steps in (1, 4)],
)
def test_files_are_those_of_keras_byte_for_byte(name, options, fill_golden, tmp_path):
    model = BUILDERS[name]((64, 64, 3), 5, width=0.02, **options)
    fill_golden(model)
    save_keras(model, tmp_path / "keras.h5")
    network = Network(name, 5, width=0.02, **options)
    report = load_weights(network, tmp_path / "keras.h5")
    assert len(report.loaded) == len(model.weights)
    assert report.kept == report.repeated == report.unused == ()
    save_weights(network, tmp_path / "ours.h5")
    assert (tmp_path / "ours.h5").read_bytes() == (tmp_path / "keras.h5").read_bytes()


def test_a_cumulative_readout_adds_its_layers(tmp_path):
    save_keras(bl_net((64, 64, 3), 5, 3, True, width=0.02), tmp_path / "keras.h5")
    network = tiny(cumulative_readout=True)
    load_weights(network, tmp_path / "keras.h5")
    save_weights(network, tmp_path / "ours.h5")
    assert (tmp_path / "ours.h5").read_bytes() == (tmp_path / "keras.h5").read_bytes()


def test_keras_is_not_imported(file):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_KERAS],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (file.parent / "again.h5").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (tiny(classes=7), r"the readout must have 7 classes, got 5. Pass readout='skip'"),
        (tiny(width=0.04), "filters must be"),
        (tiny(4), "it must have 4 time steps, got 3. Pass extra_timesteps='repeat-last'"),
        (b(5, width=0.02), "it must contain b_net, got bl_net"),
        (tiny(channels=1), r"mismatched: RCL_0_BConv/kernel must be \(7, 7, 1, 2\), got \(7, 7, 3, 2\)"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(network, message, file):
    before = values(network)
    with pytest.raises(ConvRNNError, match=message):
        load_weights(network, file)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_not_finite(file, tmp_path):
    network = tiny()
    with torch.no_grad():
        network.ReadoutDense.bias[0] = torch.nan
    save_weights(network, tmp_path / "nan.h5")
    with pytest.raises(ConvRNNError, match=r"weights must be finite.*ReadoutDense/bias"):
        load_weights(tiny(), tmp_path / "nan.h5")


def test_another_readout(file):
    network = tiny()
    network.ReadoutDense = torch.nn.Linear(network.ReadoutDense.in_features, 16)
    readout = network.ReadoutDense.weight.detach().clone()
    report = load_weights(network, file, readout="skip")
    assert report.kept == ("ReadoutDense/kernel", "ReadoutDense/bias")
    torch.testing.assert_close(network.ReadoutDense.weight.detach(), readout, rtol=0, atol=0)
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 3, 16)
    save_weights(network, file)
    assert not load_weights(tiny(classes=16), file).kept


def test_other_numbers_of_time_steps(file):
    longer = tiny(5)
    report = load_weights(longer, file, extra_timesteps="repeat-last")
    assert len(report.repeated) == 2 * 7 * 4
    last = [longer.get_submodule(f"BatchNorm_Layer_3_Time_{t}").running_var for t in (2, 4)]
    torch.testing.assert_close(*last, rtol=0, atol=0)
    assert len(load_weights(tiny(2), file).unused) == 7 * 4


def test_networks_inside_modules(file):
    network = tiny()
    load_weights(torch.nn.Sequential(torch.nn.Identity(), network), file)
    expected = values(tiny_with(file))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def tiny_with(file):
    network = tiny()
    load_weights(network, file)
    return network


@pytest.mark.parametrize(
    "module", [torch.nn.Linear(2, 2), torch.nn.Sequential(tiny(), tiny())], ids=["none", "two"]
)
def test_weights_belong_to_one_network(module, file):
    with pytest.raises(ConvRNNError, match="weights belong to one network"):
        load_weights(module, file)


def test_other_memory_formats_and_dtypes(file):
    network = tiny().to(memory_format=torch.channels_last).double()
    load_weights(network, file)
    save_weights(network, file.with_name("again.h5"))
    assert file.with_name("again.h5").read_bytes() == file.read_bytes()


def test_options(file):
    with pytest.raises(ConvRNNError, match="readout must be one of 'strict', 'skip', got 'no'"):
        load_weights(tiny(), file, readout="no")


def test_keras_reads_saved_files(file):
    from convrnn_model import load_weights as load_keras

    network = b(5, width=0.02)
    save_weights(network, file)
    model = b_net((64, 64, 3), 5, width=0.02)
    load_keras(model, file)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    with torch.no_grad():
        found = network.eval()(torch.from_numpy(images).permute(0, 3, 1, 2)).softmax(-1).numpy()
    np.testing.assert_allclose(found, model.predict_on_batch(images), rtol=1e-5)


@pytest.fixture
def exported(file):
    """The same weights as safetensors."""
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    path = file.with_name("w.safetensors")
    save_weights(tiny_with(file), path)
    return path


def test_safetensors_both_ways(file, exported):
    from safetensors import safe_open

    network = tiny()
    load_weights(network, exported)
    save_weights(network, file.with_name("again.h5"))
    assert file.with_name("again.h5").read_bytes() == file.read_bytes()
    with safe_open(exported, framework="numpy") as stored:
        assert stored.metadata()["variant"] == "bl_net"


def test_safetensors_load_strictly_without_the_package(exported):
    from safetensors.torch import load_file

    network = tiny()
    network.load_state_dict(load_file(exported), strict=True)
    expected = values(tiny_with(exported))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def test_safetensors_of_another_network(exported):
    network = tiny(classes=7)
    before = values(network)
    with pytest.raises(ConvRNNError, match="the readout must have 7 classes, got 5"):
        load_weights(network, exported)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    exported.write_bytes(exported.read_bytes()[:-100])
    with pytest.raises(ConvRNNError, match="is damaged or truncated"):
        load_weights(tiny(), exported)
