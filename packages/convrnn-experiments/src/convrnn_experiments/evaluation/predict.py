"""Predictions of a trained network for each test image at each time step, and its accuracies."""

import csv
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from convrnn_data import CATEGORIES
from convrnn_data.base import advice
from convrnn_data.base.atomic import atomic_file, remove_dead_temporaries
from convrnn_data.base.console import Report, silent
from convrnn_data.base.random_streams import Stream
from convrnn_data.shards.images import BadImage
from convrnn_experiments.conditions import CONDITIONS, Condition, Regime, level_order
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.accuracy import accuracy_estimates
from convrnn_experiments.evaluation.measures import Accuracy, Measures
from convrnn_experiments.evaluation.predictions import PREDICTIONS, Answers, format_rows, header
from convrnn_experiments.evaluation.trials import Trials
from convrnn_experiments.images.batches import batches
from convrnn_experiments.images.decoding import decode
from convrnn_experiments.images.perturbations import Perturb, perturbation_of
from convrnn_experiments.runs.config import Config, EngineName, Precision
from convrnn_experiments.runs.environment import Environment, Inference
from convrnn_experiments.runs.folder import MEASURES, Run, write_json
from convrnn_experiments.runs.network import build_network, choose_inference
from convrnn_experiments.runtime.devices import uses_gpu
from convrnn_experiments.runtime.overlap import map_ahead
from convrnn_experiments.statistics.uncertainty import confidence_margin
from convrnn_model import entropy, load_weights, multiply_adds
from convrnn_model.backend import keras
from convrnn_model.inference import Plan, Predictor, compile_network

BATCH = 16
"""Images per batch, independent of the batch size in training: larger batches are not faster and need more memory."""


def _unchanged(softmax: np.ndarray) -> np.ndarray:
    return softmax


@dataclass(frozen=True)
class TrainedNetwork:
    """Network of a finished run or of a weights file, compiled for inference.

    Attributes:
        run: Folder of the results.
        config: Configuration by which images are shown.
        network: Keras model with the weights of the run.
        predictor: Compiled network: images (batch, H, W, 3) -> softmax (batch, time, classes).
        plan: Plan of the inference engine.
        categories: Maps softmax (batch, time, classes) to shares of the 16 categories (batch, time, 16).
    """

    run: Run
    config: Config
    network: keras.Model
    predictor: Predictor
    plan: Plan
    categories: Callable[[np.ndarray], np.ndarray] = _unchanged

    @property
    def inference(self) -> Inference:
        """Computation of the network, for `measures.json`."""
        plan = self.plan
        return Inference(engine=plan.engine, precision=plan.precision, processor=plan.processor)


def trained_network(
    run: Run, *, precision: Precision = "float32", inference: EngineName = "auto"
) -> TrainedNetwork:
    """Compile the network of a finished run.

    Args:
        run: The run.
        precision: Precision of the inference engine.
        inference: Engine that computes the network.

    Raises:
        ConvRNNError: The run is not finished, its weights cannot be loaded, or the engine or the precision is not
            available.
    """
    run.require_finished()
    choose_inference(precision, inference, gpu=uses_gpu())  # fails before the network is built
    config = run.config()
    network = build_network(config)
    load_weights(network, run.weights)
    predictor = compile_network(network, outputs="softmax", precision=precision, engine=inference)
    return TrainedNetwork(run, config, network, predictor, predictor.plan(batch_size=BATCH))


def evaluate(trained: TrainedNetwork, trials: Trials, *, report: Report = silent) -> Measures:
    """Write `predictions.csv` and `measures.json` of a network; returns the measures.

    Images are read, classified and written in batches, so memory grows by one byte per image and time step.

    Raises:
        ConvRNNError: An image cannot be read.
    """
    run, config = trained.run, trained.config
    folder = run.evaluation(trials.name)
    remove_dead_temporaries(folder)
    right = np.zeros((len(trials.images), config.exits), bool)
    levels = np.array(trials.levels if trials.levels is not None else [""] * len(right), dtype=object)
    new_folders = [path for path in (folder, folder.parent) if not path.exists()]
    try:
        with (
            atomic_file(folder / PREDICTIONS, make_folder=True) as path,
            closing(predict(trained, trials)) as answers,
        ):
            _write(path, answers, trials, right, levels, report)
        measures = Measures(
            **_description(trials, trained),
            **summary(right, trials.images.labels, levels, trials.blocks),
        )
        write_json(folder / MEASURES, measures.to_json())
    except BaseException:
        for path in new_folders:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        raise
    return measures


def _description(trials: Trials, trained: TrainedNetwork) -> dict[str, Any]:
    network, config = trained.network, trained.config
    return {
        "regime": trials.regime,
        "test_set": trials.name,
        "kind": trials.kind,
        "source": str(trials.source),
        "origin": trials.origin,
        "network": network.name,
        "parameters": int(network.count_params()),
        "multiply_adds": list(multiply_adds(network, (config.image_size, config.image_size)).cumulative),
        "stimulus_size": config.stimulus_size,
        "image_size": config.image_size,
        "environment": Environment.current(inference=trained.inference),
    }


