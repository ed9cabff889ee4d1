"""Training a network, or its readout alone, under one regime."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_data.base.console import Report, silent
from convrnn_data.base.random_streams import Stream
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.extractor import pooled_model
from convrnn_experiments.features.plan import HERE, Where
from convrnn_experiments.features.store import KeptFeatures, keep, view_order
from convrnn_experiments.images.batches import (
    Pictures,
    batches,
    epoch_jitter,
    epoch_rows,
    frame_of,
    pictures_of,
    rows_of_process,
    unreadable,
)
from convrnn_experiments.images.perturbations import Perturb
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import START_OVER, Run, read_hdf5, written
from convrnn_experiments.runtime.processes import Processes, strategy
from convrnn_experiments.training.checkpoint import load_state, save_state
from convrnn_experiments.training.objectives import (
    FILLER,
    BalancedExitAccuracy,
    ExitAccuracy,
    MeanLoss,
    TimeAveragedCrossentropy,
    balanced_weights,
    learning_rate,
)
from convrnn_model import ConvRNNError as WeightsError
from convrnn_model import load_weights, names, save_weights
from convrnn_model.backend import keras, ops

ALONE = Processes()
Say = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What the loop over epochs needs to know of what is trained.

    Attributes:
        model: batches of what `shown` yields -> logits (batch, time, classes).
        shown: epoch -> batches of (input, labels, rows), every training image once.
        held_out: the validation split, the same in every epoch.
        labels: (n,) of the training split.
        perturbation: the layer that draws within the model, if it does.
    """

    model: keras.Model
    shown: Callable[[int], tf.data.Dataset]
    held_out: tf.data.Dataset
    labels: np.ndarray
    perturbation: Perturb | None = None


def whole_network_task(
    network: keras.Model,
    config: Config,
    training: Pictures,
    validation: Pictures,
    processes: Processes = ALONE,
) -> Task:
    """Train on pictures: each epoch a new order, new crops and flips, new perturbations."""
    pooled, perturbation = pooled_model(network, config)
    model = keras.Model(pooled.inputs, _logits(network, config, pooled.output))
    frame = frame_of(config)
    size = config.batch_size // processes.count

    def own(rows: np.ndarray) -> np.ndarray:
        return rows_of_process(rows, config.batch_size, index=processes.index, count=processes.count)

    def shown(epoch: int) -> tf.data.Dataset:
        rows = epoch_rows(len(training), seed=config.seed, epoch=epoch)
        jitter = epoch_jitter(len(training), seed=config.seed, epoch=epoch)
        return batches(training, frame, size, rows=own(rows), jitter=jitter)

    held_out = batches(validation, frame, size, rows=own(np.arange(len(validation))))
    return Task(model, shown, held_out, training.labels, perturbation)


def readout_task(
    network: keras.Model,
    config: Config,
    data: PreparedSet,
    kept: Path,
    report: Report = silent,
    where: Where = HERE,
) -> Task:
    """Train the readout on pooled features, which are computed first where they are not kept yet."""
    there = keep(lambda: network, config, data, kept, where=where, report=report)
    labels, held_labels = (data.table(split).labels for split in ("train", "val"))
    training = KeptFeatures(there.of("train"), len(labels))
    validation = KeptFeatures(there.of("val"), len(held_labels))
    pooled = keras.Input(training.shape, dtype="float32", name="pooled")
    model = keras.Model(pooled, _logits(network, config, pooled))

    def shown(epoch: int) -> tf.data.Dataset:
        rows = epoch_rows(len(labels), seed=config.seed, epoch=epoch)
        views = view_order(len(labels), training.views, seed=config.seed, epoch=epoch)
        return training.batches(rows, views, labels, config.batch_size)

    every = np.arange(len(held_labels))
    held_out = validation.batches(every, np.zeros_like(every), held_labels, config.batch_size)
    return Task(model, shown, held_out, labels)


def _logits(network: keras.Model, config: Config, pooled: Any) -> Any:
    """Pooled (batch, time, channels) -> logits through the network's one shared readout.

    Softmax is left to the loss, where its logarithm is exact.
    """
    logits = ops.cast(network.get_layer(names.READOUT)(pooled), "float32")
    return ops.cumsum(logits, axis=1) if config.cumulative_readout else logits


