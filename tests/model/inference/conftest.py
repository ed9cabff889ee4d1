"""All networks, and some with other readouts, small and with golden weights."""

import pytest

from convrnn_model import b_d_net, b_f_net, b_k_net, b_net, b_u_net, bl_net, blt_net, bt_net

BUILDERS = {
    "bl": lambda image: bl_net(image, 5, 3, width=0.02),
    "bl_cumulative": lambda image: bl_net(image, 5, 3, True, width=0.02),
    "bl_one_step": lambda image: bl_net(image, 5, 1, width=0.02),
    "b": lambda image: b_net(image, 5, width=0.02),
    "b_k": lambda image: b_k_net(image, 5, width=0.02),
    "b_f": lambda image: b_f_net(image, 5, width=0.01),
    "b_d": lambda image: b_d_net(image, 5, width=0.02),
    "b_u": lambda image: b_u_net(image, 5, 3, True, width=0.02),
    "bt": lambda image: bt_net(image, 5, 3, width=0.02),
    "blt": lambda image: blt_net(image, 5, 3, True, width=0.02),
    "b_layers": lambda image: b_net(image, 5, width=0.02, layer_readouts=True),
    "b_u_layers": lambda image: b_u_net(image, 5, 2, width=0.02, layer_readouts=True),
    "blt_layers": lambda image: blt_net(image, 5, 2, True, width=0.02, layer_readouts=True),
}


@pytest.fixture(scope="session", params=BUILDERS)
def network(request, fill_golden):
    """Each network, for images of any size; tests leave it unchanged."""
    model = BUILDERS[request.param]((None, None, 3))
    fill_golden(model)
    return model


@pytest.fixture(scope="session")
def cumulative_bl(fill_golden):
    """BL with a cumulative readout over three time steps; tests leave it unchanged."""
    model = BUILDERS["bl_cumulative"]((None, None, 3))
    fill_golden(model)
    return model
