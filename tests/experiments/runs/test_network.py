"""Network of a configuration: architecture, weights and trainable layers."""

from pathlib import Path

import keras
import numpy as np
import pytest

import convrnn_model
from convrnn_experiments.conditions import Regime
from convrnn_experiments.runs.config import Config
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs import network as networks
from convrnn_experiments.runs.network import (
    build_network,
    choose_inference,
    feature_predictor,
    prepare_network,
)
from convrnn_model import save_weights

SMALL = {"width": 0.02, "timesteps": 2, "stimulus_size": 72, "image_size": 64, "resize": 73}


def config_of(**changes: object) -> Config:
    return Config(**{"data": "data", "perturb": Regime.COLOR, "weights": "none"} | SMALL | changes)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Weights files of the small network by number of classes."""
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(3)
    for classes in (16, 565):
        network = convrnn_model.bl_net((64, 64, 3), classes, 2, width=0.02)
        save_weights(network, folder / f"{classes}.h5")
    return {classes: folder / f"{classes}.h5" for classes in (16, 565)}


def prepare(config: Config) -> tuple[keras.Model, list[str]]:
    messages: list[str] = []
    return prepare_network(config, messages.append), messages


def test_a_recurrent_network_has_an_exit_for_each_time_step() -> None:
    network = build_network(config_of(timesteps=3))
    assert network.name == "bl_net"
    assert network.input_shape == (None, 64, 64, 3)
    assert network.output_shape == [(None, 16)] * 3


@pytest.mark.parametrize("name", ["b", "b_k", "b_f", "b_d"])
def test_a_feedforward_network_has_one_exit(name: str) -> None:
    network = build_network(config_of(network=name))
    assert network.name == f"{name}_net"
    assert network.output_shape == (None, 16)


def test_the_seed_determines_initial_weights() -> None:
    def readout(seed: int) -> np.ndarray:
        network, messages = prepare(config_of(seed=seed))
        assert messages == [f"weights: none; bl at width 0.02 starts from seed {seed}"]
        return network.get_layer("ReadoutDense").get_weights()[0]

    np.testing.assert_array_equal(readout(1), readout(1))
    assert not np.array_equal(readout(1), readout(2))


def test_weights_of_16_classes_keep_their_readout(weights: dict[int, Path]) -> None:
    network, messages = prepare(config_of(weights=str(weights[16])))
    (line,) = messages
    assert line.startswith(f"weights: {weights[16]}: bl_net, ")
    assert line.endswith("; its readout kept")
    expected = convrnn_model.bl_net((64, 64, 3), 16, 2, width=0.02)
    convrnn_model.load_weights(expected, weights[16])
    for found, wanted in zip(network.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_weights_of_other_classes_get_a_new_readout(weights: dict[int, Path]) -> None:
    network, (line,) = prepare(config_of(weights=str(weights[565])))
    assert line.endswith("; its 565-class readout left out, a new one")
    source = convrnn_model.bl_net((64, 64, 3), 565, 2, width=0.02)
    convrnn_model.load_weights(source, weights[565])
    first = "RCL_0_BConv"
    np.testing.assert_array_equal(
        network.get_layer(first).get_weights()[0], source.get_layer(first).get_weights()[0]
    )
    assert network.output_shape == [(None, 16)] * 2


@pytest.mark.parametrize(("trainable", "names"), [("readout", {"ReadoutDense"}), ("all", None)])
def test_a_frozen_network_trains_its_readout_alone(trainable: str, names: set[str] | None) -> None:
    network, _ = prepare(config_of(trainable=trainable))
    trained = {layer.name for layer in network.layers if layer.trainable_variables}
    with_weights = {layer.name for layer in network.layers if layer.variables}
    assert trained == (with_weights if names is None else names)


def test_features_are_compiled_from_the_weights(weights: dict[int, Path]) -> None:
    predictor = feature_predictor(config_of(weights=str(weights[565]), timesteps=1))
    images = np.random.default_rng(0).uniform(-1, 1, (3, 64, 64, 3)).astype(np.float32)
    source = convrnn_model.bl_net((64, 64, 3), 565, 2, width=0.02)
    convrnn_model.load_weights(source, weights[565])
    expected = convrnn_model.activations(source, ["GlobalAvgPool_Time_0"]).predict_on_batch(images)
    found = predictor.predict(images, 16)
    assert found.shape == (3, 1, 41)
    np.testing.assert_allclose(found[:, 0], expected["GlobalAvgPool_Time_0"], rtol=1e-4, atol=1e-6)


def test_inference_is_chosen_for_the_processor_or_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "processor", lambda: "avx2")
    found = choose_inference("float32", "auto")
    assert found.engine in ("tiles", "openvino", "keras")
    assert (found.precision, found.processor) == ("float32", "avx2")
    assert choose_inference("bfloat16", "auto", gpu=True).engine == "keras"
    assert choose_inference("float32", "keras").engine == "keras"


def test_bfloat16_needs_a_processor_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(networks, "processor", lambda: "avx2")
    with pytest.raises(
        ConvRNNError, match="cannot compute with --inference auto --precision bfloat16: .* got avx2"
    ):
        choose_inference("bfloat16", "auto")
    monkeypatch.setattr(networks, "processor", lambda: "amx")
    found = choose_inference("bfloat16", "auto")
    assert found.model_dump() == {"engine": "openvino", "precision": "bfloat16", "processor": "amx"}


def test_features_on_a_gpu_are_computed_by_keras(weights: dict[int, Path]) -> None:
    config = config_of(weights=str(weights[16]))
    plans = {
        gpu: feature_predictor(config, gpu=gpu).plan((64, 64), 1).engine for gpu in (False, True)
    }
    assert plans[True] == "keras"
    assert plans[False] == choose_inference("float32", "auto").engine
    by_name = feature_predictor(config.replace(inference="keras")).plan((64, 64), 1)
    assert by_name.engine == "keras"


def test_mixed_precision_computes_in_bfloat16() -> None:
    try:
        network, _ = prepare(config_of(mixed_precision=True))
        assert network.get_layer("RCL_0_BConv").compute_dtype == "bfloat16"
        assert {weight.dtype for weight in network.weights} == {"float32"}
    finally:
        keras.config.set_dtype_policy("float32")
