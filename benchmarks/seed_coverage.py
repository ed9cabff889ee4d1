"""Coverage of the intervals over training seeds, by simulation.

Each experiment draws images, observers and the networks of several seeds, whose asymptotes differ and whose errors on
images are partly their own. The interval for these images should contain the mean of all further networks on the same
images and observers, which is estimated from many of them; the interval on new images should contain the mean over
networks, images and observers, which is estimated from experiments with many more images, and so should that of the
difference from networks of a second group. Correlations of response times, which take longest, are computed in every
sixth experiment.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from convrnn_experiments.statistics.intervals import Estimate
from convrnn_experiments.statistics.measures import slope_weights
from convrnn_experiments.statistics.resampling import Bootstrapped
from convrnn_experiments.statistics.sampling_error import SampledEstimates, concatenate, network_means
from convrnn_experiments.statistics.sat_function import accuracy_range
from convrnn_experiments.statistics.training_seeds import (
    SamplingError,
    bootstrap_error,
    linear_error,
    seed_difference,
    seed_spread,
)

FURTHER = 100
"""Number of further networks on the images of each experiment."""
TRUTH_DRAWS, TRUTH_IMAGES = 10, 20
"""Number of experiments that give the true values on new images, and how many times more images they have."""


@dataclass(frozen=True)
class Design:
    """Simulated design.

    Attributes:
        sd: Standard deviation of the asymptote between seeds.
        images: Number of images in each response-time block.
        observers: Number of observers.
        human: Asymptote (%), rate (per ms) and intercept (ms) of human accuracy.
    """

    sd: float
    images: int = 96
    observers: int = 45
    human: tuple[float, float, float] = (80.0, 0.0035, 850.0)


DESIGNS = [
    Design(0.5),
    Design(4.0),
    Design(4.0, images=32),
    # Humans nearly as accurate as the networks, so that some RMSEs may be 0.
    Design(4.0, human=(70.0, 0.0028, 507.0)),
]
DIFFERENCE = " minus other seeds"
"""Ending of the names of differences from networks with another curve and other errors."""
SEEDS = (3, 5, 10)
"""Numbers of seeds, of the same experiments."""
SAMPLES = 250
"""Number of bootstrap samples."""
TIMES_EVERY = 6
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


def draw(
    design: Design,
    scores: np.ndarray,
    images: int,
    rng: np.random.Generator,
    *,
    others: Sequence[float] | np.ndarray = (),
) -> Drawn:
    """Simulate networks on the same images and observers.

    Args:
        design: Design.
        scores: Asymptotes of networks in standard deviations from their mean, (networks,).
        images: Number of images in each block.
        rng: Generator.
        others: Asymptotes of networks of a lower mean and with less of the difficulty for humans, which come last.
    """
    networks = [
        difference_coverage.Network((70.0 + design.sd * score, 0.6, 0.4), categories=0.4) for score in scores
    ]
    networks += [
        difference_coverage.Network((60.0 + design.sd * score, 0.6, 0.4), shared=0.2, categories=0.4)
        for score in others
    ]
    simulated = difference_coverage.Design("", tuple(networks), design.observers, images, design.human)
    return difference_coverage.draw(simulated, rng)


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
def _truths(sd: float, human: tuple[float, float, float]) -> dict[tuple[str, str], float]:
    """Return kind and measure -> true mean over networks, images and observers, or true difference."""
    design, many = Design(sd, human=human), 20
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(TRUTH_DRAWS):
        networks, people = draw(
            design,
            _spaced(many),
            TRUTH_IMAGES * design.images,
            np.random.default_rng([9, number]),
            others=_spaced(many),
        )
        first, other = (_values((group, people)) for group in (networks[:many], networks[many:]))
        for measure, value in first.items():
            found["", measure].append(value)
            found[DIFFERENCE, measure].append(value - other[measure])
    return {key: float(np.mean(values)) for key, values in found.items()}


@dataclass(frozen=True)
class Found:
    """Estimate of an experiment.

    Attributes:
        value: Mean over seeds, or difference of the means of two groups.
        new: Its interval on new images.
        covers_here: Whether the interval on these images contains the value of many further networks; NaN for
            differences, which do not have one.
        seed_variance: Variance between seeds that the images do not explain; NaN for differences.
    """

    value: float
    new: Estimate
    covers_here: float = float("nan")
    seed_variance: float = float("nan")


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per number of seeds and measure."""
    found: dict[tuple[str, str], list[Found]] = defaultdict(list)
    agreement.SAMPLES = SAMPLES
    for number in range(experiments):
        for key, one in _experiment(design, number, seed).items():
            found[key].append(one)
    true = _truths(design.sd, design.human)
    # Correlations of response times depend on the number of images, so the truth is that of these experiments.
    for name in ("", DIFFERENCE):
        most = found[f"{max(SEEDS)} seeds{name}", TIMES]
        true[name, TIMES] = float(np.mean([one.value for one in most]))
    return [
        _row(design, networks, measure, values, true[_kind(networks), measure])
        for (networks, measure), values in found.items()
    ]