def train(
    network: keras.Model,
    config: Config,
    run: Run,
    data: PreparedSet,
    *,
    kept: Path,
    say: Say,
    report: Report = silent,
    processes: Processes = ALONE,
    where: Where = HERE,
) -> None:
    """Train, validating on the validation split after each epoch; goes on where the run's checkpoint stands.

    Args:
        network: from `networks.prepare_network`.
        config: what to train, from `checked`.
        run: its folder, from `runs.start`.
        data: a prepared set with a training and a validation split.
        kept: folder for kept features.
        say: told what was loaded, and each epoch's figures.
        report: progress in images and batches.
        processes: from `distribution.join`, where several train together; the first one writes.
        where: where kept features are computed.

    Raises:
        ConvRNNError: an image cannot be decoded, the loss is no number, the checkpoint is damaged.
    """
    with strategy(config.devices).scope():
        if config.trainable == "readout":
            task = readout_task(network, config, data, kept, report, where)
        else:
            shown = pictures_of(data, "train"), pictures_of(data, "val")
            task = whole_network_task(network, config, *shown, processes)
        compile_task(task, config)
    state = [*task.model.variables, *task.model.optimizer.variables]
    first, best = _reached(run, state)
    history = run.history()[:first]
    if first:
        say(f"resuming after epoch {first} of {config.epochs}")
    for epoch in range(first, config.epochs):
        history.append(run_epoch(task, config, epoch, report))
        if not np.isfinite(history[-1]["val_loss"]):
            raise ConvRNNError(
                f"training in {run.path} diverged: the loss must be finite, got "
                f"{history[-1]['val_loss']} after epoch {epoch + 1}. Lower --learning-rate"
            )
        found = Score.of(history[-1])
        if processes.writes:
            if found > best:
                save_weights(network, run.best)
            run.write_history(history)
            accuracy, negative_loss = max(found, best)
            save_state(run, state, epoch=epoch + 1, best_accuracy=accuracy, best_loss=-negative_loss)
            log_tensorboard(run.path / "tensorboard", history[-1])
        best = max(found, best)
        say(epoch_line(history[-1], config.epochs))
    _finish(network, run, processes)


class Score(NamedTuple):
    """How good an epoch is, in order of importance.

    Attributes:
        accuracy: balanced accuracy on the validation split, mean over time steps.
        negative_loss: the negative validation loss, which decides between equal accuracies.
    """

    accuracy: float = -math.inf
    negative_loss: float = -math.inf

    @classmethod
    def of(cls, row: Mapping[str, float]) -> "Score":
        """Score a row of the history."""
        return cls(float(np.mean(_by_step(row, "val_balanced_accuracy"))), -row["val_loss"])


def _reached(run: Run, state: Sequence[keras.Variable]) -> tuple[int, Score]:
    """Restore a training from its checkpoint; returns the epochs done and the best score so far.

    Raises:
        ConvRNNError: the checkpoint is damaged, or of a version that chose epochs in another way.
    """
    reached = load_state(run, state)
    if reached is None:
        return 0, Score()
    if missing := {"epoch", "best_accuracy", "best_loss"} - set(reached):
        raise ConvRNNError(
            f"cannot resume from {run.checkpoint}: its attributes must include {', '.join(sorted(missing))}, got those "
            f"of an earlier version. {START_OVER}"
        )
    return int(reached["epoch"]), Score(reached["best_accuracy"], -reached["best_loss"])


