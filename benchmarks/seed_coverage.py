"""Coverage of the intervals over training seeds, by simulation.

Each experiment draws images, observers and the networks of several seeds, whose asymptotes differ and whose errors on
images are partly their own. The interval for these images should contain the mean of all further networks on the same
images and observers, which is estimated from many of them; the interval on new images should contain the mean over
networks, images and observers, which is estimated from experiments with many more images.
"""

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

import difference_coverage
from common import simulate_designs, simulation_options
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES
from convrnn_experiments.statistics import intervals
from convrnn_experiments.statistics.contrast import Contrast, difference
from convrnn_experiments.statistics.measures import slope_weights
from convrnn_experiments.statistics.sampling_error import SampledEstimates, concatenate, network_means
from convrnn_experiments.statistics.sat_function import accuracy_range
from convrnn_experiments.statistics.training_seeds import seed_spread, spread_of_values

FURTHER = 100
"""Number of further networks on the images of each experiment."""
TRUTH_DRAWS, TRUTH_IMAGES = 10, 20
"""Number of experiments that give the true values on new images, and how many times more images they have."""


@dataclass(frozen=True)
class Design:
    """Simulated design: standard deviation of the asymptote between seeds, and numbers of images and observers."""

    sd: float
    images: int = 96
    observers: int = 45


DESIGNS = [Design(0.5), Design(4.0), Design(4.0, images=32)]
SEEDS = (3, 5, 10)
"""Numbers of seeds, of the same experiments."""
SAMPLED: dict[str, Callable[[Contrast], SampledEstimates]] = {
    "accuracy_last_step": lambda sides: network_means(
        100.0 * sides.exits[:, -1], np.zeros(len(sides.labels), dtype=int), 1, sides.strata
    ),
    "steepness_network": Contrast.network_steepness,
    "steepness_difference": lambda sides: difference(
        sides.network_steepness(), sides.human_steepness(BEEP_TIMES)
    ),
    "accuracy_range_network": lambda sides: accuracy_range(sides.network_curve()),
}


def _rmses(sides: list[Contrast]) -> list[float]:
    """Return the SAT-curve RMSE of networks on the same images; that of a `Contrast`, with one human curve for all."""
    human, codes = sides[0].curves[1], sides[0].strata
    found = []
    for one in sides:
        gaps = difference(network_means(100 * one.network, one.blocks, BLOCKS, codes), human)
        found.append(intervals.rmse(gaps.values, gaps.covariance))
    return found


def draw(design: Design, scores: np.ndarray, images: int, rng: np.random.Generator) -> list[Contrast]:
    """Simulate networks with asymptotes at standard `scores` (networks,), on the same images and observers."""
    networks = tuple(
        difference_coverage.Network((70.0 + design.sd * score, 0.6, 0.4), categories=0.4) for score in scores
    )
    simulated = difference_coverage.Design("", networks, design.observers, images)
    return [sides for _, sides in difference_coverage.draw(simulated, rng)[0]]


def _values(sides: list[Contrast]) -> dict[str, float]:
    """Return the mean of each measure over networks on the same images; without sampling errors, which take longer."""
    curves = 100 * np.array([one.exits.mean(axis=0) for one in sides])
    steepness = float((curves @ slope_weights(np.arange(curves.shape[1], dtype=float))).mean())
    return {
        "accuracy_last_step": float(curves[:, -1].mean()),
        "steepness_network": steepness,
        "steepness_difference": steepness - float(sides[0].human_steepness(BEEP_TIMES).values[0]),
        "accuracy_range_network": float(np.ptp(curves, axis=1).mean()),
        "sat_rmse": float(np.mean(_rmses(sides))),
    }


def _spaced(number: int) -> np.ndarray:
    """Return standard scores at equal steps of probability, whose mean varies less than that of random ones."""
    return stats.norm.ppf((np.arange(number) + 0.5) / number)


@functools.cache
def _truths(sd: float) -> dict[str, float]:
    """Return measure -> true mean over networks, images and observers."""
    design = Design(sd)
    large = [
        _values(draw(design, _spaced(20), TRUTH_IMAGES * design.images, np.random.default_rng([9, number])))
        for number in range(TRUTH_DRAWS)
    ]
    return {measure: float(np.mean([found[measure] for found in large])) for measure in large[0]}


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per number of seeds and measure."""
    true = _truths(design.sd)
    found: dict[tuple[int, str], list[tuple[bool, bool, float, float]]] = defaultdict(list)
    for number in range(experiments):
        rng = np.random.default_rng([seed, number])
        most = max(SEEDS)
        scores = np.concatenate([rng.normal(size=most), _spaced(FURTHER)])
        sides = draw(design, scores, design.images, rng)
        here = _values(sides[most:])
        sampled = {
            measure: concatenate([estimate(one) for one in sides[:most]])
            for measure, estimate in SAMPLED.items()
        }
        distances = _rmses(sides[:most])
        for seeds, (measure, truth) in itertools.product(SEEDS, true.items()):
            if measure in SAMPLED:
                spread = seed_spread(sampled[measure].select(np.arange(seeds)))
            else:
                spread = spread_of_values(distances[:seeds])
            mean, new = spread.mean, spread.on_new_images
            covered = mean.low <= here[measure] <= mean.high, new.low <= truth <= new.high
            found[seeds, measure].append((*covered, mean.value - truth, spread.seed_variance))
    return [
        _row(design, seeds, measure, np.array(values), true[measure])
        for (seeds, measure), values in found.items()
    ]


def _row(design: Design, seeds: int, measure: str, values: np.ndarray, truth: float) -> dict[str, Any]:
    return {
        "seeds": seeds,
        "sd": design.sd,
        "images": design.images,
        "measure": measure,
        "truth": truth,
        "bias": float(values[:, 2].mean()),
        "these_images_percent": float(100 * values[:, 0].mean()),
        "new_images_percent": float(100 * values[:, 1].mean()) if measure in SAMPLED else None,
        "seed_sd": float(np.sqrt(values[:, 3].mean())) if measure in SAMPLED else None,
        "experiments": len(values),
    }


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    new = row["new_images_percent"]
    return (
        f"{row['seeds']:2} seeds, sd {row['sd']:3.1f}, {row['images']:3} images  {row['measure']:24} truth "
        f"{row['truth']:6.2f}  bias {row['bias']:+6.2f}  covers {row['these_images_percent']:5.1f} % on these images"
        + ("" if new is None else f", {new:5.1f} % on new images  seed sd {row['seed_sd']:.2f}")
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "seed_coverage.json", experiments=300).parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
