"""Operations of the networks: names, order, and the part that some outputs need."""

import numpy as np
import plain_engine
import pytest

from convrnn_model import ConvRNNError, activations, b_net, bl_net, names
from convrnn_model.graph import applications
from convrnn_model.inference.frozen import from_keras
from convrnn_model.inference.operations import (
    IMAGE,
    INPUT,
    group,
    layer_name,
    layers_in_order,
    operations,
    value_names,
)

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 71, 64, 3)).astype(np.float32)


def test_values_have_the_names_of_activations(network):
    found = [operation.output for operation in operations(from_keras(network))]
    assert len(set(found)) == len(found)
    assert set(found) == {application.name for application in applications(network)}


def test_values_are_those_of_activations(network):
    frozen = from_keras(network)
    wanted = [operation.output for operation in operations(frozen)]
    values = plain_engine.run(frozen, operations(frozen), IMAGES)
    expected = activations(network, wanted).predict_on_batch(IMAGES)
    for name in wanted:
        # float32, another summation order.
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(values[name], expected[name], rtol=1e-5, atol=1e-5 * scale, err_msg=name)


def test_layers_have_the_order_of_keras(network):
    expected = [layer.name for layer in network.layers[1:]]
    assert list(layers_in_order(from_keras(network))) == [INPUT, *expected]


@pytest.mark.parametrize("steps", [1, 2, 30])
def test_order_of_layers_at_any_number_of_time_steps(steps):
    network = bl_net((64, 64, 3), 5, steps, width=0.01)
    expected = [layer.name for layer in network.layers[1:]]
    assert list(layers_in_order(from_keras(network)))[1:] == expected


def test_operations_follow_their_inputs(network):
    known = {IMAGE}
    for operation in operations(from_keras(network)):
        assert set(operation.inputs) <= known
        known.add(operation.output)


def test_the_convolution_of_the_image_is_computed_once():
    readers = [o.output for o in operations(from_keras(bl_net((64, 64, 3), 5, 3, width=0.02)))
               if "RCL_0_BConv_Time_0" in o.inputs]  # fmt: skip
    assert readers == [f"RCL_0_ConvSum_Time_{t}" for t in range(3)]


def test_only_required_values_are_computed(cumulative_bl):
    frozen = from_keras(cumulative_bl)
    found = [operation.output for operation in operations(frozen, [names.relu(2, 1)])]
    assert found[-1] == names.relu(2, 1)
    assert max(names.split_time(name)[1] for name in found) == 1
    # Layers 3 to 6 at time step 0 only feed later layers.
    assert not [name for name in found if "Layer_3" in name or "RCL_3" in name or "Readout" in name]
    assert [o.output for o in operations(frozen, ["RCL_0_BConv"])] == ["RCL_0_BConv_Time_0"]


@pytest.mark.parametrize("time", [0, 2])
def test_groups(time, cumulative_bl):
    frozen = from_keras(cumulative_bl)
    assert group(frozen, "softmax")[time] == names.softmax(time)
    assert group(frozen, "features")[time] == names.global_pool(time)
    assert group(frozen, "pre_softmax")[time] == names.cumulative(time)
    plain = from_keras(bl_net((64, 64, 3), 5, 3, width=0.02))
    assert group(plain, "pre_softmax")[time] == names.pre_softmax(time)


def test_groups_of_feedforward_networks():
    frozen = from_keras(b_net((64, 64, 3), 5, width=0.02))
    assert [group(frozen, name) for name in ("softmax", "pre_softmax", "features")] == [
        (names.softmax(),),
        (names.pre_softmax(),),
        (names.global_pool(),),
    ]


def test_layers_applied_once_are_known_by_their_plain_names(network):
    frozen = from_keras(network)
    for operation in operations(frozen):
        layer = layer_name(operation)
        assert network.get_layer(layer) is not None
        uses = [o.output for o in operations(frozen) if layer_name(o) == layer]
        if len(uses) == 1:
            assert value_names(frozen, [layer]) == {layer: operation.output}


@pytest.mark.parametrize(
    "wanted",
    [
        ["ReLU_Layer_7_Time_0"],
        ["Softmax_Time_1"],
        ["ReadoutDense"],
        ["RCL_1_ConvSum"],
        ["RCL_0_LConv_Time_0", "ReLU_Layer_1_Time_3"],
        [],
    ],
)
def test_errors_of_unknown_names_are_those_of_activations(wanted, cumulative_bl):
    with pytest.raises(ConvRNNError) as expected:
        activations(cumulative_bl, wanted)
    with pytest.raises(ConvRNNError) as found:
        operations(from_keras(cumulative_bl), wanted)
    assert str(found.value) == str(expected.value)
