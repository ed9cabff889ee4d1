"""Files of Keras."""

import json
import zipfile

import keras
import numpy as np
import pytest

from convrnn_model import ConvRNNError, names
from convrnn_model.export import keras_file

MAPS = [names.at(names.conv_sum(2), 1), names.cumulative(1), names.relu(0, 0), names.global_pool(1)]
WITH_KERAS = """
import keras
outputs = keras.saving.load_model("out.keras").predict_on_batch(images)
"""


@pytest.mark.parametrize(
    ("name", "outputs", "options"),
    [
        ("bl", None, {"batch": 2}),
        ("bl", MAPS, {"cumulative_readout": True, "n_timesteps": 2}),
        ("b", ["Softmax", "Conv_Layer_0"], {}),
    ],
)
def test_values(name, outputs, options, graph, images, expected, assert_close, tmp_path):
    exported = graph(name, outputs, **options)
    keras_file.write(tmp_path / "out.keras", exported, {})
    batch = images(2, 64, 71)
    found = keras_file.run(tmp_path / "out.keras", batch)
    assert_close({name: found[name] for name in exported.outputs}, expected(exported, batch))


def test_the_package_is_not_needed(graph, images, expected, assert_close, run_without_the_package, tmp_path):
    exported = graph()
    keras_file.write(tmp_path / "out.keras", exported, {})
    batch = images(2, 64, 71)
    assert_close(run_without_the_package(WITH_KERAS, batch), expected(exported, batch))


def test_layers_and_metadata(graph, tmp_path):
    keras_file.write(tmp_path / "out.keras", graph(batch=4), {"classes": "5"})
    with zipfile.ZipFile(tmp_path / "out.keras") as archive:
        assert json.loads(archive.read("convrnn.json")) == {"classes": "5"}
        assert b"convrnn" not in archive.read("config.json")
    model = keras.saving.load_model(tmp_path / "out.keras")
    assert type(model.get_layer(names.bottom_up(2))) is keras.layers.Conv2D
    assert type(model.get_layer(names.conv_sum(0))) is keras.layers.Add
    assert model.inputs[0].shape == (4, 64, 71, 3)
    assert {layer.name for layer in model.layers} >= {names.softmax(2), names.batch_norm(6, 2), names.READOUT}


def test_layers_that_keras_lacks(graph):
    class Doubled(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    image = keras.Input((64, 64, 3))
    model = keras.Model(image, Doubled(name="twice")(image))
    with pytest.raises(
        ConvRNNError, match=r"cannot export twice to \.keras: Keras must have a layer .* got Doubled"
    ):
        keras_file.plain_model(model, graph(image_size=(64, 64)))


def test_the_network_keeps_its_weights(graph, tmp_path):
    exported = graph()
    keras_file.write(tmp_path / "out.keras", exported, {})
    model = keras.saving.load_model(tmp_path / "out.keras")
    (kernel,) = model.get_layer(names.lateral(3)).get_weights()
    np.testing.assert_array_equal(kernel, exported.network.kernels[names.lateral(3)])
