"""Answers of a network to photos at each time step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from convrnn_model.categories import category_classes, map_decisions
from convrnn_model.classify.photo import Photo
from convrnn_model.errors import ConvRNNError
from convrnn_model.inference import compile_network
from convrnn_model.preprocessing import preprocess_image
from convrnn_model.readout import class_words, entropy
from convrnn_model.variants import require_positive_integer
from convrnn_model.weights.inspection import PathLike, inspect_weights

Classes = Literal["all", "16"]


@dataclass(frozen=True)
class Answers:
    """Answers to a photo.

    Attributes:
        photo: The photo.
        names: Names of the classes.
        probabilities: (time, classes); of categories, scores divided by their sum.
        entropy: Entropy of the network's softmax over all its classes, in nats, (time,).
        largest_entropy: Entropy of equal probabilities, log(classes), in nats.
    """

    photo: Photo
    names: tuple[str, ...]
    probabilities: np.ndarray
    entropy: np.ndarray
    largest_entropy: float

    def top(self, count: int) -> list[list[tuple[str, float]]]:
        """Return the names and probabilities of the most probable classes at each time step, best first."""
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :count]
        return [
            [(self.names[label], float(step[label])) for label in labels]
            for labels, step in zip(order, self.probabilities, strict=True)
        ]

    def rows(self, count: int) -> Iterator[dict[str, str | int | float]]:
        """Yield a row for each time step and each of its most probable classes, for a CSV file."""
        for time, answers in enumerate(self.top(count)):
            for rank, (name, probability) in enumerate(answers, start=1):
                yield {
                    "photo": str(self.photo.path),
                    "time_step": time + 1,
                    "rank": rank,
                    "class": name,
                    "probability": round(probability, 6),
                    "entropy_nats": round(float(self.entropy[time]), 6),
                }


class Classifier:
    """Network of a weights file.

    Args:
        weights: HDF5 weights file.
        classes: "all" of the network, or "16" for the 16 categories of SATBench, scored by the mean probability of
            their classes (`map_decisions`).
        n_timesteps: First time steps to compute; all of the file by default.
        cumulative_readout: Compute softmax from the sum of the readouts up to each time step.

    Raises:
        ConvRNNError: The file is not a weights file, or its classes are not ImageNet's or ecoset's where categories are
            asked for.
    """

    def __init__(
        self,
        weights: PathLike,
        *,
        classes: Classes = "all",
        n_timesteps: int | None = None,
        cumulative_readout: bool = False,
    ) -> None:
        info = inspect_weights(weights)
        if classes == "16" and info.dataset is None:
            raise ConvRNNError(
                f"{weights} cannot be mapped to the 16 categories: its readout must have ImageNet's 1000 or ecoset's "
                f'565 classes, got {info.classes}. Use the classes of the network (classes="all").'
            )
        self.info = info
        self._source = info.dataset if classes == "16" else None
        self._names = _names(info.classes, info.dataset, classes)
        self._predictor = compile_network(
            weights, outputs="softmax", n_timesteps=n_timesteps, cumulative_readout=cumulative_readout
        )

    def __call__(self, photos: Sequence[Photo]) -> list[Answers]:
        """Classify photos of one size.

        Raises:
            ConvRNNError: The list of photos is empty, or the photos are too small for the network.
        """
        require_positive_integer("number of photos", len(photos))
        images = preprocess_image(np.stack([photo.image for photo in photos]))
        softmax = np.asarray(self._predictor.predict(images))
        # Networks without time steps return (images, classes).
        over_time = softmax[:, None] if softmax.ndim == 2 else softmax
        return [
            Answers(
                photo,
                self._names,
                self._shares(over_time[index]),
                entropy(over_time[index]),
                float(np.log(over_time.shape[-1])),
            )
            for index, photo in enumerate(photos)
        ]

    def _shares(self, softmax: np.ndarray) -> np.ndarray:
        if self._source is None:
            return softmax
        scores = map_decisions(softmax, self._source)
        return scores / np.maximum(scores.sum(axis=-1, keepdims=True), np.finfo(float).tiny)


def _names(number: int, dataset: str | None, classes: Classes) -> tuple[str, ...]:
    """Return the names of the classes: words where they are known, or numbers from 0."""
    categories = tuple(category_classes())
    if classes == "16" or number == len(categories):
        return categories
    if dataset is not None:
        return class_words(dataset)
    return tuple(f"class {label}" for label in range(number))
