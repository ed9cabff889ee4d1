"""Bias and coverage of the fitted SAT functions of humans and networks, by simulating experiments with known functions.

Each experiment draws images and observers from populations whose accuracy over time is exactly a SAT function. The
observers miss trials as often as in the published data, and a miss scores 1/16; their response times vary between
observers and trials, so the times of the fit have errors of their own. Networks see the images of all blocks at every
time step; their answers at different steps are strongly correlated, and share the difficulty of images with humans.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from common import simulate_designs, simulation_options
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.statistics.contrast import student
from convrnn_experiments.statistics.intervals import Estimate
from convrnn_experiments.statistics.measures import CLASSES
from convrnn_experiments.statistics.sampling_error import (
    SampledEstimates,
    concatenate,
    network_means,
    observer_means,
    strata,
)
from convrnn_experiments.statistics.sat_function import (
    PARAMETERS,
    accuracy_range,
    fit_sat_function,
    sat_accuracy,
)

TIMES = np.array([634.0, 970, 1140, 1311, 1481])
"""Mean response times in ms."""
MISSES = np.array([0.60, 0.50, 0.33, 0.28, 0.23])
OBSERVER_MS, TRIAL_MS = 40.0, 90.0
"""Standard deviations of response times between observers and between trials."""
OBSERVER_SD, IMAGE_SD, CATEGORY_SD = 0.3, 0.6, 0.3
"""Standard deviations of effects on accuracy, in shares of the distance to the nearer end of the scale."""


@dataclass(frozen=True)
class Design:
    """Simulated design.

    Attributes:
        name: Name of the condition.
        observers: Number of observers.
        images: Number of images in each response-time block, a multiple of 16.
        human: Asymptote (%), rate (per second) and intercept (ms) of humans.
        network: Asymptote (%), rate (per step) and intercept (steps) of the network, over steps from 1.
        steps: Number of time steps.
        persistence: Correlation of a network's answers to an image between steps.
    """

    name: str
    observers: int
    images: int
    human: tuple[float, float, float]
    network: tuple[float, float, float]
    steps: int = 8
    persistence: float = 0.9


DESIGNS = [
    Design("color", 58, 208, (80.0, 3.5, 850.0), (80.0, 0.8, 0.3)),
    Design("color, fewer observers", 20, 208, (80.0, 3.5, 850.0), (70.0, 0.5, 0.5)),
    Design("blur", 45, 96, (60.0, 4.0, 860.0), (60.0, 0.7, 0.6)),
    Design("early intercept", 45, 208, (70.0, 3.0, 600.0), (75.0, 0.6, 1.2)),
    Design("hard", 45, 208, (40.0, 4.0, 880.0), (40.0, 0.6, 0.4)),
]


def shifted(mean: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Shift probabilities by effects that are symmetric about 0, so that their mean remains."""
    return np.asarray(mean + np.minimum(mean - 0.005, 0.995 - mean) * np.clip(effect, -1, 1))


def draw(
    design: Design, rng: np.random.Generator
) -> tuple[SampledEstimates, SampledEstimates, SampledEstimates]:
    """Simulate an experiment: accuracies and mean response times of humans, and accuracies of the network."""
    blocks = np.repeat(np.arange(BLOCKS), design.images)
    labels = np.resize(np.arange(CLASSES), len(blocks))
    codes = strata(blocks, labels)
    difficulty = rng.normal(size=len(blocks))
    category = CATEGORY_SD * np.resize([1.0, -1.0], CLASSES)
    asymptote, rate, intercept = design.human
    curve = sat_accuracy(TIMES, asymptote, rate / 1000, intercept) / 100
    answered = (curve - MISSES / CLASSES) / (1 - MISSES)
    ability = OBSERVER_SD * rng.normal(size=(design.observers, 1))
    right = shifted(answered[blocks], category[labels] + IMAGE_SD * difficulty + ability)
    scores = (rng.random(right.shape) < right).astype(float)
    missed = rng.random(right.shape) < MISSES[blocks]
    scores[missed] = 1 / CLASSES
    speed = OBSERVER_MS * rng.normal(size=(design.observers, 1))
    times = TIMES[blocks] + speed + TRIAL_MS * rng.normal(size=right.shape)
    times[missed] = np.nan
    latent = np.sqrt(design.persistence) * difficulty[:, None]
    latent = latent + np.sqrt(1 - design.persistence) * rng.normal(size=(len(blocks), design.steps))
    steps = np.arange(1.0, design.steps + 1)
    exits = stats.norm.cdf(latent) < sat_accuracy(steps, *design.network) / 100
    one = np.zeros(len(blocks), dtype=int)
    return (
        observer_means(100 * scores, blocks, BLOCKS, codes),
        observer_means(times, blocks, BLOCKS, codes),
        concatenate([network_means(100.0 * column, one, 1, codes) for column in exits.T]),
    )


def estimates(design: Design, rng: np.random.Generator) -> list[tuple[str, Estimate, float]]:
    """Fit both sides of an experiment, and return each estimate with the true value."""
    accuracy, times, network = draw(design, rng)
    steps = np.arange(1.0, design.steps + 1)
    asymptote, rate, intercept = design.human
    human = asymptote, rate / 1000, intercept
    found: list[tuple[str, Estimate, float]] = []
    for who, points, curve, truth in (
        ("humans", times, accuracy, human),
        ("network", steps, network, design.network),
    ):
        fit = fit_sat_function(points, curve)
        values = (fit.asymptote, fit.rate, fit.intercept)
        found += [
            (f"{name}, {who}", value, true)
            for name, value, true in zip(PARAMETERS, values, truth, strict=True)
        ]
        true_curve = sat_accuracy(TIMES if who == "humans" else steps, *truth)
        found.append((f"range, {who}", student(accuracy_range(curve)), float(np.ptp(true_curve))))
    return found


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per estimate with bias, coverage and share of undefined fits."""
    seen: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for experiment in range(experiments):
        rng = np.random.default_rng([seed, DESIGNS.index(design) if design in DESIGNS else 99, experiment])
        for name, found, true in estimates(design, rng):
            seen[name].append((true, found.value, found.low, found.high))
    rows = []
    for name, values in seen.items():
        true, value, low, high = np.array(values).T
        known = np.isfinite(value)
        rows.append(
            {**asdict(design), "design": design.name}
            | {
                "estimate": name,
                "truth": float(true[0]),
                "mean": float(value[known].mean()),
                "bias_percent": float(100 * (value[known].mean() / true[0] - 1)),
                "median_bias_percent": float(100 * (np.median(value[known]) / true[0] - 1)),
                "covered_percent": float(100 * np.mean((low <= true)[known] & (true <= high)[known])),
                "undefined_percent": float(100 * np.mean(~known)),
                "experiments": len(values),
            }
        )
    return rows


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    return (
        f"{row['design']:24} {row['estimate']:22} truth {row['truth']:8.4g}  bias {row['bias_percent']:+6.2f} % "
        f"(median {row['median_bias_percent']:+6.2f} %)  covers {row['covered_percent']:5.1f} %  undefined "
        f"{row['undefined_percent']:.1f} %"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "sat_coverage.json").parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
