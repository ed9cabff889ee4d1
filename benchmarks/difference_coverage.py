"""Coverage of paired differences of networks, and family-wise error rate with Holm's correction, by simulation.

Each experiment draws images and observers, and the answers of four networks. In designs of equal networks, the true
difference of any two in any measure is 0. In the others it is the mean of experiments with many more images. Answers,
entropies and response times share the difficulty of images, so that error consistency and correlations of response
times are above 0.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from common import simulate_designs, simulation_options
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison import agreement
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.comparison.differences import OF_NETWORKS, paired_estimates
from convrnn_experiments.comparison.estimates import bootstraps
from convrnn_experiments.comparison.exits import Match, unfitted_positions
from convrnn_experiments.comparison.options import Exits
from convrnn_experiments.comparison.sat_fits import SatFits
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.statistics.contrast import Contrast
from convrnn_experiments.statistics.means import mean_over
from convrnn_experiments.statistics.measures import CLASSES
from convrnn_experiments.statistics.sat_function import accuracy_range, fit_sat_function, sat_accuracy
from convrnn_experiments.statistics.significance import holm, interval_p_value

TIMES = np.array([634.0, 970, 1140, 1311, 1481])
MISSES = np.array([0.60, 0.50, 0.33, 0.28, 0.23])
STEPS = 8
"""Number of time steps."""
CATEGORY_SD = 0.4
"""Standard deviation of category effects on difficulty, in that of images."""
TRUTH_DRAWS, TRUTH_IMAGES = 20, 20
"""Number of experiments that give the true values, and how many times more images they have."""


@dataclass(frozen=True)
class Network:
    """Simulated network.

    Attributes:
        curve: Asymptote (%), rate (per step) and intercept (steps).
        shared: Share of the variance over images that is the difficulty for humans.
        categories: Standard deviation of category effects that humans do not have, in that of the other own variance.
    """

    curve: tuple[float, float, float] = (70.0, 0.6, 0.4)
    shared: float = 0.5
    categories: float = 0.0


@dataclass(frozen=True)
class Design:
    """Simulated design.

    Attributes:
        name: Name in the results.
        networks: Networks.
        observers: Number of observers.
        images: Number of images in each response-time block.
        human: Asymptote (%), rate (per ms) and intercept (ms) of human accuracy.
    """

    name: str
    networks: tuple[Network, ...]
    observers: int = 45
    images: int = 96
    human: tuple[float, float, float] = (80.0, 0.0035, 850.0)


DIFFERENT = (
    Network(categories=0.4),
    Network((60.0, 0.6, 0.4), shared=0.2, categories=0.6),
    Network((80.0, 0.9, 0.3), shared=0.8),
    Network((70.0, 0.4, 0.6), shared=0.5, categories=0.8),
)
DESIGNS = [
    Design("equal, r = 1", 4 * (Network(),)),
    Design("equal, r < 1", 4 * (Network(categories=0.6),)),
    Design("different", DIFFERENT),
    Design("different, fewer observers", DIFFERENT, observers=20),
    Design("different, more images", DIFFERENT, images=208),
]


def draw(
    design: Design, rng: np.random.Generator
) -> tuple[list[tuple[Answers, Contrast]], ConditionObservers]:
    """Simulate an experiment: the networks, and the observers."""
    blocks = np.repeat(np.arange(BLOCKS), design.images)
    labels = np.resize(np.arange(CLASSES), len(blocks))
    difficulty = rng.normal(size=len(blocks)) + CATEGORY_SD * _profile(7)[labels]
    curve = sat_accuracy(TIMES, *design.human) / 100
    answered = (curve - MISSES / CLASSES) / (1 - MISSES)
    ability = 0.3 * rng.normal(size=(design.observers, 1))
    latent = difficulty + ability + rng.normal(size=(design.observers, len(blocks)))
    right = stats.norm.cdf(latent / np.sqrt(2.25)) < answered[blocks]
    missed = rng.random(right.shape) < MISSES[blocks]
    times = (
        TIMES[blocks]
        + 60 * difficulty
        + 40 * rng.normal(size=(design.observers, 1))
        + 90 * rng.normal(size=right.shape)
    )
    people = ConditionObservers(
        [str(one) for one in range(design.observers)],
        scores=np.where(missed, 1 / CLASSES, right),
        correct=np.where(missed, np.nan, right),
        times=np.where(missed, np.nan, times),
        answers=np.where(missed, -1, np.where(right, labels, (labels + 1) % CLASSES)),
        missed=missed,
        blocks=blocks,
    )
    drawn = [_network(one, difficulty, labels, blocks, people.scores, rng) for one in design.networks]
    return drawn, people


def _profile(seed: int) -> np.ndarray:
    """Return effects of the categories, the same in all experiments, (16,)."""
    return np.random.default_rng(seed).normal(size=CLASSES)


def _network(
    network: Network,
    difficulty: np.ndarray,
    labels: np.ndarray,
    blocks: np.ndarray,
    scores: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Answers, Contrast]:
    shared = network.shared
    alone = rng.normal(size=len(labels)) + network.categories * _profile(8)[labels]
    own = np.sqrt(shared) * difficulty + np.sqrt(1 - shared) * alone
    latent = np.sqrt(0.9) * own[:, None] + np.sqrt(0.1) * rng.normal(size=(len(labels), STEPS))
    spread = np.sqrt(1 + 0.9 * (shared * CATEGORY_SD**2 + (1 - shared) * network.categories**2))
    steps = np.arange(1.0, STEPS + 1)
    exits = stats.norm.cdf(latent / spread) < sat_accuracy(steps, *network.curve) / 100
    entropy = 2.7 * np.exp(-0.25 * steps * np.exp(-0.4 * own[:, None])) + 0.05 * rng.normal(size=exits.shape)
    names = np.array([""] * len(labels), dtype=object)
    answers = Answers(
        names, names, labels=labels, answers=np.where(exits, labels[:, None], (labels[:, None] + 1) % CLASSES),
        confidence=np.ones(exits.shape), entropy=entropy,
        margin=np.exp(-entropy), levels=np.array(["0"] * len(labels), dtype=object),
        blocks=blocks,
    )  # fmt: skip
    matched = exits[np.arange(len(labels)), blocks].astype(float)
    return answers, Contrast(labels, np.zeros_like(labels), blocks, matched, exits, scores)


Found = dict[str, list[tuple[float, float, float, float]]]
"""Measure -> value, ends of the interval and p-value of every pair of networks."""


def experiment(design: Design, rng: np.random.Generator, *, samples: int = 250, seed: int = 0) -> Found:
    """Simulate an experiment, and estimate every pair of networks.

    Args:
        design: Design.
        rng: Generator of the experiment.
        samples: Number of bootstrap samples. Paired differences need a spread, for which fewer than for percentiles
            suffice.
        seed: Seed of the bootstrap.
    """
    networks, people = draw(design, rng)
    agreement.SAMPLES = samples
    match = Match(unfitted_positions(STEPS, Exits.INDEX))
    drawn = [bootstraps(answers, people, sides, match, seed) for answers, sides in networks]
    fits = [_fit(sides) for _, sides in networks]
    images = len(people.blocks) - len(np.unique(networks[0][1].strata))
    found: Found = defaultdict(list)
    for one, other in itertools.combinations(range(len(networks)), 2):
        sides = networks[one][1], networks[other][1]
        pairs = paired_estimates(sides, (drawn[one], drawn[other]), (fits[one], fits[other]))
        for measure, estimate in pairs.items():
            if measure.endswith("_cost"):
                continue
            p = interval_p_value(estimate, images if measure in OF_NETWORKS else design.observers - 1)
            found[measure].append((estimate.value, estimate.low, estimate.high, p))
    return found


def _fit(sides: Contrast) -> SatFits:
    """Fit over time steps only: fits of humans are not compared, and those over cost are the same function."""
    curve = sides.network_curve()
    steps = fit_sat_function(np.arange(1.0, STEPS + 1), curve)
    return SatFits(steps, steps, steps, accuracy_range(curve), accuracy_range(curve))


def truths(design: Design) -> dict[str, np.ndarray]:
    """Return the true difference of every pair of networks by measure: zeros, or the mean of large experiments."""
    if len(set(design.networks)) == 1:
        return defaultdict(lambda: np.zeros(1))
    large = replace(design, images=TRUTH_IMAGES * design.images)
    drawn = [
        experiment(large, np.random.default_rng([9, number]), samples=1) for number in range(TRUTH_DRAWS)
    ]
    return {
        measure: np.nanmean([[pair[0] for pair in found[measure]] for found in drawn], axis=0)
        for measure in drawn[0]
    }


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per measure: bias, coverage, and family-wise error rates."""
    drawn = [
        experiment(design, np.random.default_rng([seed, number]), seed=number)
        for number in range(experiments)
    ]
    true = truths(design)
    return [
        _row(design, measure, np.array([found[measure] for found in drawn]), true[measure])
        for measure in drawn[0]
    ]


