"""Coverage of the intervals over training seeds, by simulation.

Each experiment draws images, observers and the networks of several seeds, whose asymptotes differ and whose errors on
images are partly their own. The interval for these images should contain the mean of all further networks on the same
images and observers, which is estimated from many of them; the interval on new images should contain the mean over
networks, images and observers, which is estimated from experiments with many more images. Correlations of response
times, which take longest, are computed in every third experiment.
"""

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

import difference_coverage
from common import simulate_designs, simulation_options
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison import agreement
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES, ConditionObservers
from convrnn_experiments.comparison.exits import Match, nearest, unfitted_positions
from convrnn_experiments.comparison.options import Exits
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.statistics import intervals
from convrnn_experiments.statistics.contrast import Contrast, difference
from convrnn_experiments.statistics.measures import slope_weights
from convrnn_experiments.statistics.resampling import Bootstrapped
from convrnn_experiments.statistics.sampling_error import SampledEstimates, concatenate, network_means
from convrnn_experiments.statistics.sat_function import accuracy_range
from convrnn_experiments.statistics.training_seeds import (
    SeedSpread,
    bootstrapped_spread,
    seed_spread,
    spread_of_values,
)

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
SAMPLES = 250
"""Number of bootstrap samples."""
TIMES_EVERY = 3
CONSISTENCY, TIMES = "error_consistency", "response_time_correlation"
SAMPLED: dict[str, Callable[[Contrast], SampledEstimates | None]] = {
    "accuracy_last_step": lambda sides: network_means(
        100.0 * sides.exits[:, -1], np.zeros(len(sides.labels), dtype=int), 1, sides.strata
    ),
    "steepness_network": Contrast.network_steepness,
    "steepness_difference": lambda sides: difference(
        sides.network_steepness(), sides.human_steepness(BEEP_TIMES)
    ),
    "accuracy_range_network": lambda sides: accuracy_range(sides.network_curve()),
    "sat_rmse": Contrast.sampled_rmse,
}
_MATCH = Match(unfitted_positions(difference_coverage.STEPS, Exits.INDEX))
Drawn = tuple[list[tuple[Answers, Contrast]], ConditionObservers]
"""Networks, and the observers on the same images."""


def _rmses(sides: list[Contrast]) -> list[float]:
    """Return the SAT-curve RMSE of networks on the same images; that of a `Contrast`, with one human curve for all."""
    human, codes = sides[0].curves[1], sides[0].strata
    found = []
    for one in sides:
        gaps = difference(network_means(100 * one.network, one.blocks, BLOCKS, codes), human)
        found.append(intervals.rmse(gaps.values, gaps.covariance))
    return found


def draw(design: Design, scores: np.ndarray, images: int, rng: np.random.Generator) -> Drawn:
    """Simulate networks with asymptotes at standard `scores` (networks,), on the same images and observers."""
    networks = tuple(
        difference_coverage.Network((70.0 + design.sd * score, 0.6, 0.4), categories=0.4) for score in scores
    )
    return difference_coverage.draw(difference_coverage.Design("", networks, design.observers, images), rng)


def _replicates(
    drawn: Drawn, weights: agreement.BootstrapWeights, *, times: bool, seed: int = 0
) -> dict[str, list[Bootstrapped]]:
    """Return the replicates of the measures by image of each network."""
    networks, people = drawn
    found = {
        CONSISTENCY: [
            agreement.bootstrapped_consistency(
                nearest(answers.right, answers.blocks, _MATCH.positions), answers, people, weights
            )
            for answers, _ in networks
        ]
    }
    if times:
        fitted = [
            agreement.bootstrapped_times(answers.entropy, people, weights, seed=seed)
            for answers, _ in networks
        ]
        found[TIMES] = [one for one in fitted if one is not None]
    return found


