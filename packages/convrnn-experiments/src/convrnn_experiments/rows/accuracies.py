"""Accuracies of a network by response-time block without its answers to single images, as SATBench published them."""

from dataclasses import dataclass

import numpy as np

from convrnn_experiments.conditions import Regime, condition_name
from convrnn_experiments.evaluation.sources import FileSource

REASON = "the file has accuracies without the answers to single images"


@dataclass(frozen=True)
class AccuracyRow:
    """Accuracies of a network at one level.

    Attributes:
        network: Name of the network.
        regime: Regime of the images.
        level: Level in its shortest form; c or g for color and grayscale.
        percent: Accuracy on the images of each response-time block at the exit of the block, (blocks,).
        images: Number of images of each block, (blocks,); NaN where unknown.
        multiply_adds: Multiply-adds up to the exit of each block, (blocks,); NaN where unknown.
        source: File of the accuracies.
    """

    network: str
    regime: Regime
    level: str
    percent: np.ndarray
    images: np.ndarray
    multiply_adds: np.ndarray
    source: FileSource

    @property
    def condition(self) -> str:
        """Name of the condition in tables and figures."""
        return condition_name(self.regime, self.level)
