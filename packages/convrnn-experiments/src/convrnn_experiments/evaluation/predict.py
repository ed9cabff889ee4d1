"""What a trained network answers to each test image at each time step, and how often it is right."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from convrnn_data import CATEGORIES
from convrnn_data.base import advice
from convrnn_data.base.atomic import remove_dead_temporaries
from convrnn_data.base.console import Report, silent
from convrnn_data.base.random_streams import Stream
from convrnn_data.shards.images import BadImage
from convrnn_experiments.conditions import CONDITIONS, Condition, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.accuracy import accuracy_estimates, as_lists
from convrnn_experiments.evaluation.results import level_order
from convrnn_experiments.evaluation.trials import Trials
from convrnn_experiments.images.batches import batches
from convrnn_experiments.images.decoding import decode
from convrnn_experiments.images.perturbations import Perturb, perturbation_of
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import Run, environment, write_json, written
from convrnn_experiments.runs.network import build_network
from convrnn_model import entropy, load_weights, multiply_adds
from convrnn_model.backend import keras

BATCH = 16
"""Images answered at a time, whatever the run was trained with: more is no faster, and takes more memory."""


def evaluate(run: Run, trials: Trials, *, report: Report = silent) -> dict[str, Any]:
    """Write `predictions.csv` and `measures.json` for a finished run; returns the measures.

    The columns are the original's (`file_paths,file_names,labels,predictions_exit*`), then `confidence_exit*`
    (softmax of the answer), `entropy_exit*` (nats), `level` and `block`. Images are read, answered and written a
    batch at a time; of each there stays a byte per time step.

    Raises:
        ConvRNNError: the run is not finished, or an image cannot be read.
    """
    run.require_finished()
    config = run.config()
    network = build_network(config)
    load_weights(network, run.weights)
    folder = run.path / "evaluation" / trials.name
    remove_dead_temporaries(folder)
    right = np.zeros((len(trials.pictures), config.exits), bool)
    levels = np.array(trials.levels if trials.levels is not None else [""] * len(right), dtype=object)
    made = [path for path in (folder, folder.parent) if not path.exists()]
    try:
        with written(folder / "predictions.csv") as path:
            _write(path, predict(network, trials, config), trials, right, levels, report)
        measures = summary(right, trials.pictures.labels, levels, trials.blocks)
        write_json(folder / "measures.json", _described(trials, network, config) | measures)
    except BaseException:
        for path in made:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        raise
    return measures


def _described(trials: Trials, network: keras.Model, config: Config) -> dict[str, Any]:
    """What was tested, on what, at what cost, by what."""
    side = (config.image_size, config.image_size)
    return {
        "regime": str(trials.regime),
        "test_set": trials.name,
        "kind": trials.kind,
        "source": str(trials.source),
        **({} if trials.origin is None else {"origin": trials.origin}),
        "network": network.name,
        "parameters": network.count_params(),
        "multiply_adds": list(multiply_adds(network, side).cumulative),
        "stimulus_size": config.stimulus_size,
        "image_size": config.image_size,
        "environment": environment(),
    }


def predict(
    network: keras.Model, trials: Trials, config: Config
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The network's answers, a batch at a time, in the test set's order.

    Images are prepared as the run's configuration says: its sizes, its levels.

    Yields:
        rows (batch,), softmax (batch, time, classes), levels (batch,) that were drawn.

    Raises:
        ConvRNNError: an image cannot be read; it is named.
    """
    model, perturbation = _answering(network, _condition(trials, config), config)
    perturbation.restart(Stream.EVALUATION_PERTURBATION)
    done = 0
    try:
        for images, _, rows in batches(trials.pictures, trials.frame, BATCH):
            softmax, levels = model.predict_on_batch(images)
            yield rows.numpy(), softmax, levels
            done = int(rows[-1]) + 1
    except tf.errors.OpError as error:
        raise ConvRNNError(_unreadable(trials, done, error)) from error


def _condition(trials: Trials, config: Config) -> Condition:
    """What is done to each picture before the network sees it: nothing, if the files are perturbed already."""
    if trials.perturbed:
        return CONDITIONS[Regime.COLOR]
    return config.condition if trials.regime == config.perturb else CONDITIONS[trials.regime]


