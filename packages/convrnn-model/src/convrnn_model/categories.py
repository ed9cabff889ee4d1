"""Decisions among the 16 categories of 16-class ImageNet, from probabilities of ImageNet's or ecoset's classes."""

from collections.abc import Callable, Mapping
from functools import cache, reduce
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from convrnn_model.errors import ConvRNNError
from convrnn_model.readout import as_probabilities, class_names

Rule = Literal["average", "sum", "max"]
TARGET = "16-class"
FILES = {"imagenet": "imagenet_16-class.txt", "ecoset": "ecoset_16-class.txt"}
_REDUCTIONS: dict[str, Callable[[Any, Any], Any]] = {"average": np.add, "sum": np.add, "max": np.maximum}


def map_decisions(
    probabilities: Any,
    source: str = "imagenet",
    to: str = TARGET,
    rule: Rule = "average",
) -> np.ndarray:
    """Score the 16 categories by the probabilities of their classes.

    The decision is the category with the highest score. The scores do not sum to 1, since most classes belong to no
    category. "average" is the rule of Geirhos et al. (2018) and of their model-vs-human. Classes are added in readout
    order, one after another, in float64.

    Args:
        probabilities: (..., 1000) for ImageNet or (..., 565) for ecoset, or BL's list over time of (batch, classes).
        source: "imagenet" or "ecoset", whose classes they are.
        to: "16-class", the only mapping.
        rule: "average", "sum" or "max" of the probabilities of a category's classes.

    Returns:
        (..., 16) float64, categories in alphabetical order: the keys of `category_classes`.

    Raises:
        ConvRNNError: An argument is unknown, the number of classes is not that of the source, or a value is not a
            probability.
    """
    if to != TARGET:
        raise ConvRNNError(f"to must be {TARGET!r}, got {to!r}.")
    if rule not in _REDUCTIONS:
        raise ConvRNNError(f"rule must be {', '.join(map(repr, get_args(Rule)))}, got {rule!r}.")
    positions = _positions(source)
    values = as_probabilities(probabilities, "map_decisions")
    classes = len(class_names(source))
    if values.shape[-1:] != (classes,):
        raise ConvRNNError(
            f"probabilities of {source} must have the shape (..., {classes}), got {values.shape}. Pass the softmax of "
            f"a network with {classes} classes, or another source ({', '.join(FILES)})."
        )
    scores = np.empty((*values.shape[:-1], len(positions)))
    for label, members in enumerate(positions):
        columns = (values[..., member].astype(np.float64) for member in members)
        scores[..., label] = reduce(_REDUCTIONS[rule], columns)
    return scores / [len(members) for members in positions] if rule == "average" else scores


@cache
def category_classes(source: str = "imagenet") -> Mapping[str, tuple[str, ...]]:
    """Return the classes of each of the 16 categories, in alphabetical order of the categories.

    ImageNet's are the 202 synsets on the lists of Geirhos et al. (2018). Ecoset's were chosen by hand for this package:
    `class_names/ecoset_16-class.txt` has the rule, and what it leaves out. Ecoset has no keyboard and no oven; its
    typewriter and its stove stand in.

    Args:
        source: "imagenet" or "ecoset".

    Raises:
        ConvRNNError: The source is unknown.
    """
    if source not in FILES:
        raise ConvRNNError(f"source must be {' or '.join(map(repr, FILES))}, got {source!r}.")
    text = resources.files("convrnn_model").joinpath("class_names", FILES[source]).read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return MappingProxyType({category: tuple(classes) for category, *classes in rows})


@cache
def _positions(source: str) -> tuple[tuple[int, ...], ...]:
    """Return the positions of each category's classes in the readout, ascending."""
    position = {name: index for index, name in enumerate(class_names(source))} if source in FILES else {}
    return tuple(
        tuple(sorted(position[name] for name in classes)) for classes in category_classes(source).values()
    )
