"""Activations of any layer at any time step, by name."""

import keras
import numpy as np
import pytest
from nested_models import Subclassed, in_model, in_model_in_model, in_sequence

from convrnn_model import (
    ConvRNNError,
    activations,
    b_net,
    bl_net,
    global_pool,
    multiply_adds,
    names,
    pre_softmax,
    relu,
    softmax,
)

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
# float32: another graph may sum in another order.
RTOL = 1e-5


def run(model, images=IMAGES):
    return model.predict_on_batch(images)


@pytest.fixture(scope="module")
def network(fill_golden):
    model = bl_net((64, 64, 3), 5, 3, width=0.02)
    fill_golden(model)
    return model


def test_outputs_have_the_time_steps_of_their_names(network):
    answers = np.stack(run(network))
    found = run(activations(network, [softmax(t) for t in range(3)]))
    assert list(found) == [softmax(t) for t in range(3)]
    np.testing.assert_allclose(np.stack(list(found.values())), answers, rtol=RTOL)


def test_readout_before_softmax_has_the_time_step_of_its_name(network):
    answers = np.stack(run(network))
    found = run(activations(network, [pre_softmax(t) for t in range(3)]))
    logits = np.stack([found[pre_softmax(t)] for t in range(3)])
    ours = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(ours, answers, rtol=RTOL)


def test_one_name_gives_one_array(network):
    many = run(activations(network, [relu(6, 2), global_pool(2)]))
    one = run(activations(network, relu(6, 2)))
    np.testing.assert_allclose(one, many[relu(6, 2)], rtol=RTOL)
    np.testing.assert_allclose(one.mean(axis=(1, 2)), many[global_pool(2)], rtol=RTOL)


def test_shared_layers_have_a_name_per_time_step(network):
    wanted = ["RCL_1_BConv_Time_2", "RCL_1_LConv_Time_2", "RCL_1_ConvSum_Time_2", "RCL_0_BConv"]
    found = run(activations(network, wanted))
    both = found["RCL_1_BConv_Time_2"] + found["RCL_1_LConv_Time_2"]
    np.testing.assert_allclose(found["RCL_1_ConvSum_Time_2"], both, rtol=RTOL, atol=1e-6)


def test_only_required_layers_are_computed(network):
    early = activations(network, relu(2, 1))
    assert max(names.split_time(layer.name)[1] or 0 for layer in early.layers) == 1
    assert not {names.READOUT, names.bottom_up(3)} & {layer.name for layer in early.layers}
    assert multiply_adds(early).total < multiply_adds(network).total


def test_activations_of_activations_and_of_networks_used_elsewhere(network):
    image = keras.Input((64, 64, 3))
    network(image)  # gives every layer another application, outside the network
    part = activations(network, [pre_softmax(2), relu(0, 2)])
    np.testing.assert_allclose(
        run(activations(part, pre_softmax(2))), run(part)[pre_softmax(2)], rtol=RTOL, atol=1e-6
    )


def test_activations_of_a_loaded_network(network, tmp_path):
    network.save(tmp_path / "n.keras")
    again = keras.saving.load_model(tmp_path / "n.keras")
    ours, theirs = (run(activations(model, pre_softmax(1))) for model in (network, again))
    np.testing.assert_allclose(ours, theirs, rtol=RTOL)


def test_activations_of_a_compiled_network_are_not_compiled():
    network = b_net((64, 64, 3), 5, width=0.02)
    # A loss that cannot be saved and loaded.
    network.compile("adam", loss=lambda wanted, found: found)
    assert not activations(network, relu(1)).compiled


def test_activations_of_one_time_step_and_of_feedforward_networks():
    assert activations(bl_net((64, 64, 3), 5, 1, width=0.02), pre_softmax(0)).output_shape == (None, 5)
    assert activations(b_net((64, 64, 3), 5, width=0.02), pre_softmax()).output_shape == (None, 5)


def test_cumulative_readouts_have_names():
    network = bl_net((64, 64, 3), 5, 2, True, width=0.02)
    assert activations(network, names.cumulative(1)).output_shape == (None, 5)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("ReLU_Layer_7_Time_0", "did you mean ReLU_Layer_6_Time_0"),
        ("Softmax_Time_1", "did you mean Sotfmax_Time_1"),
        ("ReadoutDense", "applied at several time steps: pass ReadoutDense_Time_0"),
        ("RCL_0_LConv_Time_0", "no output called RCL_0_LConv_Time_0"),
        ("ReLU_Layer_1_Time_3", "count from 0"),
        ([], "pass one name, or several"),
    ],
)
def test_unknown_names(wanted, says, network):
    with pytest.raises(ConvRNNError, match=says):
        activations(network, wanted)


@pytest.mark.parametrize("wrap", [in_model, in_sequence, in_model_in_model])
def test_activations_of_nested_networks(wrap):
    network = b_net((64, 64, 3), 5, width=0.02)
    wanted = ["ReLU_Layer_3", "GlobalAvgPool"]
    nested, alone = (run(activations(model, wanted)) for model in (wrap(network), network))
    for name in wanted:
        np.testing.assert_allclose(nested[name], alone[name], rtol=RTOL)
    with pytest.raises(ConvRNNError, match="did you mean ReLU_Layer_6"):
        activations(wrap(network), "ReLU_Layer_7")


def test_subclassed_models_have_no_graph(network):
    with pytest.raises(ConvRNNError, match="not a functional model"):
        activations(Subclassed(network), "ReLU_Layer_3")
