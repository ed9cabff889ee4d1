"""Training loop: cached features against the network, the best epoch, and exact resuming."""

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.fingerprint import cache_folder
from convrnn_experiments.features.store import extract_features
from convrnn_experiments.images.batches import batches, epoch_jitter, epoch_rows, frame_of, images_of_split
from convrnn_experiments.runs import folder as run_folder
from convrnn_experiments.runs import network as run_network
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runs.environment import Inference
from convrnn_experiments.runs.network import build_network
from convrnn_experiments.training import loop
from convrnn_experiments.training.objectives import (
    TimeAveragedCrossentropy,
    balanced_weights,
)
from convrnn_model import load_weights, save_weights

SIZES = {"stimulus_size": 72, "image_size": 64, "resize": 72}
SMALL = {
    "width": 0.02,
    "timesteps": 2,
    "batch_size": 8,
    "epsilon": 1e-3,
    "weights": "none",
    "views": 1,
} | SIZES


SCALES = ({"stimulus_size": 70}, {"image_size": 72})


def config_of(data: PreparedSet, **changes: object) -> Config:
    given = {"trainable": "all", "epochs": 2, "perturb": Regime.COLOR} | SMALL | changes
    return checked(Config(data=str(data.path), **given), data)


def trained(config: Config, data: PreparedSet, folder: Path, **start: bool) -> run_folder.Run:
    run = run_folder.start(folder, config, **{"resume": False, "force": False} | start)
    network = run_network.prepare_network(config, lambda line: None)
    cached = None
    if config.trainable == "readout":
        cached = extract_features(config, data, folder.parent / "features")
    loop.train(network, config, run, data, features=cached, echo=lambda line: None)
    return run


def arrays(path: Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found


@pytest.fixture
def start_weights(prepared: PreparedSet, tmp_path: Path) -> Path:
    keras.utils.set_random_seed(3)
    path = tmp_path / "start.h5"
    save_weights(build_network(config_of(prepared)), path)
    return path


def test_training_writes_all_files_of_a_run(prepared: PreparedSet, tmp_path: Path) -> None:
    run = trained(config_of(prepared, perturb=Regime.NOISE), prepared, tmp_path / "run")
    names = {"config.json", "environment.json", "history.csv", "weights.h5", "weights_last.h5", "model.keras"}
    assert names <= {path.name for path in run.path.iterdir()}
    assert not list(run.path.rglob("*.part*"))
    assert json.loads((run.path / "environment.json").read_text())["versions"]["keras"] == keras.__version__
    history = run.history()
    assert [row["epoch"] for row in history] == [1, 2]
    exits = {
        f"{name}accuracy_exit{step}" for name in ("", "balanced_", "val_", "val_balanced_") for step in (0, 1)
    }
    assert set(history[0]) == {"epoch", "loss", "val_loss", "learning_rate", "seconds"} | exits
    network = build_network(run.config())
    load_weights(network, run.weights)
    loaded = keras.saving.load_model(run.path / "model.keras")
    image = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype("float32")
    for expected, found in zip(network(image), loaded(image), strict=True):
        np.testing.assert_array_equal(found, expected)


def rows_of_history(accuracies: list[float], losses: list[float]) -> list[dict[str, float]]:
    return [
        {"epoch": epoch + 1, "loss": 1.0, "val_loss": loss, "val_accuracy_exit0": 0.9 - accuracy}
        | {"val_balanced_accuracy_exit0": accuracy - 0.1, "val_balanced_accuracy_exit1": accuracy + 0.1}
        for epoch, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True))
    ]


@pytest.mark.parametrize(
    ("accuracies", "losses", "best"),
    [
        ([0.2, 0.5, 0.4], [1.0, 3.0, 0.5], 1),
        ([0.2, 0.5, 0.5], [1.0, 3.0, 2.0], 2),
        ([0.5, 0.5], [1.0, 1.0], 0),
    ],
    ids=["accuracy", "loss between equals", "the first of equals"],
)
def test_weights_are_those_of_the_best_balanced_accuracy(
    prepared: PreparedSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    accuracies: list[float],
    losses: list[float],
    best: int,
) -> None:
    rows = rows_of_history(accuracies, losses)

    def run_epoch(task: loop.Task, config: Config, epoch: int, report: object) -> dict[str, float]:
        kernel, bias = (weight.numpy() for weight in task.model.get_layer("ReadoutDense").weights)
        task.model.get_layer("ReadoutDense").set_weights([kernel, np.full_like(bias, epoch)])
        return rows[epoch]

    monkeypatch.setattr(loop, "run_epoch", run_epoch)
    config = config_of(prepared, epochs=len(rows))
    run = trained(config, prepared, tmp_path / "run")
    best_weights, last = (arrays(run.path / name) for name in ("weights.h5", "weights_last.h5"))
    assert set(best_weights["ReadoutDense/ReadoutDense/bias:0"]) == {best}
    assert set(last["ReadoutDense/ReadoutDense/bias:0"]) == {len(rows) - 1}


def test_a_checkpoint_of_another_selection_rule_is_not_resumed(prepared: PreparedSet, tmp_path: Path) -> None:
    config = config_of(prepared, network="b", epochs=1)
    run = trained(config, prepared, tmp_path / "run")
    run.weights.unlink()
    with h5py.File(run.checkpoint, "r+") as file:
        for name in ("best_accuracy", "best_loss"):
            del file.attrs[name]
        file.attrs["best"] = 1.5
    with pytest.raises(ConvRNNError, match=r"best_accuracy, best_loss.*Start the run over with --force"):
        trained(config, prepared, run.path, resume=True)