def _kind(networks: str) -> str:
    return DIFFERENCE if networks.endswith(DIFFERENCE) else ""


def _experiment(design: Design, number: int, seed: int) -> dict[tuple[str, str], Found]:
    """Simulate an experiment: networks and measure -> estimate."""
    rng, most = np.random.default_rng([seed, number]), max(SEEDS)
    times = number % TIMES_EVERY == 0
    scores = np.concatenate([rng.normal(size=most), _spaced(FURTHER)])
    networks, people = draw(design, scores, design.images, rng, others=rng.normal(size=most))
    here = _values((networks[most : most + FURTHER], people), times=times, seed=number)
    tested = networks[:most], networks[most + FURTHER :]
    weights = agreement.resample(tested[0][0][1].strata, design.observers, number)
    replicates = [_replicates((group, people), weights, times=times, seed=number) for group in tested]
    sampled = [
        {measure: [estimate(sides) for _, sides in group] for measure, estimate in SAMPLED.items()}
        for group in tested
    ]
    found = {}
    for measure, value in here.items():
        if measure in SAMPLED:
            groups = [[one for one in group[measure] if one is not None] for group in sampled]
            values = [[float(one.values[0]) for one in group] for group in groups]
        else:
            groups = [group[measure] for group in replicates]
            values = [[float(one.replicates[0]) for one in group] for group in groups]
        for seeds in SEEDS:
            spread = seed_spread(values[0][:seeds], _error(groups[0][:seeds]))
            if measure == CONSISTENCY:
                trials = agreement.shared_trials(tested[0][0][0], people)
                spread = replace(spread, on_new_images=agreement.unbiased_ends(spread.on_new_images, trials))
            covers = float(spread.mean.low <= value <= spread.mean.high)
            found[f"{seeds} seeds", measure] = Found(
                spread.mean.value, spread.on_new_images, covers, spread.seed_variance
            )
            error = _error([*groups[0][:seeds], *groups[1][:seeds]])
            apart, _ = seed_difference(values[0][:seeds], values[1][:seeds], error)
            found[f"{seeds} seeds{DIFFERENCE}", measure] = Found(apart.value, apart)
    return found


def _error(found: Sequence[SampledEstimates] | Sequence[Bootstrapped]) -> SamplingError:
    linear = [one for one in found if isinstance(one, SampledEstimates)]
    bootstrapped = [one for one in found if isinstance(one, Bootstrapped)]
    return linear_error(concatenate(linear)) if linear else bootstrap_error(bootstrapped)


def _row(design: Design, networks: str, measure: str, found: Sequence[Found], truth: float) -> dict[str, Any]:
    known = [one.new for one in found if np.isfinite(one.new.low)]
    return {
        "networks": networks,
        "sd": design.sd,
        "images": design.images,
        "human_asymptote": design.human[0],
        "measure": measure,
        "truth": truth,
        "bias": float(np.mean([one.value for one in found]) - truth),
        "these_images_percent": float(100 * np.mean([one.covers_here for one in found])),
        "new_images_percent": float(100 * np.mean([one.low <= truth <= one.high for one in known])),
        "without_new_images_percent": 100 * (1 - len(known) / len(found)),
        "seed_sd": float(np.sqrt(np.mean([one.seed_variance for one in found]))),
        "experiments": len(found),
    }


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    here = ""
    if np.isfinite(row["these_images_percent"]):
        here = f"  {row['these_images_percent']:5.1f} % on these images  seed sd {row['seed_sd']:.2f}"
    return (
        f"{row['networks']:28} sd {row['sd']:3.1f}, {row['images']:3} images, humans {row['human_asymptote']:.0f} %  "
        f"{row['measure']:26} truth {row['truth']:7.3f}  bias {row['bias']:+7.3f}  covers "
        f"{row['new_images_percent']:5.1f} % on new images ({row['without_new_images_percent']:.1f} % without){here}"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "seed_coverage.json", experiments=300).parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
