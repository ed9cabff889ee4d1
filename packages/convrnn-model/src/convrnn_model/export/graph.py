"""Network and outputs to export as a computational graph."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convrnn_model.inference.frozen import FrozenNetwork
from convrnn_model.inference.operations import Operation

TO_CHANNELS_FIRST, TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(frozen=True, eq=False)
class Graph:
    """Computational graph for images of one size.

    Args:
        weights: The weights file.
        network: The network of that file.
        operations: Operations that compute the outputs.
        outputs: Names of the outputs, in order.
        image_size: Height and width, px.
        batch: Number of images; None for any number.
    """

    weights: Path
    network: FrozenNetwork
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]
    image_size: tuple[int, int]
    batch: int | None


def channels_last(value: np.ndarray) -> np.ndarray:
    """Return maps (batch, channels, H, W) as (batch, H, W, channels), and other arrays unchanged."""
    return value.transpose(TO_CHANNELS_LAST) if value.ndim == 4 else value
