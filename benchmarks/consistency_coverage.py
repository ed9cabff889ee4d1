"""Coverage of the error consistency of single networks with humans, and of humans with each other, by simulation.

Each experiment draws images, observers and the answers of networks that share the difficulty of images with humans to
different degrees, as in `difference_coverage.py`. The true value is the mean of experiments with many more images.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from common import bias_and_coverage, simulate_designs, simulation_options
from convrnn_experiments.comparison import agreement
from convrnn_experiments.comparison.exits import nearest, unfitted_positions
from convrnn_experiments.comparison.options import Exits
from convrnn_experiments.statistics.intervals import Estimate
from difference_coverage import STEPS, Network, draw
from difference_coverage import Design as Drawn

SHARED = (0.1, 0.5, 0.9)
"""Share of the variance over images that is the difficulty for humans, of each network."""
HUMAN = (75.0, 0.0011, 500.0)
"""Asymptote (%), rate per ms and intercept (ms) of humans, who are right in 30 to 65 % of their answers."""
MANY_OBSERVERS, MANY_IMAGES, DRAWS = 100, 1000, 20
"""Numbers of observers, and of images in each block, of the experiments that give the true values, and their number."""


@dataclass(frozen=True)
class Design:
    """Numbers of observers and of images in each response-time block."""

    observers: int
    images: int


DESIGNS = [Design(8, 96), Design(45, 96), Design(20, 208)]


def estimates(design: Design, rng: np.random.Generator, seed: int) -> dict[str, Estimate]:
    """Return the estimates of a drawn experiment, by rater."""
    networks, observers = draw(_drawn(design), rng)
    weights = agreement.resample(networks[0][1].strata, design.observers, seed)
    found = {}
    for shared, (answers, _) in zip(SHARED, networks, strict=True):
        right = nearest(answers.right, answers.blocks, unfitted_positions(STEPS, Exits.INDEX))
        drawn = agreement.bootstrapped_consistency(right, answers, observers, weights)
        found[f"network, shared {shared}"] = agreement.error_consistency(
            drawn, agreement.shared_trials(answers, observers)
        )
    return found | {"humans": agreement.ceiling(networks[0][0], observers, weights)}


def _drawn(design: Design) -> Drawn:
    networks = tuple(Network(shared=shared) for shared in SHARED)
    return Drawn("single", networks, design.observers, design.images, human=HUMAN)


@cache
def truths() -> dict[str, float]:
    """Return the true value of each rater, which numbers of observers and images do not change."""
    large, samples = Design(MANY_OBSERVERS, MANY_IMAGES), agreement.SAMPLES
    agreement.SAMPLES = 0
    found = [estimates(large, np.random.default_rng([9, number]), 0) for number in range(DRAWS)]
    agreement.SAMPLES = samples
    return {rater: float(np.mean([one[rater].value for one in found])) for rater in found[0]}


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per rater with bias and coverage."""
    true = truths()
    seen = defaultdict(list)
    for number in range(experiments):
        rng = np.random.default_rng([seed, design.observers, design.images, number])
        for rater, one in estimates(design, rng, number).items():
            seen[rater].append((one.value, one.low, one.high))
    return [
        asdict(design) | {"rater": rater} | bias_and_coverage(values, true[rater])
        for rater, values in seen.items()
    ]


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    return (
        f"{row['observers']:2} x {row['images']:3}  {row['rater']:20} truth {row['truth']:.4f}  bias "
        f"{row['bias_percent']:+6.2f} +- {row['bias_error_percent']:.2f} %  width {row['width']:.2f}  covers "
        f"{row['covered_percent']:5.1f} %"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "consistency_coverage.json").parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
