"""Losses, metrics, class weights and learning-rate schedule of training."""

from typing import Any

import numpy as np

from convrnn_data import CATEGORIES
from convrnn_model.backend import keras, ops

FILLER = -1
"""Label of a padding row, which gives all processes the same number of rows; excluded from every sum."""


def crossentropy(y_true: Any, y_pred: Any) -> Any:
    """Return each image's cross-entropy averaged over time, (batch,); 0 for padding.

    Args:
        y_true: Labels, (batch,); `FILLER` for padding.
        y_pred: Logits, (batch, time, classes).
    """
    labels = ops.repeat(ops.reshape(ops.maximum(y_true, 0), (-1, 1)), y_pred.shape[1], axis=1)
    losses = ops.mean(ops.sparse_categorical_crossentropy(labels, y_pred, from_logits=True), axis=-1)
    return ops.where(_is_image(y_true), losses, 0.0)


def _is_image(y_true: Any) -> Any:
    return ops.reshape(y_true, (-1,)) != FILLER


def _right(y_true: Any, y_pred: Any, exit_index: int) -> Any:
    """Return 1 if the readout of one time step is right, else 0, (batch,)."""
    answers = ops.cast(ops.argmax(y_pred[:, exit_index], axis=-1), "int32")
    return ops.cast(answers == ops.cast(ops.reshape(y_true, (-1,)), "int32"), "float32")


class TimeAveragedCrossentropy(keras.losses.Loss):
    """Cross-entropy of each time step's readout, averaged over time (Spoerer et al. 2020, Methods).

    Takes labels (batch,) and logits (batch, time, classes). The loss of a batch is the mean over its images; padding is
    excluded from both the sum and the count.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image, (batch,), scaled so that Keras' mean over rows is the mean over images."""
        images = ops.cast(_is_image(y_true), "float32")
        scale = ops.cast(ops.shape(images)[0], "float32") / ops.maximum(ops.sum(images), 1.0)
        return crossentropy(y_true, y_pred) * scale


class MeanLoss(keras.metrics.Mean):
    """Weighted cross-entropy averaged over the images of an epoch; a weighted metric.

    Keras' own mean weights each batch by its number of rows, including padding.
    """

    def __init__(self, name: str = "crossentropy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update with labels (batch,), logits (batch, time, classes) and weights (batch,)."""
        losses = crossentropy(y_true, y_pred)
        losses = losses if sample_weight is None else losses * ops.reshape(sample_weight, (-1,))
        super().update_state(losses, ops.cast(_is_image(y_true), "float32"))


class ExitAccuracy(keras.metrics.Mean):
    """Accuracy of the readout at one time step."""

    def __init__(self, exit_index: int, **kwargs: Any) -> None:
        super().__init__(name=f"accuracy_exit{exit_index}", **kwargs)
        self.exit_index = exit_index

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update with labels (batch,) and logits (batch, time, classes)."""
        right = _right(y_true, y_pred, self.exit_index)
        super().update_state(right, ops.cast(_is_image(y_true), "float32"))


class BalancedExitAccuracy(keras.metrics.Metric):
    """Accuracy of the readout at one time step, averaged over the categories that occur.

    Each category has the same weight, whatever its number of images, so a constant answer scores one category only.
    """

    def __init__(self, exit_index: int, classes: int = len(CATEGORIES), **kwargs: Any) -> None:
        super().__init__(name=f"balanced_accuracy_exit{exit_index}", **kwargs)
        self.exit_index = exit_index
        self.right = self.add_weight(shape=(classes,), initializer="zeros", name="right")
        self.seen = self.add_weight(shape=(classes,), initializer="zeros", name="seen")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update with labels (batch,) and logits (batch, time, classes)."""
        labels = ops.cast(ops.reshape(y_true, (-1, 1)), "int32")
        belongs = ops.cast(labels == ops.arange(self.seen.shape[0], dtype="int32"), "float32")
        right = _right(y_true, y_pred, self.exit_index)
        self.right.assign_add(ops.sum(belongs * right[:, None], axis=0))
        self.seen.assign_add(ops.sum(belongs, axis=0))

    def result(self) -> Any:
        """Return the mean over the categories that occurred; 0 if none did."""
        seen = ops.convert_to_tensor(self.seen)
        occurring = ops.sum(ops.cast(seen > 0, "float32"))
        return ops.sum(self.right / ops.maximum(seen, 1.0)) / ops.maximum(occurring, 1.0)


def balanced_weights(labels: np.ndarray, classes: int = len(CATEGORIES)) -> np.ndarray:
    """Return class weights that give every class that occurs the same total weight: n / (occurring * count).

    Args:
        labels: Labels of the training split, (n,).
        classes: Number of classes.

    Returns:
        (classes,) float32; 0 for a class that does not occur. The mean weight over `labels` is 1.
    """
    counts = np.bincount(labels, minlength=classes)
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)


def learning_rate(peak: float, *, schedule: str, steps: int, warmup_steps: int) -> Any:
    """Return a schedule of linear warm-up from 0, then `peak` ("constant") or half a cosine down to 0 ("cosine").

    Args:
        peak: Highest learning rate.
        schedule: "constant" or "cosine".
        steps: Number of steps of the training.
        warmup_steps: Number of warm-up steps among them.
    """
    if schedule == "constant" and not warmup_steps:
        return peak
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else peak,
        decay_steps=max(steps - warmup_steps, 1),
        alpha=1.0 if schedule == "constant" else 0.0,
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