def _row(design: Design, measure: str, values: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    """Summarise estimates (experiments, pairs, 4) of pairs with true differences (pairs,)."""
    known = np.isfinite(values[..., 1])
    covered = np.where(known, (values[..., 1] <= true) & (values[..., 2] >= true), np.nan)
    raw, corrected = values[..., 3], np.array([holm(p) for p in values[..., 3]])
    errors = np.where(known, values[..., 0] - true, np.nan)
    size = np.abs(true).mean()
    rejected = {
        f"family_error_{name}_percent": float(100 * (p < 0.05).any(axis=1).mean())
        for name, p in (("uncorrected", raw), ("holm", corrected))
        if not true.any()
    }
    return {
        "design": design.name,
        "observers": design.observers,
        "images": design.images,
        "measure": measure,
        "truth": float(size),
        "bias": float(np.nanmean(errors)),
        # Of the mean size of the true differences, so that differences that are too small are negative.
        "bias_percent": float(100 * np.nanmean(errors * np.sign(true)) / size) if size else None,
        # Differences of an experiment share its images, so experiments are the units of the standard errors.
        "bias_error_percent": float(100 * _mean_error(errors * np.sign(true)) / size) if size else None,
        "sd": float(np.nanstd(errors)),
        "covered_percent": float(100 * np.nanmean(covered)),
        "covered_error_percent": float(100 * _mean_error(covered)),
        "undefined_percent": float(100 * (1 - known.mean())),
        **rejected,
        "experiments": len(values),
    }


def _mean_error(values: np.ndarray) -> float:
    """Return the standard error of the mean over experiments and pairs, (experiments, pairs)."""
    by_experiment = mean_over(values.T)
    known = by_experiment[~np.isnan(by_experiment)]
    return float(known.std(ddof=1) / np.sqrt(len(known)))


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    bias = ""
    if row["bias_percent"] is not None:
        bias = f"{row['bias_percent']:+.1f} +- {row['bias_error_percent']:.1f} %"
    text = (
        f"{row['design']:26} {row['measure']:34} truth {row['truth']:8.4f}  bias {row['bias']:+8.4f} {bias:14}  sd "
        f"{row['sd']:7.4f}  covers {row['covered_percent']:5.1f} +- {row['covered_error_percent']:.1f} %  undefined "
        f"{row['undefined_percent']:.1f} %"
    )
    if row["bias_percent"] is not None:
        return text
    return (
        f"{text}  family-wise error {row['family_error_uncorrected_percent']:5.1f} %, Holm "
        f"{row['family_error_holm_percent']:4.1f} %"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "difference_coverage.json").parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
