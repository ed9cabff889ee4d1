"""Training a network, or its readout alone, under one regime."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_data.console import Report, silent
from convrnn_data.streams import Stream
from convrnn_experiments.checkpoints import load_state, save_state
from convrnn_experiments.config import Config
from convrnn_experiments.distribution import Processes, strategy
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.extraction import pooled_model
from convrnn_experiments.features import KeptFeatures, keep, view_order
from convrnn_experiments.objectives import (
    ExitAccuracy,
    TimeAveragedCrossentropy,
    balanced_weights,
    learning_rate,
)
from convrnn_experiments.parts import HERE, Where
from convrnn_experiments.perturbations import Perturb
from convrnn_experiments.pipeline import (
    Pictures,
    batches,
    epoch_jitter,
    epoch_rows,
    frame_of,
    pictures_of,
    rows_of_process,
    unreadable,
)
from convrnn_experiments.runs import Run, written
from convrnn_model import ConvRNNError as WeightsError
from convrnn_model import load_weights, save_weights
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
    logits = ops.cast(network.get_layer("ReadoutDense")(pooled), "float32")
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
    reached = load_state(run, state) or {"epoch": 0, "best": float("inf")}
    first, best = int(reached["epoch"]), reached["best"]
    history = run.history()[:first]
    if first:
        say(f"going on after epoch {first} of {config.epochs}")
    for epoch in range(first, config.epochs):
        history.append(run_epoch(task, config, epoch, report))
        loss = history[-1]["val_loss"]
        if not np.isfinite(loss):
            raise ConvRNNError(
                f"{run.path}: the loss is not a number after epoch {epoch + 1}; a smaller --learning-rate may help"
            )
        if processes.writes:
            if loss < best:
                save_weights(network, run.best)
            run.write_history(history)
            save_state(run, state, epoch=epoch + 1, best=min(best, loss))
            log_tensorboard(run.path / "tensorboard", history[-1])
        best = min(best, loss)
        say(epoch_line(history[-1], config.epochs))
    _finish(network, run, processes)


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
    metrics = [ExitAccuracy(index) for index in range(task.model.output_shape[1])]
    # XLA halves the speed of TensorFlow's convolutions on CPUs; JAX is nothing without it.
    compiled = "auto" if keras.backend.backend() == "jax" else False
    task.model.compile(optimizer, TimeAveragedCrossentropy(), metrics=metrics, jit_compile=compiled)
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
    """(input, labels, rows) -> (input, labels, weight of each image's class; 0 for a row of -1)."""
    table = tf.constant(weights)

    def weigh(
        images: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return images, labels, tf.where(rows >= 0, tf.gather(table, labels), 0.0)

    return shown.map(weigh)


def _finish(network: keras.Model, run: Run, processes: Processes) -> None:
    """Write last and best weights and the model; `weights.h5` comes last and says that all is there."""
    if processes.writes:
        save_weights(network, run.path / "weights_last.h5")
    processes.together("best weights are written")
    try:
        load_weights(network, run.best)
    except WeightsError as error:
        raise ConvRNNError(f"{run.best} cannot be read ({error}); --force starts the run anew") from error
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


def epoch_line(row: dict[str, float], epochs: int) -> str:
    """One epoch in one line."""
    steps = [value for name, value in row.items() if name.startswith("val_accuracy_exit")]
    shown = " ".join(f"{100 * value:.1f}" for value in steps)
    losses = f"loss {row['loss']:.3f}, validation {row['val_loss']:.3f}"
    return f"epoch {int(row['epoch'])}/{epochs}: {losses}; validation accuracy % by time step {shown}"
