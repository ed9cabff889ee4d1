"""What training minimises and what it is judged by."""

from typing import Any

import numpy as np

from convrnn_data import CATEGORIES
from convrnn_model.backend import keras, ops


class TimeAveragedCrossentropy(keras.losses.Loss):
    """Cross-entropy of each time step's readout, averaged over time (Spoerer et al. 2020, Methods).

    Takes labels (batch,) and logits (batch, time, classes).
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each image, (batch,)."""
        labels = ops.repeat(ops.reshape(y_true, (-1, 1)), y_pred.shape[1], axis=1)
        return ops.mean(ops.sparse_categorical_crossentropy(labels, y_pred, from_logits=True), axis=-1)


class ExitAccuracy(keras.metrics.Mean):
    """Share of images that the readout at one time step gets right."""

    def __init__(self, exit_index: int, **kwargs: Any) -> None:
        super().__init__(name=f"accuracy_exit{exit_index}", **kwargs)
        self.exit_index = exit_index

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes labels (batch,) and logits (batch, time, classes)."""
        answers = ops.argmax(y_pred[:, self.exit_index], axis=-1)
        right = ops.cast(answers, "int32") == ops.cast(ops.reshape(y_true, (-1,)), "int32")
        super().update_state(ops.cast(right, "float32"), sample_weight)


def balanced_weights(labels: np.ndarray, classes: int = len(CATEGORIES)) -> np.ndarray:
    """Class weights in label order, so that every class that occurs counts the same: n / (occurring * count).

    Args:
        labels: (n,) of the training split.
        classes: how many there are.

    Returns:
        (classes,) float32; 0 for a class that does not occur. Their mean over `labels` is 1.
    """
    counts = np.bincount(labels, minlength=classes)
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)


def learning_rate(peak: float, *, schedule: str, steps: int, warmup_steps: int) -> Any:
    """Linear warm-up from 0, then `peak` for good ("constant") or half a cosine down to 0 ("cosine").

    Args:
        peak: the highest learning rate.
        schedule: "constant" or "cosine".
        steps: of the whole training.
        warmup_steps: how many of them rise.
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
