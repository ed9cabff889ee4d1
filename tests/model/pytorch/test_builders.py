"""Functions that build the networks: variants, options and shapes of the outputs."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import convrnn_model.torch as module

RECURRENT = {"bl": "bl_net", "bt": "bt_net", "blt": "blt_net", "b_u": "b_u_net"}
FEEDFORWARD = {"b": "b_net", "b_k": "b_k_net", "b_f": "b_f_net", "b_d": "b_d_net"}
IMAGES = torch.rand((1, 3, 64, 64)) * 2 - 1


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_networks_have_an_output_per_time_step(name):
    network = getattr(module, name)(5, 2, width=0.02).eval()
    assert network.architecture.variant == RECURRENT[name]
    with torch.no_grad():
        assert network(IMAGES).shape == (1, 2, 5)
    assert getattr(module, name)(5, width=0.02).architecture.n_timesteps == 8


@pytest.mark.parametrize("name", FEEDFORWARD)
def test_feedforward_networks_have_one_output(name):
    network = getattr(module, name)(5, width=0.02).eval()
    assert network.architecture.variant == FEEDFORWARD[name]
    with torch.no_grad():
        assert network(IMAGES).shape == (1, 5)


@pytest.mark.parametrize("name", [*RECURRENT, *FEEDFORWARD])
def test_options_reach_the_network(name):
    network = getattr(module, name)(5, width=0.02, channels=1, softmax=True).eval()
    assert network.architecture.channels == 1
    with torch.no_grad():
        total = network(IMAGES[:, :1]).sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total))
