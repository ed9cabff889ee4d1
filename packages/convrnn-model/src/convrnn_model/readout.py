"""From softmax over time to entropy, decisions and response times, and the categories' names."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError

CLASS_NAMES = {"imagenet": "imagenet_categories.txt", "ecoset": "ecoset_categories.txt"}


def entropy(probabilities: Any) -> np.ndarray:
    """The entropy of each distribution, in nats: from 0, sure, to log(classes), undecided.

    Args:
        probabilities: (..., classes), or a list over time of (batch, classes), as the networks answer.

    Returns:
        (...), float64 if the input is, else float32.

    Raises:
        ConvRNNError: A value is not a probability.
    """
    values = _array(probabilities)
    if not bool(np.all((values >= 0) & (values <= 1 + 1e-3))):
        raise ConvRNNError(
            f"entropy takes probabilities from 0 to 1, got values from {values.min()} to {values.max()}. Pass the "
            "softmax outputs, not the readouts before softmax."
        )
    # 0 log 0 is 0: the logarithm sees 1 where the probability is 0.
    return -np.sum(values * np.log(np.where(values > 0, values, 1)), axis=-1)


def response_times(probabilities: Any, threshold: float) -> np.ndarray:
    """The first time step, from 0, at which each image's entropy has fallen to the threshold.

    Source: Spoerer et al. 2020, "threshold-based decisions".

    Args:
        probabilities: (time, batch, classes), or BL's list over time of (batch, classes).
        threshold: Entropy, nats. The lower, the later and the surer the answers.

    Returns:
        (batch,) float64 time steps; NaN for an image that never gets there.

    Raises:
        ConvRNNError: Another shape, or a threshold that is not a number from 0.
    """
    reached = _reached(_array(probabilities), threshold)
    return np.where(reached.any(axis=0), reached.argmax(axis=0), np.nan)


def decisions(probabilities: Any, threshold: float) -> np.ndarray:
    """The category answered at each image's response time.

    Args:
        probabilities: As for `response_times`.
        threshold: As for `response_times`.

    Returns:
        (batch,) int64 indices of categories; -1 for an image that never gets to the threshold.
    """
    values = _array(probabilities)
    reached = _reached(values, threshold)
    first = reached.argmax(axis=0)
    answers = values[first, np.arange(values.shape[1])].argmax(axis=-1)
    return np.where(reached.any(axis=0), answers, -1)


@cache
def class_names(dataset: str) -> tuple[str, ...]:
    """The names of the readout's categories, in the readout's order.

    Args:
        dataset: "imagenet", for 1000 synsets such as n01440764, or "ecoset", for 565 such as 0001_man.

    Raises:
        ConvRNNError: Another dataset.
    """
    if dataset not in CLASS_NAMES:
        raise ConvRNNError(f"dataset must be {' or '.join(CLASS_NAMES)}, got {dataset!r}.")
    text = resources.files("convrnn_model").joinpath("class_names", CLASS_NAMES[dataset])
    return tuple(text.read_text(encoding="utf-8").split())


def _reached(values: np.ndarray, threshold: float) -> np.ndarray:
    if values.ndim != 3:
        raise ConvRNNError(f"probabilities must have shape (time, batch, classes), got {values.shape}.")
    if not threshold >= 0:
        raise ConvRNNError(f"threshold must be an entropy of at least 0 nats, got {threshold!r}.")
    return entropy(values) <= threshold


def _array(probabilities: Any) -> np.ndarray:
    if isinstance(probabilities, Sequence):
        return np.stack([np.asarray(keras.ops.convert_to_numpy(step)) for step in probabilities])
    return np.asarray(keras.ops.convert_to_numpy(probabilities))
