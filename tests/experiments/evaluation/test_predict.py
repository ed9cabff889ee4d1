"""Evaluation of runs: stimulus layouts, weights of each regime, the published columns, and no partial files."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from convrnn_data import list_stimuli, reformat
from convrnn_data.human.stimuli import CONDITIONS as FOLDERS
from convrnn_experiments.cli import app
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation import predict
from convrnn_experiments.evaluation import trials as trial_sets
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import Run, write_json
from convrnn_experiments.runs.network import build_network
from convrnn_model import load_weights, multiply_adds, preprocess_image, save_weights

SIZE = 64


def untrained_run(path: Path, regime: str, seed: int, **more) -> Run:
    """Return a finished run of a small network with random weights."""
    import keras

    config = Config(data="data", perturb=Regime(regime), width=0.03, image_size=SIZE, batch_size=32, **more)
    keras.utils.set_random_seed(seed)
    write_json(path / "config.json", config.to_json())
    write_json(path / "environment.json", {"command": "convrnn train", "versions": {}})
    network = build_network(config)
    # Untrained networks answer one category to everything: a readout of larger weights tells images apart.
    kernel, bias = network.get_layer("ReadoutDense").get_weights()
    network.get_layer("ReadoutDense").set_weights([30 * kernel, bias])
    save_weights(network, path / "weights.h5")
    return Run(path)


@pytest.fixture(scope="module")
def human(drawn_sample: Path) -> Path:
    return drawn_sample / "human"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return untrained_run(tmp_path_factory.mktemp("runs") / "color", "color", seed=1)


def evaluate(run: Run, folder: Path, regime: Regime = Regime.COLOR, **more) -> list[dict[str, str]]:
    trials = trial_sets.find_trials(folder, regime, run.config(), **more)
    predict.evaluate(predict.trained_network(run), trials)
    with (run.path / "evaluation" / trials.name / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def rows(run, human):
    return evaluate(run, human)


@pytest.fixture(scope="module")
def two_step_run(tmp_path_factory, human) -> tuple[Run, list[dict[str, str]]]:
    """A run of two time steps, which is faster, and its answers to the stimuli."""
    run = untrained_run(tmp_path_factory.mktemp("runs") / "color", "color", seed=1, timesteps=2)
    return run, evaluate(run, human)


def test_columns_and_order_are_as_published(rows):
    exits = [f"{name}_exit{i}" for name in ("predictions", "confidence", "entropy") for i in range(8)]
    margins = [f"margin_exit{i}" for i in range(8)]
    assert list(rows[0]) == ["file_paths", "file_names", "labels", *exits, "level", "block", *margins]
    keys = [(int(row["labels"]), row["file_names"]) for row in rows]
    assert keys == sorted(keys)
    for row in rows:
        assert Path(row["file_paths"]).is_file()
        assert all(0 <= int(row[f"predictions_exit{i}"]) < 16 for i in range(8))
        assert all(1 / 16 <= float(row[f"confidence_exit{i}"]) <= 1 for i in range(8))
        assert all(0 <= float(row[f"entropy_exit{i}"]) <= np.log(16) + 1e-6 for i in range(8))
        assert row["file_names"].endswith(f"_exit{row['block']}.JPEG")


def test_answers_come_from_the_weights_of_the_run(run, rows):
    config = run.config()
    network = build_network(config)
    load_weights(network, run.weights)
    for row in rows[:3]:
        image = Image.open(row["file_paths"])
        assert image.size == (config.stimulus_size, config.stimulus_size)
        image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        softmax = np.stack(network(preprocess_image(np.asarray(image))[None]))[:, 0]
        confidence = [float(row[f"confidence_exit{i}"]) for i in range(8)]
        # Pillow rounds the resized image to whole numbers.
        np.testing.assert_allclose(softmax.max(axis=-1), confidence, atol=0.05)


def test_every_regime_is_evaluated_with_its_own_weights(tmp_path, human):
    # The published evaluation loaded the color weights for every regime.
    found = {}
    for seed, regime in enumerate(("color", "noise"), start=1):
        run = untrained_run(tmp_path / regime, regime, seed, timesteps=2)
        done = CliRunner().invoke(app, ["evaluate", str(run.path), str(human)])
        assert done.exit_code == 0, done.output
        assert [path.name for path in (run.path / "evaluation").iterdir()] == [regime]
        found[regime] = evaluate(run, human, Regime.COLOR)
    expected, other = (
        [[row[f"confidence_exit{i}"] for i in range(2)] for row in rows] for rows in found.values()
    )
    assert expected != other
    shutil.copy(tmp_path / "color/weights.h5", tmp_path / "noise/weights.h5")
    repeated = evaluate(Run(tmp_path / "noise"), human, Regime.COLOR)
    assert [[row[f"confidence_exit{i}"] for i in range(2)] for row in repeated] == expected


def test_a_folder_named_after_a_category_changes_nothing(tmp_path, human, two_step_run):
    # The published loader looked for the category anywhere in the path: in /home/oscar, everything was a car.
    run, rows = two_step_run
    inside = tmp_path / "car" / "oscar" / "dog"
    shutil.copytree(human, inside)
    repeated = evaluate(run, inside, name="car")
    assert [row["labels"] for row in repeated] == [row["labels"] for row in rows]
    assert len({row["labels"] for row in repeated}) == 16


def test_stimulus_layouts_give_the_same_answers(tmp_path, human, two_step_run):
    run, rows = two_step_run
    without = [{key: row[key] for key in row if key != "file_paths"} for row in rows]
    for layout in ("folders", "shards"):
        reformat(human, tmp_path / layout, layout=layout)
        repeated = evaluate(run, tmp_path / layout, name=layout)
        assert [{key: row[key] for key in row if key != "file_paths"} for row in repeated] == without
        assert len({row["file_paths"] for row in repeated}) == len(repeated)


def test_each_condition_has_one_name(human, tmp_path):
    # The published scripts wrote noise_grayscale and read noise-contrast-gray.
    run = untrained_run(tmp_path / "run", "color", 1, timesteps=1)
    assert list(FOLDERS) == [str(regime) for regime in CONDITIONS] == [str(regime) for regime in Regime]
    assert {stimulus.regime for stimulus in list_stimuli(human)} == set(FOLDERS)
    arguments = [word for regime in Regime for word in ("--condition", str(regime))]
    done = CliRunner().invoke(app, ["evaluate", str(run.path), str(human), "--name", "every", *arguments])
    assert done.exit_code == 0, done.output
    names = {path.name for path in (run.path / "evaluation").iterdir() if path.name.startswith("every")}
    assert names == {f"every-{regime}" for regime in FOLDERS}
    for one in read_evaluations([run.path]):
        if one.name.startswith("every-"):
            assert one.name == f"every-{one.regime}"
            expected = {f"{level:g}" for level in CONDITIONS[one.regime].test_levels}
            assert set(one.levels) in (expected, {"c"}, {"g"})


def test_measures_describe_the_run(run, rows):
    measured = json.loads((run.path / "evaluation/color/measures.json").read_text())
    network = build_network(run.config())
    assert measured["multiply_adds"] == list(multiply_adds(network).cumulative)
    assert measured["parameters"] == network.count_params()
    assert measured["images"] == len(rows)
    assert "tensorflow" in measured["environment"]["versions"]
    plan = predict.trained_network(run).plan
    inference = {"engine": plan.engine, "precision": "float32", "processor": plan.processor}
    assert measured["environment"]["inference"] == inference
    right = [row["predictions_exit0"] == row["labels"] for row in rows]
    assert measured["accuracy"]["percent"][0] == pytest.approx(100 * np.mean(right))
    (one,) = [one for one in read_evaluations([run.path]) if one.name == "color"]
    np.testing.assert_array_equal(one.answers.right[:, 0], right)


def test_engines_give_the_same_answers(two_step_run, human):
    run, rows = two_step_run
    command = ["evaluate", str(run.path), str(human), "--name", "keras", "--inference", "keras"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "network: engine keras (asked for) in float32" in done.output
    with (run.path / "evaluation/keras-color/predictions.csv").open(newline="") as file:
        by_keras = list(csv.DictReader(file))
    for name in ("predictions_exit0", "predictions_exit1", "file_names", "level", "block"):
        assert [row[name] for row in by_keras] == [row[name] for row in rows]
    for name in ("confidence_exit1", "entropy_exit1"):
        found, expected = ([float(row[name]) for row in answers] for answers in (by_keras, rows))
        np.testing.assert_allclose(found, expected, atol=1e-4)  # float32, another summation order


@pytest.mark.parametrize("regime", [Regime.NOISE, Regime.BLUR])
def test_a_split_is_evaluated_at_repeatable_levels(tmp_path, prepared, regime):
    run = untrained_run(tmp_path / "run", str(regime), 1, timesteps=2)
    first = evaluate(run, prepared.path, regime)
    assert (run.path / f"evaluation/val-{regime}").is_dir()
    assert [(row["labels"], row["file_names"]) for row in first] == [
        (row["labels"], row["file_names"])
        for row in sorted(first, key=lambda row: (int(row["labels"]), row["file_names"]))
    ]
    drawn = {float(row["level"]) for row in first}
    allowed = np.array(CONDITIONS[regime].levels)
    assert all(np.abs(allowed - level).min() < 1e-6 for level in drawn)
    assert len(drawn) > 1
    assert evaluate(run, prepared.path, regime) == first
    (one,) = read_evaluations([run.path])
    assert not one.human
    assert list(one.conditions) == [f"{regime} (all levels)"]


def test_a_corrupt_image_is_named_and_nothing_is_written(tmp_path, human):
    run = untrained_run(tmp_path / "run", "color", 1, timesteps=2)
    corrupted = tmp_path / "human"
    shutil.copytree(human, corrupted)
    victim = sorted(corrupted.glob("ColorGraySplit/3/*_c_dog.JPEG"))[0]
    victim.write_bytes(victim.read_bytes()[:700])
    with pytest.raises(ConvRNNError, match=victim.name):
        evaluate(run, corrupted)
    assert not (run.path / "evaluation").exists()


def test_a_feedforward_network_has_one_exit(tmp_path, human):
    run = untrained_run(tmp_path / "b", "color", 1, network="b", timesteps=1)
    row = evaluate(run, human)[0]
    assert "predictions_exit0" in row
    assert "predictions_exit1" not in row
