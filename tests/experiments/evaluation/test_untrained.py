"""Evaluation of weights files: shares of categories, answers, and the folder of results."""

import csv

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from convrnn_data import list_stimuli
from convrnn_experiments.cli import app
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.evaluation.untrained import category_shares, results_folder
from convrnn_experiments.report import build
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import Run, write_json
from convrnn_experiments.runs.untrained import NOT_TRAINED, UntrainedOptions, untrained_config
from convrnn_model import bl_net, compile_network, map_decisions, save_weights

STEPS, SIZE = 2, 64
OPTIONS = ("--image-size", str(SIZE))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights files of a narrow BL by number of classes, with readouts that tell images apart."""
    import keras

    folder = tmp_path_factory.mktemp("weights")
    files = {}
    for classes in (16, 565, 1000):
        keras.utils.set_random_seed(classes)
        network = bl_net((SIZE, SIZE, 3), classes, STEPS, width=0.02)
        kernel, bias = network.get_layer("ReadoutDense").get_weights()
        network.get_layer("ReadoutDense").set_weights([30 * kernel, bias])
        files[classes] = folder / f"narrow{classes}.h5"
        save_weights(network, files[classes])
    return files


def evaluate(*words: object):
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


@pytest.fixture(scope="module")
def results(weights, drawn_sample, tmp_path_factory):
    """Folders of results on the color stimuli by number of classes; those of ImageNet on all stimuli."""
    folder = tmp_path_factory.mktemp("results")
    for classes, path in weights.items():
        only = () if classes == 1000 else ("--condition", "color")
        done = evaluate(path, drawn_sample / "human", "--out", folder / path.stem, *OPTIONS, *only)
        assert done.exit_code == 0, done.output
    return {classes: folder / path.stem for classes, path in weights.items()}


def test_shares_sum_to_1_and_keep_the_order():
    softmax = np.random.default_rng(0).dirichlet(np.ones(1000), (3, 2))
    shares = category_shares(softmax, "imagenet", "average")
    np.testing.assert_allclose(shares.sum(axis=-1), 1)
    scores = map_decisions(softmax)
    np.testing.assert_allclose(shares * scores.sum(axis=-1, keepdims=True), scores)
    np.testing.assert_array_equal(shares.argmax(axis=-1), scores.argmax(axis=-1))


def test_shares_are_equal_if_no_category_has_probability():
    np.testing.assert_array_equal(
        category_shares(np.zeros((1, 565)), "ecoset", "sum"), np.full((1, 16), 1 / 16)
    )


@pytest.mark.parametrize("classes", [16, 565, 1000])
def test_answers_are_those_of_the_weights(weights, results, drawn_sample, classes):
    with (results[classes] / "evaluation/color/predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    paths = {str(stimulus.parsed): stimulus.path for stimulus in list_stimuli(drawn_sample / "human")}
    images = np.stack([np.asarray(Image.open(paths[row["file_names"]])) for row in rows])
    import tensorflow as tf

    shown = tf.image.resize(images / np.float32(127.5) - 1, (SIZE, SIZE), antialias=True).numpy()
    softmax = compile_network(weights[classes]).predict(shown)
    source = {565: "ecoset", 1000: "imagenet"}.get(classes)
    scores = softmax if source is None else map_decisions(softmax, source)
    answers = np.array([[int(row[f"predictions_exit{step}"]) for step in range(STEPS)] for row in rows])
    best = np.sort(scores, axis=-1)
    clear = best[..., -1] > 1.001 * best[..., -2]  # the resizes round differently
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(answers[clear], scores.argmax(axis=-1)[clear])
    for row in rows:
        assert all(1 / 16 <= float(row[f"confidence_exit{step}"]) <= 1 for step in range(STEPS))
        assert all(0 <= float(row[f"entropy_exit{step}"]) <= np.log(16) + 1e-6 for step in range(STEPS))


def test_every_regime_of_the_stimuli_is_evaluated_by_default(results):
    (names,) = [{one.name for one in read_evaluations([results[1000]])}]
    assert names == {"color", "grayscale", "noise", "blur"}


@pytest.mark.usefixtures("figures_not_drawn")
def test_the_report_takes_the_results(results, drawn_sample, tmp_path):
    evaluations = read_evaluations(list(results.values()))
    assert {one.source.trained_by for one in evaluations} == {NOT_TRAINED}
    assert {one.source.trained_on for one in evaluations} == {"imagenet", "ecoset", "not known"}
    page = build.write_report(list(results.values()), tmp_path / "index.html", human=drawn_sample / "human")
    text = page.read_text(encoding="utf-8")
    assert f"epochs: {NOT_TRAINED}" in text
    assert "rule average" in text


def test_a_prepared_set_is_evaluated_in_color(weights, prepared, tmp_path):
    done = evaluate(weights[16], prepared.path, "--out", tmp_path / "out", *OPTIONS)
    assert done.exit_code == 0, done.output
    assert [one.name for one in read_evaluations([tmp_path / "out"])] == ["val-color"]


def test_results_of_the_same_settings_are_extended(weights, tmp_path):
    config = untrained_config(str(weights[1000]), UntrainedOptions())
    first = results_folder(tmp_path / "out", config)
    assert results_folder(tmp_path / "out", config) == first
    with pytest.raises(ConvRNNError, match=r"same settings, got rule 'average' instead of 'max'\. Choose"):
        results_folder(tmp_path / "out", config.model_copy(update={"rule": "max"}))


def test_other_folders_are_refused(weights, tmp_path):
    config = untrained_config(str(weights[1000]), UntrainedOptions())
    (tmp_path / "file").write_text("")
    with pytest.raises(ConvRNNError, match="got a folder with other files"):
        results_folder(tmp_path, config)
    with pytest.raises(ConvRNNError, match="got a file"):
        results_folder(tmp_path / "file", config)
    run = Run(tmp_path / "run")
    write_json(run.path / "config.json", Config(data="data", perturb="color").to_json())
    with pytest.raises(ConvRNNError, match="got a training run"):
        results_folder(run.path, config)
