"""Interface of the engines, and which of them are installed."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Literal, Protocol

import numpy as np

Name = Literal["tiles", "openvino", "keras"]
Precision = Literal["float32", "bfloat16"]
ENGINES: tuple[Name, ...] = ("tiles", "openvino", "keras")
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")

MODULES: dict[Name, tuple[str, str]] = {
    "tiles": ("convrnn_model.inference.tiles_engine", "pip install --upgrade convrnn-model"),
    "openvino": ("openvino", 'pip install "convrnn-model[openvino]"'),
    "keras": ("keras", 'pip install "convrnn-model[tensorflow]"'),
}
"""Module that each engine needs, and the command that installs it."""


class Engine(Protocol):
    """Computation of some operations of a network, for images of one size in batches of one size."""

    memory: int
    """Bytes of the weights in the form that the engine computes with, and of the values computed for one batch."""

    def run(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the wanted values by name, (batch, H, W, channels) or (batch, channels), float32.

        The next call may overwrite the arrays. Calls must not overlap, except those of `KerasEngine`.

        Args:
            images: (batch, H, W, channels), float32, contiguous.
        """


def missing(engine: Name) -> str | None:
    """Return the command that installs an engine, or None if it is installed."""
    module, command = MODULES[engine]
    return command if find_spec(module) is None else None