def _answering(network: keras.Model, condition: Condition, config: Config) -> tuple[keras.Model, Perturb]:
    perturbation = perturbation_of(config, condition, with_levels=True)
    images = keras.Input((config.stimulus_size, config.stimulus_size, 3), dtype="uint8", name="pictures")
    shown, levels = perturbation(images)
    answers = network(shown)
    answers = answers if isinstance(answers, list | tuple) else [answers]
    return keras.Model(images, [keras.ops.stack(list(answers), axis=1), levels]), perturbation


def _unreadable(trials: Trials, start: int, error: Exception) -> str:
    """Which image, from row `start` on, is the one that could not be read."""
    for row in range(start, len(trials.paths)):
        try:
            decode(trials.pictures.read([row])[0])
        except BadImage as bad:
            again = "Download it again" if trials.perturbed else "Prepare the set again with --check decode"
            return f"cannot decode {trials.paths[row]}: {bad}. {again}"
        except OSError as failed:
            return f"cannot read {trials.paths[row]}: {advice.describe(failed)}"
    return f"cannot evaluate on {trials.source}: {str(error).splitlines()[0]}"


def _write(
    path: Path,
    answers: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]],
    trials: Trials,
    right: np.ndarray,
    levels: np.ndarray,
    report: Report,
) -> None:
    """Write `predictions.csv`, and fill `right` (images, time) and, where they were drawn, `levels` (images,)."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns(right.shape[1]))
        for rows, softmax, drawn in answers:
            if not trials.perturbed:
                levels[rows] = [f"{level:g}" for level in drawn]
            right[rows] = softmax.argmax(axis=-1) == trials.pictures.labels[rows][:, None]
            writer.writerows(_lines(trials, rows, softmax, levels))
            report(f"evaluate {trials.name}", int(rows[-1]) + 1, len(right))


def columns(count: int) -> list[str]:
    """The header of `predictions.csv` for `count` exits."""
    exits_of = [
        f"{name}_exit{index}" for name in ("predictions", "confidence", "entropy") for index in range(count)
    ]
    return ["file_paths", "file_names", "labels", *exits_of, "level", "block"]


def _lines(trials: Trials, rows: np.ndarray, softmax: np.ndarray, levels: np.ndarray) -> Iterator[list[Any]]:
    answers, confidence, entropies = softmax.argmax(-1), softmax.max(-1), entropy(np.minimum(softmax, 1.0))
    for place, row in enumerate(rows):
        yield [
            trials.paths[row],
            trials.names[row],
            trials.pictures.labels[row],
            *answers[place],
            *(f"{value:.6f}" for value in confidence[place]),
            *(f"{value:.6f}" for value in entropies[place]),
            levels[row],
            "" if trials.blocks[row] < 0 else trials.blocks[row],
        ]


def summary(right: np.ndarray, labels: np.ndarray, levels: np.ndarray, blocks: np.ndarray) -> dict[str, Any]:
    """Accuracy in percent by time step, with 95 % intervals over images.

    Args:
        right: (images, time) whether each answer was right.
        labels: (images,) 0..15.
        levels: (images,) as text.
        blocks: (images,) 0..4, or -1.

    Returns:
        `images`, `accuracy` (all images), `accuracy_by_level` and `accuracy_by_category`; each accuracy is a dict
        of `percent`, `low`, `high` (one value per time step) and `images`. `diagonal_by_level` scores block i at
        exit i, as SATBench does, where there are blocks and exits for them.
    """

    def accuracy(rows: np.ndarray, exits: slice = slice(None)) -> dict[str, Any]:
        found = accuracy_estimates(right[rows, exits], levels[rows], blocks[rows], labels[rows])
        return as_lists(found, int(rows.sum()))

    by_level = {level: levels == level for level in sorted(set(levels), key=level_order)}
    by_category = {name: labels == label for label, name in enumerate(CATEGORIES)}
    found = {
        "images": len(right),
        "accuracy": accuracy(np.ones(len(right), dtype=bool)),
        "accuracy_by_level": {level: accuracy(rows) for level, rows in by_level.items()},
        "accuracy_by_category": {name: accuracy(rows) for name, rows in by_category.items() if rows.any()},
    }
    count = int(blocks.max(initial=-1)) + 1
    if 0 < count <= right.shape[1]:
        found["diagonal_by_level"] = {
            level: [accuracy(rows & (blocks == block), slice(block, block + 1)) for block in range(count)]
            for level, rows in by_level.items()
        }
    return found