@pytest.mark.parametrize("network_name", ["b", pytest.param("bl", marks=pytest.mark.slow)])
def test_resumed_training_equals_uninterrupted_training_exactly(
    network_name: str, prepared: PreparedSet, tmp_path: Path
) -> None:
    config = config_of(prepared, network=network_name, perturb=Regime.NOISE, epochs=3)
    uninterrupted = trained(config, prepared, tmp_path / "uninterrupted")
    run = run_folder.start(tmp_path / "cut", config, resume=False, force=False)

    class InterruptedTrainingError(Exception):
        pass

    def interrupt(line: str) -> None:
        if line.startswith("epoch 2"):
            raise InterruptedTrainingError

    network = run_network.prepare_network(config, lambda line: None)
    with pytest.raises(InterruptedTrainingError):
        loop.train(network, config, run, prepared, echo=interrupt)
    assert not run.weights.exists()
    resumed = trained(config, prepared, tmp_path / "cut", resume=True)
    for name in ("weights.h5", "weights_last.h5"):
        first, second = arrays(uninterrupted.path / name), arrays(resumed.path / name)
        assert first.keys() == second.keys()
        for key in first:
            np.testing.assert_array_equal(first[key], second[key], err_msg=key)
    timeless = [{k: v for k, v in row.items() if k != "seconds"} for row in uninterrupted.history()]
    assert timeless == [{k: v for k, v in row.items() if k != "seconds"} for row in resumed.history()]


def test_cached_features_train_the_same_readout_as_the_frozen_network(
    prepared: PreparedSet, start_weights: Path, tmp_path: Path
) -> None:
    config = config_of(prepared, trainable="readout", weights=str(start_weights), epochs=3)
    cached = trained(config, prepared, tmp_path / "cached")
    network = run_network.prepare_network(config, lambda line: None)
    model = loop.whole_network_task(
        network, config, images_of_split(prepared, "train"), images_of_split(prepared, "val")
    ).model
    assert [weight.path.split("/")[0] for weight in model.trainable_variables] == ["ReadoutDense"] * 2
    source = images_of_split(prepared, "train")
    weights = balanced_weights(source.labels)
    model.compile(
        keras.optimizers.Adam(config.learning_rate, epsilon=config.epsilon), TimeAveragedCrossentropy()
    )
    for epoch in range(config.epochs):
        rows = epoch_rows(len(source), seed=config.seed, epoch=epoch)
        for images, labels, _ in batches(
            source, frame_of(config), config.batch_size, rows=rows, jitter=views(source)
        ):
            model.train_on_batch(images, labels, sample_weight=tf.gather(weights, labels))
    frozen = network.get_layer("ReadoutDense").get_weights()
    last = arrays(cached.path / "weights_last.h5")
    for found, name in zip(frozen, ("kernel:0", "bias:0"), strict=True):
        expected = last[f"ReadoutDense/ReadoutDense/{name}"]
        # Sums over batches of other sizes have another order.
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def views(source: object) -> np.ndarray:
    """Return the crops and flips of the one cached view."""
    return epoch_jitter(len(source), seed=0, epoch=0)


def test_training_does_not_change_frozen_layers(
    prepared: PreparedSet, start_weights: Path, tmp_path: Path
) -> None:
    config = config_of(prepared, trainable="readout", weights=str(start_weights))
    run = trained(config, prepared, tmp_path / "run")
    before, after = arrays(start_weights), arrays(run.weights)
    for name, value in before.items():
        same = np.array_equal(value, after[name])
        assert same != name.startswith("ReadoutDense"), name


def test_features_are_cached_resumed_and_never_mixed(
    prepared: PreparedSet, start_weights: Path, tmp_path: Path
) -> None:
    config = config_of(
        prepared, trainable="readout", weights=str(start_weights), views=2, perturb=Regime.BLUR
    )
    trained(config, prepared, tmp_path / "one")
    (folder,) = (tmp_path / "features").iterdir()
    files = sorted(folder.glob("*.h5"))
    assert {path.name.split("-0")[0] for path in files} == {"train-view0", "train-view1", "val-view0"}
    cached = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    first, second = (arrays(path)["features"] for path in files if path.name.startswith("train"))
    assert not np.array_equal(first, second)
    files[0].unlink()
    trained(config, prepared, tmp_path / "two")
    assert files[0].read_bytes() == cached[files[0]][1]
    assert [path.stat().st_mtime_ns for path in files[1:]] == [cached[path][0] for path in files[1:]]
    inference = Inference(engine="tiles", precision="float32", processor="avx512")
    for change in (
        *({"seed": 1}, {"perturb": Regime.COLOR}, {"levels": (0.0, 1.0)}, {"resize": 75}),
        *({"weights_sha256": "b"}, *SCALES),
    ):
        other = config.replace(**change)
        assert cache_folder(tmp_path, other, inference) != cache_folder(tmp_path, config, inference)


def test_corrupt_features_are_named(prepared: PreparedSet, start_weights: Path, tmp_path: Path) -> None:
    config = config_of(prepared, trainable="readout", weights=str(start_weights))
    trained(config, prepared, tmp_path / "one")
    path = next((tmp_path / "features").rglob("train*.h5"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ConvRNNError, match=path.name):
        trained(config, prepared, tmp_path / "two")


def test_validation_never_draws_from_training(prepared: PreparedSet) -> None:
    config = config_of(prepared)
    task = loop.whole_network_task(
        build_network(config), config, images_of_split(prepared, "train"), images_of_split(prepared, "val")
    )
    held_out = [label for _, labels, _ in task.validation for label in labels.numpy()]
    np.testing.assert_array_equal(held_out, prepared.table("val").labels)
    assert not set(prepared.table("train").keys) & set(prepared.table("val").keys)
    shown = np.sort(np.concatenate([rows.numpy() for _, _, rows in task.training(0)]))
    np.testing.assert_array_equal(shown, np.arange(len(prepared.table("train"))))
