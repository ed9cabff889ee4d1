"""Files of SATBench's other networks (Subramanian et al. 2025, doi 10.1167/jov.25.1.4): accuracies by block.

SCAN and MSDNet write `results.json`: level -> accuracy in percent of the images of block i at exit i, and `flops`, the
multiply-adds up to each exit. CNet writes `targets_predictions_by_exp.csv` with a line per image: model, experiment,
exit, targets, predictions, std. Its lines do not name the images, and the order of its classes is not in the file, so
that only accuracies follow.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.conditions import Regime, plain_level
from convrnn_experiments.evaluation.sources import FileSource
from convrnn_experiments.rows.accuracies import AccuracyRow
from convrnn_experiments.rows.csv_lines import CsvLines, numbers, read_csv

FLOPS = "flops"
RESULTS, CNET = "accuracies of SCAN or MSDNet", "predictions of CNet without the names of the images"
_LEVELS: dict[frozenset[str], dict[str, Regime]] = {
    frozenset({"c", "g"}): {"c": Regime.COLOR, "g": Regime.GRAYSCALE},
    frozenset({"0", "0.04", "0.16"}): dict.fromkeys(("0", "0.04", "0.16"), Regime.NOISE),
    frozenset({"0", "3", "9"}): dict.fromkeys(("0", "3", "9"), Regime.BLUR),
}
"""Levels of a file -> level -> regime. Level 0 belongs to noise and to blur, so all levels of a file decide."""
_EXPERIMENTS = {
    "color": Regime.COLOR,
    "grayscale": Regime.GRAYSCALE,
    "grayscale,random_gauss_noise": Regime.NOISE,
    "random_gauss_blur": Regime.BLUR,
}
_COLUMNS = {"model", "experiment", "exit", "targets", "predictions"}


def is_cnet(names: tuple[str, ...]) -> bool:
    """Return whether column names are those of CNet's file."""
    return set(names) >= _COLUMNS


def read_results(path: Path, network: str) -> list[AccuracyRow]:
    """Read the `results.json` of SCAN or MSDNet.

    Raises:
        OSError: The file cannot be read.
        ValueError: It has other content.
    """
    data = path.read_bytes()
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it must be valid JSON, got a damaged file ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"it must be an object of levels and accuracies, got {type(content).__name__}")
    levels = {plain_level(level): values for level, values in content.items() if level != FLOPS}
    regimes = _LEVELS.get(frozenset(levels))
    if regimes is None:
        known = "; ".join(", ".join(sorted(group)) for group in _LEVELS)
        raise ValueError(f"its levels must be one of: {known}; got {', '.join(levels) or 'none'}")
    accuracies = {level: _percent(level, values) for level, values in levels.items()}
    if max(accuracy.max() for accuracy in accuracies.values()) <= 1:
        raise ValueError("accuracies must be in percent, got none above 1, as proportions are")
    source = FileSource(path, RESULTS, hashlib.sha256(data).hexdigest(), 0)
    costs = _costs(content.get(FLOPS))
    unknown = np.full(BLOCKS, np.nan)
    return [
        AccuracyRow(network, regimes[level], level, accuracies[level], unknown, costs, source)
        for level in regimes
    ]


def _percent(level: str, values: Any) -> np.ndarray:
    numeric = isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100
        for value in values
    )
    if not numeric or len(values) != BLOCKS:
        raise ValueError(
            f"level {level} must have {BLOCKS} accuracies from 0 to 100, one for each response-time block, got "
            f"{str(values)[:80]}"
        )
    return np.array(values, dtype=float)


def _costs(values: Any) -> np.ndarray:
    """Return the costs of the first exits; NaN where the file does not give them."""
    known = isinstance(values, list) and len(values) >= BLOCKS
    if not known or not all(isinstance(value, int | float) and value > 0 for value in values):
        return np.full(BLOCKS, np.nan)
    return np.array(values[:BLOCKS], dtype=float)


def read_cnet(path: Path, network: str) -> list[AccuracyRow]:
    """Read CNet's predictions; several models in a file are networks `NAME MODEL`.

    Raises:
        OSError: The file cannot be read.
        ValueError: It has other content.
    """
    table = read_csv(path)
    cells = _cells(table)
    exits = sorted({exit for _, _, exit in cells})
    if len(exits) != BLOCKS:
        raise ValueError(
            f"it must have {BLOCKS} exits, one for each response-time block, got {', '.join(map(str, exits))}"
        )
    models = sorted({model for model, _, _ in cells})
    source = FileSource(path, CNET, hashlib.sha256(path.read_bytes()).hexdigest(), len(table.rows))
    rows = []
    for model, condition in dict.fromkeys((model, condition) for model, condition, _ in cells):
        counts = [cells.get((model, condition, exit), (0, 0)) for exit in exits]
        if any(not total for _, total in counts):
            raise ValueError(
                f"{model}, {' '.join(condition)} must have images at every exit, got none at one"
            )
        right, total = np.array(counts, dtype=float).T
        name = network if len(models) == 1 else f"{network} {model}"
        percent, unknown = 100 * right / total, np.full(BLOCKS, np.nan)
        rows.append(AccuracyRow(name, Regime(condition[0]), condition[1], percent, total, unknown, source))
    return rows


def _cells(table: CsvLines) -> dict[tuple[str, tuple[str, str], int], tuple[int, int]]:
    """Count right answers and images by model, (regime, level) and exit."""
    cells: dict[tuple[str, tuple[str, str], int], tuple[int, int]] = {}
    for model, condition, exit, right in _answers(table):
        hits, total = cells.get((model, condition, exit), (0, 0))
        cells[model, condition, exit] = hits + right, total + 1
    return cells


def _answers(table: CsvLines) -> Iterator[tuple[str, tuple[str, str], int, bool]]:
    lines = table.lines
    exits = numbers(table.column("exit"), lines, "exit")
    targets = numbers(table.column("targets"), lines, "targets")
    predictions = numbers(table.column("predictions"), lines, "predictions")
    columns = (table.column("model"), table.column("experiment"), table.optional("std"))
    for line, model, experiment, std, exit, target, prediction in zip(
        lines, *columns, exits, targets, predictions, strict=True
    ):
        regime = _EXPERIMENTS.get(experiment.strip())
        if regime is None:
            raise ValueError(
                f"line {line}: experiment must be one of {'; '.join(_EXPERIMENTS)}, got {experiment!r}"
            )
        level = {Regime.COLOR: "c", Regime.GRAYSCALE: "g"}.get(regime) or plain_level(std)
        if level in ("", "nan"):
            raise ValueError(f"line {line}: std must be the level of {experiment}, got {std!r}")
        yield model.strip(), (str(regime), level), int(exit), target == prediction
