"""BT, BLT, B-U and readouts of every layer in PyTorch: values and gradients of Keras at odd image sizes."""

import keras
import numpy as np
import pytest

from convrnn_model import save_weights
from convrnn_model.networks import BUILDERS

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from convrnn_model.torch import load_weights
from convrnn_model.torch.modules import TopDownConv2d
from convrnn_model.torch.networks import Network

# Pooling drops rows and columns.
IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 97, 71, 3)).astype(np.float32)


@pytest.mark.parametrize("layer_readouts", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bt_net", {"n_timesteps": 3}),
        ("blt_net", {"n_timesteps": 3, "cumulative_readout": True}),
        ("b_u_net", {"n_timesteps": 3}),
        ("b_d_net", {}),
    ],
)
def test_outputs_equal_those_of_keras(name, options, layer_readouts, fill_golden, tmp_path):
    options = options | {"layer_readouts": layer_readouts, "width": 0.02}
    model = BUILDERS[name]((97, 71, 3), 5, **options)
    fill_golden(model)
    save_weights(model, tmp_path / "w.h5")
    network = Network(name, 5, softmax=True, **options).eval()
    load_weights(network, tmp_path / "w.h5")
    with torch.no_grad():
        found = network(torch.from_numpy(IMAGES).permute(0, 3, 1, 2)).numpy()
    expected = model.predict_on_batch(IMAGES)
    expected = np.stack(expected, axis=1) if isinstance(expected, list) else expected
    # float32, another summation order.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * expected.max())


@pytest.mark.parametrize("kernel", [2, 3, 5, 7])
@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_gradients_of_the_transposed_convolution_are_those_of_the_convolution(kernel, size):
    """The transposed convolution is the adjoint of a convolution with stride 2 of the rows that pooling keeps."""
    layer = TopDownConv2d(3, 4, kernel).double()
    above, below = torch.randn(2, 3, 3, 4, dtype=torch.float64), torch.randn(2, 4, *size, dtype=torch.float64)
    kept = below[:, :, :6, :8]
    start = (kernel - 2) // 2
    padded = torch.nn.functional.pad(kept, (start, kernel, start, kernel))
    convolved = torch.nn.functional.conv2d(padded, layer.weight, stride=2)[:, :, :3, :4]
    torch.testing.assert_close((layer(above, below) * below).sum(), (above * convolved).sum())


def test_initial_weights_have_the_limits_of_keras():
    network = Network("blt_net", 5, 2, width=0.25)
    found = network.get_submodule("RCL_3_TConv").weight.detach().abs().max()
    layer = BUILDERS["blt_net"]((64, 64, 3), 5, 2, width=0.25).get_layer("RCL_3_TConv")
    expected = np.abs(keras.ops.convert_to_numpy(layer.kernel)).max()
    limit = np.sqrt(6 / (9 * (64 + 128)))
    assert 0.99 * limit < found <= limit
    assert 0.99 * limit < expected <= limit * (1 + 1e-6)
