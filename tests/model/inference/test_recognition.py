"""Networks of this package are told from models with the same weights but another graph or other settings."""

import keras
import pytest

from convrnn_model import ConvRNNError, b_net, bl_net
from convrnn_model.inference.frozen import from_keras


def rebuilt(network, change):
    """Return a network with changed layers: `change` maps a layer to another one, or to itself."""
    return keras.models.clone_model(network, clone_function=lambda layer: change(layer))


def changed(name, **settings):
    """Return a change of the settings of one layer."""

    def change(layer):
        config = layer.get_config() | (settings if layer.name == name else {})
        return type(layer).from_config(config)

    return change


@pytest.fixture(scope="module")
def small_b():
    return b_net((64, 64, 3), 5, width=0.02)


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("BatchNorm_Layer_2", {"epsilon": 1e-2}, "epsilon of BatchNorm_Layer_2 is 0.01"),
        ("ReLU_Layer_0", {"activation": "gelu"}, "activation of ReLU_Layer_0 is 'gelu'"),
        ("Softmax", {"activation": "sigmoid"}, "activation of Softmax is 'sigmoid'"),
        ("ReadoutDense", {"activation": "relu"}, "activation of ReadoutDense is 'relu'"),
        ("GlobalAvgPool", {"data_format": "channels_first"}, "data_format of GlobalAvgPool"),
    ],
)
def test_changed_settings(name, settings, says, small_b):
    if name == "GlobalAvgPool":
        model = rebuilt(small_b, changed("none"))
        model.get_layer(name).data_format = "channels_first"
    else:
        model = rebuilt(small_b, changed(name, **settings))
    with pytest.raises(ConvRNNError, match=says):
        from_keras(model)


def test_networks_themselves(small_b):
    assert from_keras(rebuilt(small_b, changed("none"))).variant == "b_net"


def test_layers_of_other_classes(small_b):
    class Doubled(keras.layers.GlobalAveragePooling2D):
        def call(self, inputs):
            return 2 * super().call(inputs)

    def change(layer):
        if layer.name == "GlobalAvgPool":
            return Doubled(name=layer.name)
        return changed("none")(layer)

    with pytest.raises(ConvRNNError, match="GlobalAvgPool is a Doubled, not a GlobalAveragePooling2D"):
        from_keras(rebuilt(small_b, change))


def test_relu_and_softmax_layers_of_keras(small_b):
    def change(layer):
        if layer.name.startswith("ReLU"):
            return keras.layers.ReLU(name=layer.name)
        if layer.name == "Softmax":
            return keras.layers.Softmax(name=layer.name)
        return changed("none")(layer)

    assert from_keras(rebuilt(small_b, change)).variant == "b_net"


def test_additional_layers_without_weights(small_b):
    model = keras.Model(small_b.inputs, keras.layers.Rescaling(2.0, name="twice")(small_b.outputs[0]))
    with pytest.raises(ConvRNNError, match="twice is in place of Softmax"):
        from_keras(model)


def test_scaled_images(small_b):
    image = keras.Input((64, 64, 3))
    x = keras.layers.Rescaling(2.0, name="twice")(image)
    for layer in small_b.layers[1:]:
        x = layer(x)
    with pytest.raises(ConvRNNError, match="twice is in place of the image"):
        from_keras(keras.Model(image, x))


def test_permuted_time_steps():
    network = bl_net((64, 64, 3), 5, 3, width=0.02)
    with pytest.raises(ConvRNNError, match="Sotfmax_Time_0 is in place of Sotfmax_Time_2"):
        from_keras(keras.Model(network.inputs, network.outputs[::-1]))
    with pytest.raises(ConvRNNError, match="1 inputs and 4 outputs, not 1 and 3"):
        from_keras(keras.Model(network.inputs, [*network.outputs, network.outputs[0]]))


def test_networks_applied_elsewhere():
    network = bl_net((64, 64, 3), 5, 2, width=0.02)
    network(keras.Input((64, 64, 3)))
    assert from_keras(network).n_timesteps == 2


def test_saved_networks(tmp_path):
    network = bl_net((64, 64, 3), 5, 2, True, width=0.02)
    network.save(tmp_path / "n.keras")
    frozen = from_keras(keras.saving.load_model(tmp_path / "n.keras"))
    assert (frozen.n_timesteps, frozen.cumulative_readout) == (2, True)