def predict(
    trained: TrainedNetwork, trials: Trials
) -> Generator[tuple[np.ndarray, np.ndarray, np.ndarray], None, None]:
    """Classify the images of a test set in batches, prepared with the sizes and levels of the run.

    Yields:
        Rows (batch,), softmax (batch, time, classes) and drawn levels (batch,).

    Raises:
        ConvRNNError: An image cannot be read; the message names it.
    """
    config = trained.config
    perturb, perturbation = _perturbation(_condition(trials, config), config)
    perturbation.restart(Stream.EVALUATION_PERTURBATION)

    def prepared() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for images, _, rows in batches(trials.images, trials.frame, BATCH):
            shown, levels = perturb.predict_on_batch(images)
            yield rows.numpy(), shown, levels

    def answer(
        batch: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, shown, levels = batch
        return rows, trained.categories(trained.predictor.predict(shown, BATCH)), levels

    done = 0
    try:
        with closing(map_ahead(answer, prepared())) as answers:
            for rows, softmax, levels in answers:
                yield rows, softmax, levels
                done = int(rows[-1]) + 1
    except tf.errors.OpError as error:
        raise ConvRNNError(_unreadable(trials, done, error)) from error


def _condition(trials: Trials, config: Config) -> Condition:
    """Return the condition to apply to the images: none if the files are already perturbed."""
    if trials.perturbed:
        return CONDITIONS[Regime.COLOR]
    return config.condition if trials.regime == config.perturb else CONDITIONS[trials.regime]


def _perturbation(condition: Condition, config: Config) -> tuple[keras.Model, Perturb]:
    """Build a model from uint8 images to the network's input and the drawn levels; returns its layer too."""
    perturbation = perturbation_of(config, condition, with_levels=True)
    images = keras.Input((config.stimulus_size, config.stimulus_size, 3), dtype="uint8", name="images")
    return keras.Model(images, perturbation(images)), perturbation


def _unreadable(trials: Trials, start: int, error: Exception) -> str:
    """Describe the first image from row `start` on that cannot be read."""
    for row in range(start, len(trials.paths)):
        try:
            decode(trials.images.read([row])[0])
        except BadImage as bad:
            remedy = "Download it again" if trials.perturbed else "Prepare the set again with --check decode"
            return f"cannot decode {trials.paths[row]}: {bad}. {remedy}"
        except OSError as failed:
            return f"cannot read {trials.paths[row]}: {advice.describe(failed)}"
    return f"cannot evaluate on {trials.source}: {str(error).splitlines()[0]}"


def _write(
    path: Path,
    batches: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]],
    trials: Trials,
    right: np.ndarray,
    levels: np.ndarray,
    report: Report,
) -> None:
    """Write `predictions.csv`; fills `right` (images, time) and, if they are drawn, `levels` (images,)."""
    paths, names = (np.array(column, dtype=object) for column in (trials.paths, trials.names))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header(right.shape[1]))
        for rows, softmax, drawn in batches:
            if not trials.perturbed:
                levels[rows] = [f"{level:g}" for level in drawn]
            batch = Answers(
                paths=paths[rows],
                names=names[rows],
                labels=trials.images.labels[rows],
                answers=softmax.argmax(axis=-1),
                confidence=softmax.max(axis=-1),
                entropy=entropy(np.minimum(softmax, 1.0)),
                margin=confidence_margin(softmax),
                levels=levels[rows],
                blocks=trials.blocks[rows],
            )
            right[rows] = batch.right
            writer.writerows(format_rows(batch))
            report(f"evaluate {trials.name}", int(rows[-1]) + 1, len(right))


def summary(right: np.ndarray, labels: np.ndarray, levels: np.ndarray, blocks: np.ndarray) -> dict[str, Any]:
    """Return the accuracies of `Measures`.

    Args:
        right: (images, time) whether the answer was right.
        labels: (images,) 0..15.
        levels: (images,) as text.
        blocks: (images,) 0..4, or -1.
    """

    def accuracy(rows: np.ndarray, exits: slice = slice(None)) -> Accuracy:
        estimates = accuracy_estimates(right[rows, exits], levels[rows], blocks[rows], labels[rows])
        return Accuracy.of(estimates, int(rows.sum()))

    by_level = {level: levels == level for level in sorted(set(levels), key=level_order)}
    by_category = {name: labels == label for label, name in enumerate(CATEGORIES)}
    measures: dict[str, Any] = {
        "images": len(right),
        "accuracy": accuracy(np.ones(len(right), dtype=bool)),
        "accuracy_by_level": {level: accuracy(rows) for level, rows in by_level.items()},
        "accuracy_by_category": {name: accuracy(rows) for name, rows in by_category.items() if rows.any()},
    }
    count = int(blocks.max(initial=-1)) + 1
    if 0 < count <= right.shape[1]:
        measures["diagonal_by_level"] = {
            level: [accuracy(rows & (blocks == block), slice(block, block + 1)) for block in range(count)]
            for level, rows in by_level.items()
        }
    return measures
