"""Training loop for a whole network, or for the readout on cached features."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_data.base.atomic import atomic_file
from convrnn_data.base.console import Report, silent
from convrnn_data.base.random_streams import Stream
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.extractor import pooled_model
from convrnn_experiments.features.store import ExtractionResult, FeatureStore, view_order
from convrnn_experiments.images.batches import (
    EncodedImages,
    batches,
    epoch_jitter,
    epoch_rows,
    frame_of,
    images_of_split,
    rows_of_process,
    unreadable,
)
from convrnn_experiments.images.perturbations import Perturb
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import START_OVER, Run, read_hdf5
from convrnn_experiments.runtime.process_group import ProcessGroup
from convrnn_experiments.runtime.processes import strategy
from convrnn_experiments.training.checkpoint import Progress, load_state, save_state
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

ALONE = ProcessGroup()
Echo = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """Model and data of a training run.

    Attributes:
        model: Model from the inputs of the datasets to logits (batch, time, classes).
        training: Function from an epoch to its batches of (input, labels, rows), every image once.
        validation: Batches of the validation split, the same in every epoch.
        labels: (n,) labels of the training split.
        perturbation: Layer of the model that makes random draws, if there is one.
    """

    model: keras.Model
    training: Callable[[int], tf.data.Dataset]
    validation: tf.data.Dataset
    labels: np.ndarray
    perturbation: Perturb | None = None


def whole_network_task(
    network: keras.Model,
    config: Config,
    training: EncodedImages,
    validation: EncodedImages,
    group: ProcessGroup = ALONE,
) -> Task:
    """Return the task of training on images; each epoch has a new order, new crops, flips and perturbations."""
    pooled, perturbation = pooled_model(network, config)
    model = keras.Model(pooled.inputs, _logits(network, config, pooled.output))
    frame = frame_of(config)
    size = config.batch_size // group.processes

    def own(rows: np.ndarray) -> np.ndarray:
        return rows_of_process(rows, config.batch_size, index=group.process, count=group.processes)

    def training_batches(epoch: int) -> tf.data.Dataset:
        rows = epoch_rows(len(training), seed=config.seed, epoch=epoch)
        jitter = epoch_jitter(len(training), seed=config.seed, epoch=epoch)
        return batches(training, frame, size, rows=own(rows), jitter=jitter)

    validation_batches = batches(validation, frame, size, rows=own(np.arange(len(validation))))
    return Task(model, training_batches, validation_batches, training.labels, perturbation)


def readout_task(network: keras.Model, config: Config, data: PreparedSet, features: ExtractionResult) -> Task:
    """Return the task of training the readout on cached features."""
    labels, validation_labels = (data.table(split).labels for split in ("train", "val"))
    training = FeatureStore(features.of("train"), len(labels))
    validation = FeatureStore(features.of("val"), len(validation_labels))
    pooled = keras.Input(training.shape, dtype="float32", name="pooled")
    model = keras.Model(pooled, _logits(network, config, pooled))

    def training_batches(epoch: int) -> tf.data.Dataset:
        rows = epoch_rows(len(labels), seed=config.seed, epoch=epoch)
        views = view_order(len(labels), training.views, seed=config.seed, epoch=epoch)
        return training.batches(rows, views, labels, config.batch_size)

    rows = np.arange(len(validation_labels))
    validation_batches = validation.batches(rows, np.zeros_like(rows), validation_labels, config.batch_size)
    return Task(model, training_batches, validation_batches, labels)


def _logits(network: keras.Model, config: Config, pooled: Any) -> Any:
    """Apply the readout, which all time steps share, to pooled features (batch, time, channels): logits.

    The loss applies softmax, because it can compute the logarithm exactly.
    """
    logits = ops.cast(network.get_layer(names.READOUT)(pooled), "float32")
    return ops.cumsum(logits, axis=1) if config.cumulative_readout else logits


def train(
    network: keras.Model,
    config: Config,
    run: Run,
    data: PreparedSet,
    *,
    features: ExtractionResult | None = None,
    echo: Echo,
    report: Report = silent,
    group: ProcessGroup = ALONE,
) -> None:
    """Train a network and validate it after each epoch; resumes from the run's checkpoint, if there is one.

    Args:
        network: From `runs.network.prepare_network`.
        config: From `runs.config.checked`.
        run: From `runs.folder.start`.
        data: Prepared set with a training and a validation split.
        features: Cached features, to train the readout on; the whole network is trained if None.
        echo: Prints the results of each epoch.
        report: Progress in batches.
        group: Processes that train together; the first one writes.

    Raises:
        ConvRNNError: An image cannot be decoded, the loss is not finite, or the checkpoint is corrupt.
    """
    with strategy(config.devices).scope():
        if features is not None:
            task = readout_task(network, config, data, features)
        else:
            training, validation = images_of_split(data, "train"), images_of_split(data, "val")
            task = whole_network_task(network, config, training, validation, group)
        compile_task(task, config)
    state = [*task.model.variables, *task.model.optimizer.variables]
    first, best = _restore(run, state)
    history = run.history()[:first]
    if first:
        echo(f"resuming after epoch {first} of {config.epochs}")
    for epoch in range(first, config.epochs):
        history.append(run_epoch(task, config, epoch, report))
        if not np.isfinite(history[-1]["val_loss"]):
            raise ConvRNNError(
                f"training in {run.path} diverged: the loss must be finite, got "
                f"{history[-1]['val_loss']} after epoch {epoch + 1}. Lower --learning-rate"
            )
        score = Score.of(history[-1])
        if group.is_writer:
            if score > best:
                save_weights(network, run.best)
            run.write_history(history)
            accuracy, negative_loss = max(score, best)
            progress = Progress(epoch=epoch + 1, best_accuracy=accuracy, best_loss=-negative_loss)
            save_state(run, state, progress)
            log_tensorboard(run.path / "tensorboard", history[-1])
        best = max(score, best)
        echo(epoch_line(history[-1], config.epochs))
    _finish(network, run, group)


class Score(NamedTuple):
    """Criterion for the best epoch: validation accuracy first, then validation loss.

    Attributes:
        accuracy: Balanced accuracy, mean over time steps.
        negative_loss: Negative loss.
    """

    accuracy: float = -math.inf
    negative_loss: float = -math.inf

    @classmethod
    def of(cls, row: Mapping[str, float]) -> "Score":
        """Return the score of a row of the history."""
        return cls(float(np.mean(_by_step(row, "val_balanced_accuracy"))), -row["val_loss"])


def _restore(run: Run, state: Sequence[keras.Variable]) -> tuple[int, Score]:
    """Restore a training run from its checkpoint; returns the number of completed epochs and the best score so far.

    Raises:
        ConvRNNError: The checkpoint is corrupt, or from a version that chose the best epoch by another criterion.
    """
    progress = load_state(run, state)
    if progress is None:
        return 0, Score()
    return progress.epoch, Score(progress.best_accuracy, -progress.best_loss)


def compile_task(task: Task, config: Config) -> None:
    """Compile the model of a task with the configured optimiser and the time-averaged loss."""
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
    # XLA halves the speed of TensorFlow's convolutions on CPUs; JAX depends on it.
    jit_compile = "auto" if keras.backend.backend() == "jax" else False
    task.model.compile(
        optimizer,
        TimeAveragedCrossentropy(),
        metrics=metrics,
        weighted_metrics=[MeanLoss()],
        jit_compile=jit_compile,
    )
    optimizer.build(task.model.trainable_variables)


def run_epoch(task: Task, config: Config, epoch: int, report: Report = silent) -> dict[str, float]:
    """Train for one epoch and validate; returns a row of the history."""
    start = time.monotonic()
    weights = balanced_weights(task.labels)
    training = weighted(task.training(epoch), weights)
    try:
        fitted = task.model.fit(
            training,
            initial_epoch=epoch,
            epochs=epoch + 1,
            validation_data=weighted(task.validation, weights),
            shuffle=False,  # the dataset is shuffled already
            callbacks=[_EpochStreams(task.perturbation, epoch, report, len(training))],
            verbose=0,
        )
    except tf.errors.OpError as error:
        if cause := unreadable(error, config.data):
            raise cause from error
        raise
    logs = {name: float(values[-1]) for name, values in fitted.history.items()}
    for name in ("loss", "val_loss"):
        # Keras' own loss counts padding rows, and includes the kernel penalty.
        logs[name] = logs.pop(name.replace("loss", "crossentropy"))
    rate = task.model.optimizer.learning_rate
    return {
        "epoch": epoch + 1,
        **logs,
        "learning_rate": float(rate.numpy()),
        "seconds": round(time.monotonic() - start, 3),
    }


class _EpochStreams(keras.callbacks.Callback):
    """Restarts the random streams in each epoch. Every validation draws the same noise."""

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


def weighted(dataset: tf.data.Dataset, weights: np.ndarray) -> tf.data.Dataset:
    """Map (input, labels, rows) to (input, labels, class weights); a row of -1 becomes padding."""
    table = tf.constant(weights)

    def weigh(
        images: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        real = rows >= 0
        return images, tf.where(real, labels, FILLER), tf.where(real, tf.gather(table, labels), 0.0)

    return dataset.map(weigh)


def _finish(network: keras.Model, run: Run, group: ProcessGroup) -> None:
    """Write the last and best weights, and the model. `weights.h5` comes last because it marks the run as finished."""
    if group.is_writer:
        save_weights(network, run.path / "weights_last.h5")
    group.wait("best weights are written")
    with read_hdf5(run.best, expected="a file of the best weights", remedy=START_OVER):
        pass  # reports corruption with the remedy for a training run
    try:
        load_weights(network, run.best)
    except WeightsError as error:
        raise ConvRNNError(f"cannot load {run.best}: {error} {START_OVER}") from error
    if not group.is_writer:
        return
    with atomic_file(run.path / "model.keras", keep_name=True) as path:
        network.save(path)
    save_weights(network, run.weights)


def log_tensorboard(folder: Path, row: dict[str, float]) -> None:
    """Write the results of an epoch as TensorBoard events."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=int(row["epoch"])):
        for name, value in row.items():
            tf.summary.scalar(name, value)
    writer.close()


def epoch_line(row: Mapping[str, float], epochs: int) -> str:
    """Format the results of an epoch as one line."""
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
    """Return a column of the history at each time step."""
    return [value for column, value in row.items() if column.startswith(f"{name}_exit")]
