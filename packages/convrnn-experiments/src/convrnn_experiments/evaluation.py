"""What a trained network answers to each test image at each time step, and how often it is right."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convrnn_data import CATEGORIES, PreparedSet, Stimulus, list_stimuli
from convrnn_data.console import Report, silent
from convrnn_experiments.bootstrap import bootstrap_interval
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.config import Config, build_network, exits
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.perturbations import Perturb
from convrnn_experiments.pipeline import Frame, Pictures, batches, pictures_of
from convrnn_experiments.runs import Run, write_json, written
from convrnn_model import entropy, load_weights

STREAM = 4  # of the perturbation's draws


@dataclass(frozen=True)
class Trials:
    """Test images with what is known of each; row i of every sequence belongs together.

    Attributes:
        name: the folder of the results below `RUN/evaluation/`.
        regime: under which the images are, or will be, shown.
        perturbed: whether the files are perturbed already, as human stimuli are.
        frame: the square that is cut from each.
        pictures: the images and labels.
        paths, names: of the files.
        levels: as written in the file names; None is drawn when the image is shown.
        blocks: response-time block 0..4 of a human stimulus, else -1.
    """

    name: str
    regime: Regime
    perturbed: bool
    frame: Frame
    pictures: Pictures
    paths: list[str]
    names: list[str]
    levels: list[str] | None
    blocks: np.ndarray


def human_trials(folder: Path, regime: Regime, config: Config) -> Trials:
    """A regime's human stimuli: the whole picture, at the network's size, in order of category and file name.

    Raises:
        ConvRNNError: there are none of this regime in `folder`.
    """
    stimuli = [stimulus for stimulus in list_stimuli(folder) if stimulus.regime == regime]
    if not stimuli:
        raise ConvRNNError(f"{folder} holds no stimuli of the {regime} regime; --condition chooses another")
    stimuli.sort(key=lambda stimulus: (stimulus.label, stimulus.name))
    count = len(stimuli)
    unknown = np.ones(count, int)  # so small that nothing is decoded coarsely
    labels = np.array([stimulus.label for stimulus in stimuli])
    return Trials(
        name=str(regime),
        regime=regime,
        perturbed=True,
        frame=Frame(config.image_size, config.image_size),
        pictures=Pictures(_stimulus_reader(stimuli), labels, unknown, unknown),
        paths=[str(stimulus.path) for stimulus in stimuli],
        names=[
            stimulus.path.name if stimulus.path.suffix == ".JPEG" else stimulus.name for stimulus in stimuli
        ],
        levels=[stimulus.level for stimulus in stimuli],
        blocks=np.array([stimulus.block for stimulus in stimuli]),
    )


def _stimulus_reader(stimuli: list[Stimulus]) -> Any:
    return lambda rows: [stimuli[row].read() for row in rows]


def prepared_trials(data: PreparedSet, regime: Regime, config: Config, split: str = "val") -> Trials:
    """A split of a prepared set, to be shown under a regime with fixed draws.

    Raises:
        ConvRNNError: the set has no such split.
    """
    source, table = pictures_of(data, split), data.table(split)
    return Trials(
        name=f"{split}-{regime}",
        regime=regime,
        perturbed=False,
        frame=Frame(config.image_size, config.resize),
        pictures=source,
        paths=[
            f"{table.shards[shard]}#{key}" for shard, key in zip(table.shard_ids, table.keys, strict=True)
        ],
        names=[f"{key}.jpg" for key in table.keys],
        levels=None,
        blocks=np.full(len(source), -1),
    )


def find_trials(folder: Path, regime: Regime, config: Config, split: str = "val") -> Trials:
    """Human stimuli or a prepared set, by looking at what is there.

    Raises:
        ConvRNNError: it is neither.
    """
    if not folder.is_dir():
        raise ConvRNNError(f"{folder} is no folder; give a prepared set or a folder of human stimuli")
    if (folder / "manifest.json").is_file() and (folder / "split.json").is_file():
        return prepared_trials(PreparedSet(folder), regime, config, split)
    return human_trials(folder, regime, config)


def predict(
    network: keras.Model, trials: Trials, config: Config
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The network's answers, a batch at a time, in the test set's order.

    Yields:
        rows (batch,), softmax (batch, time, classes), levels (batch,) that were drawn.
    """
    condition = CONDITIONS[Regime.COLOR] if trials.perturbed else config.condition
    if not trials.perturbed and trials.regime != config.perturb:
        condition = CONDITIONS[trials.regime]
    model, perturbation = _answering(network, condition, config)
    perturbation.restart(STREAM)
    for images, _, rows in batches(trials.pictures, trials.frame, config.batch_size):
        softmax, levels = model.predict_on_batch(images)
        yield rows.numpy(), softmax, levels


