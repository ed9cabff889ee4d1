"""Bias and coverage of the ceilings among observers, by simulating experiments with further observers.

Each experiment draws images and observers. The true ceiling is measured directly with further observers on the same
images: the agreement of a second sample as large as the first with it, and of one further observer with all but one of
the first. The true value is the mean over all experiments.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from common import simulate_designs, simulation_options
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.observer_ceilings import ceilings_of
from convrnn_experiments.statistics.ceilings import row_correlations
from convrnn_experiments.statistics.contrast import observer_accuracies
from convrnn_experiments.statistics.means import mean_over
from convrnn_experiments.statistics.measures import CLASSES, slope_weights
from convrnn_experiments.statistics.sampling_error import strata

BEEPS = np.array([500.0, 900, 1100, 1300, 1500])
MISSES = np.array([0.60, 0.50, 0.33, 0.28, 0.23])
ANSWERED = np.array([0.30, 0.45, 0.62, 0.70, 0.72])
CATEGORY_SD, IMAGE_SD, OBSERVER_SD = 0.13, 0.18, 0.09
"""Standard deviations of effects on the accuracy of answered trials."""
TIME_IMAGE, TIME_OBSERVER = 0.3, 0.2
"""Share of the variance of a response time within a block due to the image, and to an observer's taste."""


@dataclass(frozen=True)
class Design:
    """Simulated design.

    Attributes:
        observers: Number of observers.
        images: Number of images in each response-time block.
        times: Whether to compute the ceilings of response times, which take longest.
    """

    observers: int
    images: int
    times: bool = True


DESIGNS = [
    Design(45, 208, times=False),
    Design(58, 96, times=False),
    Design(20, 208, times=False),
    Design(45, 96, times=False),
    Design(20, 96),
]


def draw(design: Design, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Simulate an experiment with twice the observers: scores and times (2 observers, images), labels and blocks."""
    blocks = np.repeat(np.arange(BLOCKS), design.images)
    labels = np.resize(np.arange(CLASSES), len(blocks))
    difficulty = rng.normal(size=len(blocks))
    category = CATEGORY_SD * np.random.default_rng(7).normal(size=CLASSES)
    number = 2 * design.observers
    ability = OBSERVER_SD * rng.normal(size=(number, 1))
    right = np.clip(ANSWERED[blocks] + category[labels] + IMAGE_SD * difficulty + ability, 0.02, 0.98)
    scores = (rng.random(right.shape) < right).astype(float)
    missed = rng.random(right.shape) < MISSES[blocks]
    scores[missed] = 1 / CLASSES
    rest = np.sqrt(1 - TIME_IMAGE - TIME_OBSERVER)
    slow = np.sqrt(TIME_IMAGE) * rng.normal(size=len(blocks))
    times = slow + np.sqrt(TIME_OBSERVER) * rng.normal(size=right.shape) + rest * rng.normal(size=right.shape)
    times[missed] = np.nan
    return scores, times, labels, blocks


def truths(
    scores: np.ndarray, times: np.ndarray, labels: np.ndarray, blocks: np.ndarray, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Measure the agreement of the second half of the observers with the first: both samples, and one observer."""
    n = len(scores) // 2
    curves = observer_accuracies(scores, blocks, BLOCKS)
    slopes = curves @ slope_weights(BEEPS)[:, None]
    categories = observer_accuracies(scores, labels, CLASSES)
    found: dict[str, tuple[float, float]] = {}
    for name, table in (("sat_rmse_raw", curves), ("steepness_difference", slopes)):
        # Squares, whose means over experiments are expectations, over samples of all observers.
        orders = [rng.permutation(2 * n) for _ in range(20)]
        whole = [mean_over(table[order[: n // 2]]) - mean_over(table[order[n // 2 : n]]) for order in orders]
        single = table[n:] - mean_over(table[: n - 1])
        found[name] = float(np.mean(np.square(whole))), float(np.mean(single**2))
    for name, table, ranks in (
        ("category_correlation_raw", categories, False),
        ("response_time_correlation", times, True),
    ):
        means = mean_over(table[:n])[None], mean_over(table[n:])[None]
        single = table[n : n + 5]
        rest = np.broadcast_to(mean_over(table[: n - 1]), single.shape)
        found[name] = (
            float(row_correlations(*means, ranks=ranks)[0]),
            float(mean_over(row_correlations(single, rest, ranks=ranks))),
        )
    return found


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per ceiling with bias and coverage."""
    true: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seen: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    for experiment in range(experiments):
        rng = np.random.default_rng([seed, design.observers, design.images, experiment])
        scores, times, labels, blocks = draw(design, rng)
        for name, pair in truths(scores, times, labels, blocks, rng).items():
            true[name].append(pair)
        n = design.observers
        found = ceilings_of(
            scores[:n],
            {"response_time_correlation": times[:n]} if design.times else {},
            labels=labels,
            cells=blocks,
            blocks=blocks,
            strata=strata(blocks, labels),
            rng=rng,
        )
        for name, ceiling in found.items():
            for kind in ("halves", "observer"):
                one = getattr(ceiling, kind)
                seen[name, kind].append((one.value, one.low, one.high))
    rows = []
    for (name, kind), values in seen.items():
        value, low, high = np.array(values).T
        expected = float(np.mean([pair[kind == "observer"] for pair in true[name]]))
        squared = name in ("sat_rmse_raw", "steepness_difference")
        truth = np.sqrt(expected) if squared else expected
        mean = np.sqrt(np.mean(value**2)) if squared else np.mean(value)
        rows.append(
            asdict(design)
            | {
                "measure": name,
                "ceiling": kind,
                "truth": float(truth),
                "bias_percent": float(100 * (mean / truth - 1)),
                "covered_percent": float(100 * np.mean((low <= truth) & (truth <= high))),
                "experiments": len(values),
            }
        )
    return rows


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    return (
        f"{row['observers']} x {row['images']}  {row['measure']:26} {row['ceiling']:9} truth {row['truth']:7.3f}  bias "
        f"{row['bias_percent']:+6.2f} %  covers {row['covered_percent']:5.1f} %"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "ceiling_coverage.json").parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
