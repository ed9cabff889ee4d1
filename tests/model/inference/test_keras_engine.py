"""Engine that computes with Keras."""

import keras
import numpy as np
import pytest
from nested_models import in_model

from convrnn_model import ConvRNNError, activations, b_f_net, b_net, bl_net, names, save_weights
from convrnn_model.inference import keras_engine
from convrnn_model.inference.frozen import CUMULATIVE
from convrnn_model.inference.keras_engine import KerasEngine, has_accelerator, in_precision, model_from_file
from convrnn_model.weights import hdf5
from convrnn_model.weights.load_save import as_array, model_weights

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)


def test_outputs_are_those_of_activations(network):
    frozen_names = [f"{layer.name}" for layer in network.layers if layer.name.startswith("ReLU")]
    found = KerasEngine(network, frozen_names).run(IMAGES)
    expected = activations(network, frozen_names).predict_on_batch(IMAGES)
    assert set(found) == set(frozen_names)
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name])
        assert value.dtype == np.float32


def test_memory_is_that_of_the_weights_and_values():
    model = b_net((64, 64, 3), 5, width=0.02)
    assert KerasEngine(model, [names.softmax()], 1000).memory == 4 * model.count_params() + 1000
    assert KerasEngine(model, [names.relu(0)]).memory < 4 * model.count_params()


def test_a_model_in_its_own_precision_is_not_copied():
    model = b_net((64, 64, 3), 5, width=0.02)
    assert in_precision(model, "float32", foreign=False) is model


def test_copies_in_other_precisions_have_the_same_weights(fill_golden):
    model = bl_net((64, 64, 3), 5, 2, True, width=0.02)
    fill_golden(model)
    copy = in_precision(model, "bfloat16", foreign=False)
    for name, variable in model_weights(model).items():
        np.testing.assert_array_equal(as_array(variable), as_array(model_weights(copy)[name]))
    assert {layer.compute_dtype for layer in copy.layers[1:]} == {"bfloat16"}
    again = in_precision(copy, "float32", foreign=False)
    wanted = [names.softmax(1)]
    exact, rounded, back = (KerasEngine(m, wanted).run(IMAGES)[wanted[0]] for m in (model, copy, again))
    np.testing.assert_array_equal(back, exact)
    assert rounded.dtype == np.float32
    assert 0 < np.abs(rounded - exact).max() < 0.05


def test_other_models_keep_their_precision():
    model = in_model(b_net((64, 64, 3), 5, width=0.02))
    assert in_precision(model, "float32", foreign=True) is model
    with pytest.raises(ConvRNNError, match=r"keeps its precision, got float32.*mixed_bfloat16"):
        in_precision(model, "bfloat16", foreign=True)


def test_networks_of_files(network, tmp_path):
    save_weights(network, tmp_path / "w.h5")
    cumulative = any(layer.name in CUMULATIVE for layer in network.layers)
    built = model_from_file(tmp_path / "w.h5", cumulative_readout=cumulative)
    for name, variable in model_weights(network).items():
        np.testing.assert_array_equal(as_array(variable), as_array(model_weights(built)[name]))
    ours, theirs = (np.asarray(model.predict_on_batch(IMAGES)) for model in (built, network))
    np.testing.assert_array_equal(ours, theirs)


def test_fewer_time_steps_of_files(tmp_path):
    save_weights(bl_net((64, 64, 3), 5, 3, width=0.02), tmp_path / "w.h5")
    assert len(model_from_file(tmp_path / "w.h5", 2).outputs) == 2


def test_filters_of_no_width(tmp_path):
    model = b_f_net((64, 64, 3), 5, width=0.02)
    weights = {name: as_array(variable) for name, variable in model_weights(model).items()}
    wider = np.concatenate([weights["Conv_Layer_6/kernel"]] * 2, axis=-1)
    weights["Conv_Layer_6/kernel"] = wider
    weights["ReadoutDense/kernel"] = np.concatenate([weights["ReadoutDense/kernel"]] * 2)
    for statistic in ("gamma", "beta", "moving_mean", "moving_variance"):
        key = f"BatchNorm_Layer_6/{statistic}"
        weights[key] = np.concatenate([weights[key]] * 2)
    layers = {}
    for name, value in weights.items():
        layer, weight = name.split("/")
        layers.setdefault(layer, {})[weight] = value
    hdf5.write(tmp_path / "w.h5", layers)
    built = model_from_file(tmp_path / "w.h5")
    np.testing.assert_array_equal(as_array(built.get_layer("Conv_Layer_6").kernel), wider)


def test_accelerators(monkeypatch):
    assert has_accelerator() in (False, True)
    monkeypatch.setattr(keras_engine.keras.backend, "backend", lambda: "numpy")
    assert has_accelerator() is False


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow is not the backend")
def test_accelerators_of_tensorflow(monkeypatch):
    import tensorflow as tf

    for kind, expected in (("CPU", False), ("GPU", True)):
        devices = [tf.config.PhysicalDevice("/physical_device:0", kind)]
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda devices=devices: devices)
        assert has_accelerator() is expected