def compile_task(task: Task, config: Config) -> None:
    """Compile a task's model with this configuration's optimiser and the time-averaged loss."""
    steps = -(-len(task.labels) // config.batch_size)
    rate = learning_rate(
        config.learning_rate,
        schedule=config.schedule,
        steps=config.epochs * steps,
        warmup_steps=round(config.warmup_epochs * steps),
    )
    optimizer = keras.optimizers.Adam(rate, epsilon=config.epsilon, global_clipnorm=config.clip_norm)
    exits = range(task.model.output_shape[1])
    metrics = [kind(index) for kind in (BalancedExitAccuracy, ExitAccuracy) for index in exits]
    # XLA halves the speed of TensorFlow's convolutions on CPUs; JAX is nothing without it.
    compiled = "auto" if keras.backend.backend() == "jax" else False
    task.model.compile(
        optimizer,
        TimeAveragedCrossentropy(),
        metrics=metrics,
        weighted_metrics=[MeanLoss()],
        jit_compile=compiled,
    )
    optimizer.build(task.model.trainable_variables)


def run_epoch(task: Task, config: Config, epoch: int, report: Report = silent) -> dict[str, float]:
    """One epoch and its validation: a row of the history."""
    began = time.monotonic()
    weights = balanced_weights(task.labels)
    shown = weighted(task.shown(epoch), weights)
    try:
        fitted = task.model.fit(
            shown,
            initial_epoch=epoch,
            epochs=epoch + 1,
            validation_data=weighted(task.held_out, weights),
            shuffle=False,  # the order is ours already
            callbacks=[_Streams(task.perturbation, epoch, report, len(shown))],
            verbose=0,
        )
    except tf.errors.OpError as error:
        if found := unreadable(error, config.data):
            raise found from error
        raise
    logs = {name: float(values[-1]) for name, values in fitted.history.items()}
    for name in ("loss", "val_loss"):
        # Keras weighs batches by rows, fillers included, and adds the penalty on kernels.
        logs[name] = logs.pop(name.replace("loss", "crossentropy"))
    rate = task.model.optimizer.learning_rate
    return {
        "epoch": epoch + 1,
        **logs,
        "learning_rate": float(rate.numpy()),
        "seconds": round(time.monotonic() - began, 3),
    }


class _Streams(keras.callbacks.Callback):
    """Sets where in its stream of draws the perturbation stands; the same validation noise after every epoch."""

    def __init__(self, perturbation: Perturb | None, epoch: int, report: Report, total: int) -> None:
        super().__init__()
        self.perturbation, self.epoch, self.report_progress, self.total = perturbation, epoch, report, total

    def on_train_begin(self, logs: Any = None) -> None:
        if self.perturbation:
            self.perturbation.restart(Stream.TRAINING_PERTURBATION, self.epoch)

    def on_test_begin(self, logs: Any = None) -> None:
        if self.perturbation:
            self.perturbation.restart(Stream.VALIDATION_PERTURBATION)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.report_progress(f"epoch {self.epoch + 1}", batch + 1, self.total)


def weighted(shown: tf.data.Dataset, weights: np.ndarray) -> tf.data.Dataset:
    """(input, labels, rows) -> (input, labels, weight of each image's class); a row of -1 becomes a filler."""
    table = tf.constant(weights)

    def weigh(
        images: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        real = rows >= 0
        return images, tf.where(real, labels, FILLER), tf.where(real, tf.gather(table, labels), 0.0)

    return shown.map(weigh)


def _finish(network: keras.Model, run: Run, processes: Processes) -> None:
    """Write last and best weights and the model; `weights.h5` comes last and says that all is there."""
    if processes.writes:
        save_weights(network, run.path / "weights_last.h5")
    processes.together("best weights are written")
    with read_hdf5(run.best, what="a file of the best weights", remedy=START_OVER):
        pass  # Damage is refused here, with what helps in a training.
    try:
        load_weights(network, run.best)
    except WeightsError as error:
        raise ConvRNNError(f"cannot load {run.best}: {error} {START_OVER}") from error
    if not processes.writes:
        return
    with written(run.path / "model.keras") as path:
        whole = run.checkpoint.with_name("model.keras")  # Keras takes the format from the ending
        network.save(whole)
        whole.replace(path)
    save_weights(network, run.weights)


def log_tensorboard(folder: Path, row: dict[str, float]) -> None:
    """One epoch's figures as TensorBoard events."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=int(row["epoch"])):
        for name, value in row.items():
            tf.summary.scalar(name, value)
    writer.close()


def epoch_line(row: Mapping[str, float], epochs: int) -> str:
    """One epoch in one line."""
    balanced, raw = (
        " ".join(f"{100 * value:.1f}" for value in _by_step(row, name))
        for name in ("val_balanced_accuracy", "val_accuracy")
    )
    losses = f"loss {row['loss']:.3f}, validation {row['val_loss']:.3f}"
    return (
        f"epoch {int(row['epoch'])}/{epochs}: {losses}; balanced validation accuracy % by time step {balanced}; "
        f"raw {raw}"
    )


def _by_step(row: Mapping[str, float], name: str) -> list[float]:
    """A column of the history at each time step."""
    return [value for column, value in row.items() if column.startswith(f"{name}_exit")]
