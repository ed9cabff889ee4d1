"""Accuracies of a network without answers to single images."""

from pathlib import Path

import numpy as np

from convrnn_experiments.conditions import Regime
from convrnn_experiments.evaluation.sources import FileSource
from convrnn_experiments.rows.accuracies import AccuracyRow


def test_a_row_is_named_by_its_condition():
    source, numbers = FileSource(Path("results.json"), "form", "0" * 64, 0), np.zeros(5)
    conditions = [
        AccuracyRow("net", regime, level, numbers, numbers, numbers, source).condition
        for regime, level in ((Regime.NOISE, "0.16"), (Regime.COLOR, "c"), (Regime.GRAYSCALE, "g"))
    ]
    assert conditions == ["noise 0.16", "color", "grayscale"]