def _values(drawn: Drawn, *, times: bool = False, seed: int = 0) -> dict[str, float]:
    """Return the mean of each measure over networks on the same images; without sampling errors, which take longer."""
    sides = [one for _, one in drawn[0]]
    curves = 100 * np.array([one.exits.mean(axis=0) for one in sides])
    steepness = float((curves @ slope_weights(np.arange(curves.shape[1], dtype=float))).mean())
    images, observers = len(sides[0].labels), len(drawn[1].ids)
    unweighted = agreement.BootstrapWeights(np.ones((2, images)), np.ones((2, observers)), images)
    return {
        "accuracy_last_step": float(curves[:, -1].mean()),
        "steepness_network": steepness,
        "steepness_difference": steepness - float(sides[0].human_steepness(BEEP_TIMES).values[0]),
        "accuracy_range_network": float(np.ptp(curves, axis=1).mean()),
        "sat_rmse": float(np.mean(_rmses(sides))),
    } | {
        measure: float(np.mean([one.replicates[0] for one in replicates]))
        for measure, replicates in _replicates(drawn, unweighted, times=times, seed=seed).items()
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


Found = tuple[SeedSpread, float]
"""Estimate over seeds, and the mean over many further networks on the same images."""


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per number of seeds and measure."""
    found: dict[tuple[int, str], list[Found]] = defaultdict(list)
    agreement.SAMPLES = SAMPLES
    for number in range(experiments):
        for key, one in _experiment(design, number, seed).items():
            found[key].append(one)
    # Correlations of response times depend on the number of images, so the truth is that of these experiments.
    correlations = [spread.mean.value for spread, _ in found[max(SEEDS), TIMES]]
    true = _truths(design.sd) | {TIMES: float(np.mean(correlations))}
    return [_row(design, seeds, measure, values, true[measure]) for (seeds, measure), values in found.items()]


def _experiment(design: Design, number: int, seed: int) -> dict[tuple[int, str], Found]:
    """Simulate an experiment: number of seeds and measure -> estimate and value on the same images."""
    rng, most = np.random.default_rng([seed, number]), max(SEEDS)
    times = number % TIMES_EVERY == 0
    networks, people = draw(
        design, np.concatenate([rng.normal(size=most), _spaced(FURTHER)]), design.images, rng
    )
    here = _values((networks[most:], people), times=times, seed=number)
    first = networks[:most]
    weights = agreement.resample(first[0][1].strata, design.observers, number)
    replicates = _replicates((first, people), weights, times=times, seed=number)
    return {
        (seeds, measure): (
            bootstrapped_spread(replicates[measure][:seeds])
            if measure in replicates
            else _spread([sides for _, sides in first[:seeds]], measure),
            value,
        )
        for seeds, (measure, value) in itertools.product(SEEDS, here.items())
    }


def _spread(sides: list[Contrast], measure: str) -> SeedSpread:
    """Summarise a measure over networks, as `seed_groups` does."""
    sampled = [SAMPLED[measure](one) for one in sides]
    known = [one for one in sampled if one is not None]
    return seed_spread(concatenate(known)) if len(known) == len(sampled) else spread_of_values(_rmses(sides))


def _row(design: Design, seeds: int, measure: str, found: Sequence[Found], truth: float) -> dict[str, Any]:
    here = [spread.mean.low <= value <= spread.mean.high for spread, value in found]
    new = [spread.on_new_images for spread, _ in found]
    known = [one for one in new if np.isfinite(one.low)]
    return {
        "seeds": seeds,
        "sd": design.sd,
        "images": design.images,
        "measure": measure,
        "truth": truth,
        "bias": float(np.mean([spread.mean.value for spread, _ in found]) - truth),
        "these_images_percent": float(100 * np.mean(here)),
        "new_images_percent": float(100 * np.mean([one.low <= truth <= one.high for one in known])),
        "without_new_images_percent": 100 * (1 - len(known) / len(found)),
        "seed_sd": float(np.sqrt(np.nanmean([spread.seed_variance for spread, _ in found]))),
        "experiments": len(found),
    }


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    return (
        f"{row['seeds']:2} seeds, sd {row['sd']:3.1f}, {row['images']:3} images  {row['measure']:24} truth "
        f"{row['truth']:7.3f}  bias {row['bias']:+7.3f}  covers {row['these_images_percent']:5.1f} % on these images"
        f", {row['new_images_percent']:5.1f} % on new images ({row['without_new_images_percent']:.1f} % without)  "
        f"seed sd {row['seed_sd']:.2f}"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "seed_coverage.json", experiments=300).parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
