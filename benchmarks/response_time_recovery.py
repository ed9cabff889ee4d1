"""Simulate the correlations of response times: bias, and how often their intervals contain the true value.

Network and observers share part of the difficulty of the images. The more difficult an image, the later the network
becomes certain, and the slower observers are. The true value is the correlation with as many observers on very many
images.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from common import simulate_designs, simulation_options
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.agreement import (
    BootstrapWeights,
    bootstrapped_times,
    resample,
    response_time_correlation,
)
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.statistics.measures import CLASSES
from convrnn_experiments.statistics.uncertainty import leading_evidence, uncertainty_area

STEPS = 8
IMAGE_SHARE = 0.1
"""Share of the variance of an observer's times, within blocks, that belongs to the image."""
MANY = 100
"""Number of images behind the true value, in those of a design."""


@dataclass(frozen=True)
class Design:
    """Numbers of observers and of images, and the correlation of difficulty between network and observers."""

    observers: int
    images: int
    shared: float


DESIGNS = [
    Design(observers, images, shared)
    for observers, images, shared in ((8, 400, 0.8), (8, 1200, 0.4), (45, 400, 0.4), (45, 1200, 0.8))
]


def draw(design: Design, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], ConditionObservers]:
    """Draw an experiment: the uncertainty behind each measure, and the observers."""
    count = design.images
    blocks = np.arange(count) % BLOCKS
    theirs = rng.normal(size=count)
    own = design.shared * theirs + np.sqrt(1 - design.shared**2) * rng.normal(size=count)
    steps = np.arange(1.0, STEPS + 1)
    speed = 0.3 * np.exp(-0.5 * own[:, None])
    sure = np.exp(-speed * steps)

    def noisy() -> np.ndarray:
        return sure * np.exp(0.1 * rng.normal(size=(count, STEPS)))

    unsure = noisy()
    # An answer changes until the network is nearly sure.
    answers = np.where(unsure > 0.5, rng.integers(CLASSES, size=(count, STEPS)), 0)
    confidence = 1 - 0.9 * np.minimum(unsure, 1)
    uncertainties = {
        "response_time_correlation": 2.7 * unsure,
        "response_time_area": uncertainty_area(2.7 * unsure),
        "response_time_margin": noisy() - 1,
        "response_time_accumulator": -leading_evidence(answers, confidence),
    }
    shape = design.observers, count
    slow = np.sqrt(IMAGE_SHARE) * theirs + np.sqrt(1 - IMAGE_SHARE) * rng.normal(size=shape)
    missed = rng.random(shape) < 0.1
    times = np.where(missed, np.nan, 600 + 200 * blocks + 80 * slow)
    right = np.where(missed, np.nan, 1.0)
    observers = ConditionObservers(
        [str(number) for number in range(design.observers)],
        scores=np.nan_to_num(right, nan=1 / CLASSES),
        correct=right,
        times=times,
        answers=np.where(missed, -1, 0),
        missed=missed,
        blocks=blocks,
    )
    return uncertainties, observers


def estimates(design: Design, rng: np.random.Generator, seed: int) -> dict[str, tuple[float, float, float]]:
    """Return value and ends of each measure in a drawn experiment."""
    uncertainties, observers = draw(design, rng)
    weights = resample(observers.blocks, design.observers, seed)
    found = {}
    for measure, uncertainty in uncertainties.items():
        one = response_time_correlation(bootstrapped_times(uncertainty, observers, weights, seed=seed))
        found[measure] = one.value, one.low, one.high
    return found


def truths(design: Design, seed: int) -> dict[str, float]:
    """Return the correlations on very many images."""
    many = Design(design.observers, design.images * MANY, design.shared)
    uncertainties, observers = draw(many, np.random.default_rng([seed, design.observers, design.images]))
    # Without resampling: one row of ones.
    first = BootstrapWeights(np.ones((1, many.images)), np.ones((1, many.observers)), many.images - BLOCKS)
    found = {}
    for measure, uncertainty in uncertainties.items():
        drawn = bootstrapped_times(uncertainty, observers, first, seed=seed)
        found[measure] = float("nan") if drawn is None else float(drawn.replicates[0])
    return found


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per measure with bias and coverage."""
    true = truths(design, seed)
    seen = defaultdict(list)
    for experiment in range(experiments):
        rng = np.random.default_rng([seed, design.observers, design.images, experiment + 1])
        for measure, values in estimates(design, rng, experiment).items():
            seen[measure].append(values)
    rows = []
    for measure, values in seen.items():
        value, low, high = np.array(values).T
        truth = true[measure]
        rows.append(
            asdict(design)
            | {
                "measure": measure,
                "truth": truth,
                "bias_percent": float(100 * (value.mean() / truth - 1)),
                "covered_percent": float(100 * np.mean((low <= truth) & (truth <= high))),
                "experiments": experiments,
            }
        )
    return rows


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    return (
        f"{row['observers']:2} x {row['images']:4}  shared {row['shared']}  {row['measure']:26} truth "
        f"{row['truth']:6.3f}  bias {row['bias_percent']:+6.2f} %  covers {row['covered_percent']:5.1f} %"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "response_time_recovery.json", experiments=600).parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
