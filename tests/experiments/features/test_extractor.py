"""Pooled features of one part: equal to those of the network, and in order."""

from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from convrnn_data import PreparedSet
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features import extractor
from convrnn_experiments.features.extractor import Extractor, pooled_model, pooled_names
from convrnn_experiments.features.plan import Part, feature_bytes
from convrnn_experiments.images.batches import batches, epoch_jitter, frame_of, images_of_split
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.network import build_network, feature_predictor
from convrnn_model import load_weights, preprocess_image
from convrnn_model.inference import Predictor


@pytest.fixture(scope="module")
def color(config: Config) -> Config:
    """The small configuration without a perturbation, and with stimuli of the network's size."""
    return config.replace(perturb=Regime.COLOR, stimulus_size=64, resize=66)


@pytest.fixture(scope="module")
def network(color: Config) -> keras.Model:
    network = build_network(color)
    load_weights(network, color.weights)
    return network


@pytest.fixture(scope="module")
def predictor(color: Config) -> Predictor:
    return feature_predictor(color)


def test_each_time_step_has_its_pooled_layer() -> None:
    assert pooled_names("bl", 3) == ["GlobalAvgPool_Time_0", "GlobalAvgPool_Time_1", "GlobalAvgPool_Time_2"]
    assert pooled_names("b", 1) == pooled_names("b_d", 8)
    assert len(pooled_names("b", 1)) == 1


def test_the_readout_of_pooled_features_is_the_network(color: Config, network: keras.Model) -> None:
    model, _ = pooled_model(network, color)
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    pooled = model.predict_on_batch(images)
    assert pooled.shape == (3, 2, 41)
    expected = network.predict_on_batch(preprocess_image(images))
    kernel, bias = network.get_layer("ReadoutDense").get_weights()
    for step in range(2):
        logits = pooled[:, step] @ kernel + bias
        softmax = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(softmax, expected[step], rtol=1e-4, atol=1e-6)  # float32, another order


@pytest.mark.parametrize(("split", "view"), [("train", 1), ("val", 0)])
def test_a_part_has_the_features_of_its_rows_and_view(
    split: str,
    view: int,
    color: Config,
    network: keras.Model,
    predictor: Predictor,
    sharded_set: PreparedSet,
    tmp_path: Path,
) -> None:
    rows = np.array([5, 2, 7])
    part = Part(tmp_path / "part.h5", split, 0, view, rows)
    Extractor(predictor, color, sharded_set, threads=2).write(part)
    with h5py.File(part.path) as file:
        found = file["features"][()]
        assert file["features"].dtype == np.float32
        assert file["features"].id.get_offset() is not None  # contiguous, to be mapped
    source = images_of_split(sharded_set, split)
    jitter = epoch_jitter(len(source), seed=color.seed, epoch=view) if split == "train" else None
    model, _ = pooled_model(network, color)
    for row, features in zip(rows, found, strict=True):
        ((images, _, _),) = batches(source, frame_of(color), 1, rows=np.array([row]), jitter=jitter)
        np.testing.assert_allclose(features, model.predict_on_batch(images)[0], rtol=1e-4, atol=1e-6)


def test_keras_computes_the_same_bytes_in_parallel_batches(
    config: Config, sharded_set: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_keras = feature_predictor(config.replace(inference="keras"))
    monkeypatch.setattr(extractor, "available_cores", lambda: 3)
    parts = [Part(tmp_path / f"{threads}.h5", "train", 0, 0, np.arange(32)) for threads in (1, 3)]
    for part, threads in zip(parts, (1, 3), strict=True):
        Extractor(by_keras, config, sharded_set, threads).write(part)
    first, second = (part.path.read_bytes() for part in parts)
    assert first == second


def test_features_are_stored_as_float16(
    color: Config, predictor: Predictor, sharded_set: PreparedSet, tmp_path: Path
) -> None:
    arrays = {}
    for dtype in ("float32", "float16"):
        part = Part(tmp_path / f"{dtype}.h5", "val", 0, 0, np.arange(3))
        Extractor(predictor, color.replace(feature_dtype=dtype), sharded_set, threads=1).write(part)
        with h5py.File(part.path) as file:
            arrays[dtype] = file["features"][()]
            assert file["features"].id.get_storage_size() == 3 * feature_bytes(
                color.replace(feature_dtype=dtype)
            )
    assert arrays["float16"].dtype == np.float16
    np.testing.assert_array_equal(arrays["float16"], arrays["float32"].astype(np.float16))


@pytest.mark.parametrize(("value", "named"), [(1e5, "100000"), (np.nan, "nan"), (-np.inf, "-inf")])
def test_a_feature_beyond_float16_is_named(
    value: float,
    named: str,
    color: Config,
    predictor: Predictor,
    sharded_set: PreparedSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = np.zeros((2, 2, 41), np.float32)
    features[1, 0, 7] = value
    monkeypatch.setattr(Extractor, "_compute", lambda *_: features)
    part = Part(tmp_path / "part.h5", "val", 0, 0, np.array([4, 5]))
    Extractor(predictor, color, sharded_set, threads=1).write(part)
    part.path.unlink()
    with pytest.raises(ConvRNNError) as caught:
        Extractor(predictor, color.replace(feature_dtype="float16"), sharded_set, threads=1).write(part)
    assert str(caught.value) == (
        f"cannot write {part.path}: a feature in float16 must be finite and at most 65504, got {named} (row 5 of val, "
        "time step 0, channel 7). Use --feature-dtype float32"
    )
    assert not part.path.exists()


def test_each_part_draws_from_a_stream_of_its_own(
    config: Config, predictor: Predictor, sharded_set: PreparedSet, tmp_path: Path
) -> None:
    """Compute the same rows under noise: equal parts have equal bytes, other shards have others."""
    noisy = Extractor(predictor, config, sharded_set, threads=1)
    first = Part(tmp_path / "first.h5", "val", 0, 0, np.arange(4))
    shard = replace(first, path=tmp_path / "shard.h5", shard=1)
    repeated = replace(first, path=tmp_path / "repeated.h5")
    for part in (first, shard, repeated):
        noisy.write(part)
    assert first.path.read_bytes() == repeated.path.read_bytes()
    assert first.path.read_bytes() != shard.path.read_bytes()
