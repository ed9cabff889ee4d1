"""Networks given to `compile_network`."""

import keras
import numpy as np
import pytest
from nested_models import Subclassed, in_model

from convrnn_model import ConvRNNError, b_net, bl_net, save_weights
from convrnn_model.inference.source import open_source


@pytest.fixture(scope="module")
def small_b():
    return b_net((64, 70, 3), 5, width=0.02)


def test_models(small_b):
    source = open_source(small_b)
    assert source.name == "b_net"
    assert source.foreign is None
    assert source.image_shape == (64, 70, 3)
    assert source.architecture.variant == source.frozen.variant == "b_net"
    assert source.keras_model("float32") is small_b
    assert source.has_accelerator in (False, True)


@pytest.mark.parametrize("as_text", [False, True])
def test_files(as_text, tmp_path):
    save_weights(bl_net((64, 64, 3), 5, 3, width=0.02), tmp_path / "w.h5")
    path = str(tmp_path / "w.h5") if as_text else tmp_path / "w.h5"
    source = open_source(path, 2, cumulative_readout=True)
    assert (source.name, source.foreign, source.has_accelerator) == ("bl_net", None, False)
    assert source.image_shape == (None, None, 3)
    assert (source.architecture.n_timesteps, source.architecture.cumulative_readout) == (2, True)
    assert len(source.keras_model("float32").outputs) == 2


def test_other_models_have_their_difference(small_b):
    source = open_source(in_model(b_net((64, 64, 3), 5, width=0.02)))
    assert source.architecture is None
    assert "cannot compile" in source.foreign
    assert source.image_shape == (64, 64, 3)


@pytest.mark.parametrize("options", [{"n_timesteps": 1}, {"cumulative_readout": True}])
def test_options_of_files(options, small_b):
    with pytest.raises(ConvRNNError, match="describe a weights file, got a model"):
        open_source(small_b, **options)


def test_models_without_a_graph(small_b):
    with pytest.raises(ConvRNNError, match="a model without a graph"):
        open_source(Subclassed(small_b))


def test_models_of_several_inputs():
    inputs = [keras.Input((64, 64, 3)), keras.Input((64, 64, 3))]
    with pytest.raises(ConvRNNError, match="functional model of images"):
        open_source(keras.Model(inputs, keras.layers.Add()(inputs)))


@pytest.mark.parametrize("value", [None, 3, np.zeros(2), b_net])
def test_other_objects(value):
    with pytest.raises(ConvRNNError, match="takes a Keras model or the path of a weights file, got"):
        open_source(value)


def test_paths_without_a_file(tmp_path):
    with pytest.raises(ConvRNNError, match="does not exist"):
        open_source(tmp_path / "w.h5")
