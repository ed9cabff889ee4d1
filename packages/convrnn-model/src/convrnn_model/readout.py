"""Entropy, decisions and response times from softmax over time, and class names."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from convrnn_model.errors import ConvRNNError

WORDS = "imagenet_words.txt"
CLASS_NAMES = {"imagenet": "imagenet_categories.txt", "ecoset": "ecoset_categories.txt"}


def entropy(probabilities: Any) -> np.ndarray:
    """Compute the entropy of each distribution in nats, from 0 to log(classes).

    Args:
        probabilities: (..., classes), or a list over time of (batch, classes), as returned by BL.

    Returns:
        (...), float64 for float64 input, else float32.

    Raises:
        ConvRNNError: A value is not a probability.
    """
    values = as_probabilities(probabilities, "entropy")
    # By convention 0 log 0 = 0, so log(1) replaces log(0).
    return -np.sum(values * np.log(np.where(values > 0, values, 1)), axis=-1)


def response_times(probabilities: Any, threshold: float) -> np.ndarray:
    """Return the first time step, from 0, at which the entropy of each image is at most the threshold.

    Source: Spoerer et al. 2020, "threshold-based decisions".

    Args:
        probabilities: (time, batch, classes), or BL's list over time of (batch, classes).
        threshold: Entropy, nats. A lower threshold gives later and more confident answers.

    Returns:
        (batch,) float64 time steps; NaN for images that never reach the threshold.

    Raises:
        ConvRNNError: The shape differs, or the threshold is negative or NaN.
    """
    reached = _reached(_array(probabilities), threshold)
    return np.where(reached.any(axis=0), reached.argmax(axis=0), np.nan)


def decisions(probabilities: Any, threshold: float) -> np.ndarray:
    """Return the class predicted at the response time of each image.

    Args:
        probabilities: As for `response_times`.
        threshold: As for `response_times`.

    Returns:
        (batch,) int64 class indices; -1 for images that never reach the threshold.
    """
    values = _array(probabilities)
    reached = _reached(values, threshold)
    first = reached.argmax(axis=0)
    answers = values[first, np.arange(values.shape[1])].argmax(axis=-1)
    return np.where(reached.any(axis=0), answers, -1)


@cache
def class_names(dataset: str) -> tuple[str, ...]:
    """Return the class names in readout order.

    Args:
        dataset: "imagenet", for 1000 synsets such as n01440764, or "ecoset", for 565 such as 0001_man.

    Raises:
        ConvRNNError: The dataset is unknown.
    """
    if dataset not in CLASS_NAMES:
        raise ConvRNNError(f"dataset must be {' or '.join(CLASS_NAMES)}, got {dataset!r}.")
    text = resources.files("convrnn_model").joinpath("class_names", CLASS_NAMES[dataset])
    return tuple(text.read_text(encoding="utf-8").split())


@cache
def class_words(dataset: str) -> tuple[str, ...]:
    """Return the class names in words, in readout order.

    ImageNet's words are those of WordNet 3.0 as torchvision lists them, such as "tench" for n01440764. Ecoset's are its
    class names without the number.

    Args:
        dataset: As for `class_names`.

    Raises:
        ConvRNNError: The dataset is unknown.
    """
    if dataset != "imagenet":
        return tuple(name.partition("_")[2] for name in class_names(dataset))
    text = resources.files("convrnn_model").joinpath("class_names", WORDS).read_text(encoding="utf-8")
    return tuple(line.partition(" ")[2] for line in text.splitlines() if not line.startswith("#"))


def _reached(values: np.ndarray, threshold: float) -> np.ndarray:
    if values.ndim != 3:
        raise ConvRNNError(f"probabilities must have shape (time, batch, classes), got {values.shape}.")
    if not threshold >= 0:
        raise ConvRNNError(f"threshold must be an entropy of at least 0 nats, got {threshold!r}.")
    return entropy(values) <= threshold


def as_probabilities(probabilities: Any, function: str) -> np.ndarray:
    """Return probabilities as an array.

    Args:
        probabilities: An array or tensor, or a list of them, which is stacked.
        function: Function that takes them, for the message.

    Raises:
        ConvRNNError: A value is not a probability.
    """
    values = _array(probabilities)
    if not bool(np.all((values >= 0) & (values <= 1 + 1e-3))):
        raise ConvRNNError(
            f"{function} takes probabilities from 0 to 1, got values from {values.min()} to {values.max()}. Pass the "
            "softmax outputs, not the readouts before softmax."
        )
    return values


def _array(probabilities: Any) -> np.ndarray:
    if isinstance(probabilities, Sequence):
        return np.stack([_array_of(step) for step in probabilities])
    return _array_of(probabilities)


def _array_of(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    # Imported here, because arrays need no backend.
    from convrnn_model.backend import keras

    return np.asarray(keras.ops.convert_to_numpy(value))
