"""Keras models from the operations of a network: layers, outputs and settings."""

import keras
import pytest

from convrnn_model import b_net, bl_net, blt_net
from convrnn_model.inference.frozen import architecture_of
from convrnn_model.inference.keras_graph import NORMALISATION, keras_model
from convrnn_model.inference.operations import layer_name, operations


@pytest.mark.parametrize("build", [bl_net, blt_net])
def test_every_operation_has_its_layer(build):
    model = build((64, 64, 3), 4, 3, width=0.02)
    architecture = architecture_of(model)
    wanted = {layer_name(operation) for operation in operations(architecture)}
    assert wanted <= {layer.name for layer in model.layers}
    assert [tuple(output.shape) for output in model.outputs] == [(None, 4)] * 3


def test_a_model_of_the_same_architecture_has_the_same_weights():
    model = bl_net((64, 64, 3), 4, 2, width=0.02)
    twin = keras_model(architecture_of(model), keras.Input((64, 64, 3)), "direct")
    assert [weight.path for weight in twin.weights] == [weight.path for weight in model.weights]
    assert [tuple(weight.shape) for weight in twin.weights] == [
        tuple(weight.shape) for weight in model.weights
    ]


def test_feedforward_networks_have_a_single_output():
    model = b_net((64, 64, 3), 4, width=0.02)
    twin = keras_model(architecture_of(model), keras.Input((64, 64, 3)), "auto")
    assert not isinstance(twin.output, list)


def test_normalisation_and_regularisation_are_those_of_the_original():
    model = bl_net((64, 64, 3), 4, 2, width=0.02)
    layer = model.get_layer("BatchNorm_Layer_3_Time_1")
    assert (
        (layer.momentum, layer.epsilon)
        == (NORMALISATION["momentum"], NORMALISATION["epsilon"])
        == (0.99, 1e-3)
    )
    assert model.get_layer("RCL_2_LConv").kernel_regularizer.l2 == pytest.approx(1e-6)
    assert not model.get_layer("RCL_2_LConv").use_bias
