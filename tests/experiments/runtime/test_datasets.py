"""No dataset that is iterated here is autotuned, neither ours nor one that Keras makes of it."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.data.ops import iterator_ops

from convrnn_data import PreparedSet
from convrnn_experiments.conditions import Regime
from convrnn_experiments.evaluation import predict, trials
from convrnn_experiments.features.store import extract_features
from convrnn_experiments.runs import folder
from convrnn_experiments.runs import network as run_network
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runtime.datasets import array_batches, without_autotuning
from convrnn_experiments.training import loop
from convrnn_model import save_weights

SMALL = {
    "network": "b",
    "width": 0.02,
    "weights": "none",
    "views": 1,
    "stimulus_size": 64,
    "image_size": 64,
    "resize": 64,
    "batch_size": 16,
    "epochs": 1,
}


@pytest.fixture
def iterated(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Record for each iterator whether its dataset is autotuned."""
    found: list[bool] = []
    create = iterator_ops.OwnedIterator._create_iterator

    def recorded(self: iterator_ops.OwnedIterator, dataset: tf.data.Dataset) -> None:
        found.append(dataset.options().autotune.enabled is not False)
        create(self, dataset)

    monkeypatch.setattr(iterator_ops.OwnedIterator, "_create_iterator", recorded)
    return found


@pytest.fixture
def model() -> keras.Model:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.compile("sgd", "mse")
    return model


def test_arrays_given_to_keras_are_autotuned(model: keras.Model, iterated: list[bool]) -> None:
    model.predict(np.ones((5, 3)), verbose=0)
    assert iterated
    assert all(iterated)


def test_batches_of_arrays_are_not(model: keras.Model, iterated: list[bool]) -> None:
    x, y = np.random.default_rng(0).normal(size=(70, 3)), np.ones((70, 2))
    expected = [model.predict_on_batch(x[start : start + 32]) for start in (0, 32, 64)]
    np.testing.assert_array_equal(model.predict(array_batches(x), verbose=0), np.concatenate(expected))
    model.evaluate(array_batches(x, y, batch_size=7), verbose=0)
    model.fit(array_batches(x, y), validation_data=array_batches(x, y), shuffle=False, verbose=0)
    assert len(iterated) >= 4
    assert not any(iterated)


def test_what_is_made_of_a_dataset_inherits_the_setting() -> None:
    made = without_autotuning(tf.data.Dataset.range(5), private_threads=True).map(lambda x: x + 1).batch(2)
    assert made.options().autotune.enabled is False
    assert made.options().threading.private_threadpool_size == 0


@pytest.mark.parametrize("trainable", ["all", "readout"])
def test_training_and_evaluation(
    trainable: str, prepared: PreparedSet, tmp_path: Path, iterated: list[bool]
) -> None:
    config = Config(data=str(prepared.path), perturb=Regime.NOISE, trainable=trainable, **SMALL)
    weights = tmp_path / "start.h5"
    save_weights(run_network.build_network(config), weights)
    config = checked(config.replace(weights=str(weights)), prepared)
    run = folder.start(tmp_path / "run", config, resume=False, force=False)
    network = run_network.prepare_network(config, lambda line: None)
    cached = None
    if trainable == "readout":
        cached = extract_features(config, prepared, tmp_path / "features")
    loop.train(network, config, run, prepared, features=cached, echo=lambda line: None)
    assert len(iterated) >= 2  # training and validation
    predict.evaluate(predict.trained_network(run), trials.split_trials(prepared, Regime.NOISE, config))
    assert not any(iterated)