def _answering(network: keras.Model, condition: Any, config: Config) -> tuple[keras.Model, Perturb]:
    perturbation = Perturb(
        condition, seed=config.seed, with_levels=True, name="perturbation", dtype="float32"
    )
    images = keras.Input((config.image_size, config.image_size, 3), dtype="uint8", name="pictures")
    shown, levels = perturbation(images)
    answers = network(shown)
    answers = answers if isinstance(answers, list | tuple) else [answers]
    return keras.Model(images, [keras.ops.stack(list(answers), axis=1), levels]), perturbation


def evaluate(run: Run, trials: Trials, *, report: Report = silent) -> dict[str, Any]:
    """Write `predictions.csv` and `measures.json` for a finished run; returns the measures.

    The columns are the original's (`file_paths,file_names,labels,predictions_exit*`), then `confidence_exit*`
    (softmax of the answer), `entropy_exit*` (nats), `level` and `block`. Memory does not grow with the set but
    for one byte per image and time step.

    Raises:
        ConvRNNError: the run is not finished.
    """
    run.require_finished()
    config = run.config()
    network = build_network(config)
    load_weights(network, run.weights)
    folder = run.path / "evaluation" / trials.name
    right = np.zeros((len(trials.pictures), exits(config)), bool)
    shown_levels = np.array(trials.levels if trials.levels is not None else [""] * len(right), dtype=object)
    with written(folder / "predictions.csv") as path, path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns(exits(config)))
        for rows, softmax, levels in predict(network, trials, config):
            if trials.levels is None:
                shown_levels[rows] = [f"{level:g}" for level in levels]
            right[rows] = softmax.argmax(axis=-1) == trials.pictures.labels[rows][:, None]
            writer.writerows(_lines(trials, rows, softmax, shown_levels))
            report(f"evaluate {trials.name}", int(rows[-1]) + 1, len(right))
    measures = summary(right, trials.pictures.labels, shown_levels, trials.blocks)
    measures = {"regime": trials.regime, "test_set": trials.name, **measures}
    write_json(folder / "measures.json", measures)
    return measures


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
    """Accuracy in percent by time step, with 95 % bootstrap intervals over images.

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
    by_level = {level: right[levels == level] for level in sorted(set(levels), key=_as_number)}
    by_category = {name: right[labels == label] for label, name in enumerate(CATEGORIES)}
    found = {
        "images": len(right),
        "accuracy": accuracy(right),
        "accuracy_by_level": {level: accuracy(chosen) for level, chosen in by_level.items()},
        "accuracy_by_category": {
            name: accuracy(chosen) for name, chosen in by_category.items() if len(chosen)
        },
    }
    count = int(blocks.max(initial=-1)) + 1
    if 0 < count <= right.shape[1]:
        found["diagonal_by_level"] = {
            level: [
                accuracy(right[(levels == level) & (blocks == block), block : block + 1])
                for block in range(count)
            ]
            for level in by_level
        }
    return found


def accuracy(right: np.ndarray) -> dict[str, Any]:
    """Percent right per time step, (images, time) -> `percent`, `low`, `high`, each a list over time."""
    if not len(right):
        nothing = [float("nan")] * right.shape[1]
        return {"percent": nothing, "low": nothing, "high": nothing, "images": 0}
    low, high = bootstrap_interval(100.0 * right, seed=0)
    return {"percent": 100.0 * right.mean(axis=0), "low": low, "high": high, "images": len(right)}


def _as_number(level: str) -> tuple[float, str]:
    try:
        return float(level), level
    except ValueError:
        return float("inf"), level
