"""Simulate the correlations of response times: bias, and how often their intervals contain the true value.

Network and observers share part of the difficulty of the images. The more difficult an image, the more slowly the
logit of its category grows in the network, and the slower observers are. Entropy, answer, confidence and margin come
from the same softmax over categories.

A finite experiment fits its threshold to half of its images. The true value is therefore the correlation expected on
new images, with as many observers, of a threshold fitted to that many images: the mean over many fits to other images.
The correlation at the best of all thresholds, which no finite experiment knows, is `best`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax

from common import bias_and_coverage, simulate_designs, simulation_options
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.agreement import bootstrapped_times, resample, response_time_correlation
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.statistics.correlations import rank_correlation
from convrnn_experiments.statistics.means import mean_over
from convrnn_experiments.statistics.measures import CLASSES
from convrnn_experiments.statistics.response_times import fit_threshold, response_order
from convrnn_experiments.statistics.uncertainty import confidence_margin, leading_evidence, uncertainty_area

STEPS = 8
GROWTH = 0.7
"""Logit that the category of an image of median difficulty gains in each time step."""
RIVALS, NOISE = 1.0, 0.3
"""Standard deviations of a category's logit: over images, and over the time steps of an image."""
IMAGE_SHARE = 0.1
"""Share of the variance of an observer's times, within blocks, that belongs to the image, in the median observer."""
MANY, DRAWS = 1000, 200
"""Number of images in an experiment behind the true value, and number of these experiments."""
FITS, GRID = 200, 40
"""Numbers of fits and of thresholds behind the true value."""


@dataclass(frozen=True)
class Design:
    """Numbers of observers and of images, and the correlation of difficulty between network and observers."""

    observers: int
    images: int
    shared: float


DESIGNS = [
    Design(observers, images, shared)
    for observers, images, shared in ((8, 400, 0.8), (45, 400, 0.4), (8, 1200, 0.4), (45, 1200, 0.8))
]


def draw(design: Design, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], ConditionObservers]:
    """Draw an experiment: the uncertainty behind each measure, and the observers."""
    count = design.images
    blocks = np.arange(count) % BLOCKS
    difficulty = rng.normal(size=count)
    own = design.shared * difficulty + np.sqrt(1 - design.shared**2) * rng.normal(size=count)
    shape = design.observers, count
    weight = np.minimum(np.sqrt(IMAGE_SHARE) * np.exp(0.3 * rng.normal(size=(design.observers, 1))), 0.9)
    slow = weight * difficulty + np.sqrt(1 - weight**2) * rng.normal(size=shape)
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
    return _uncertainties(own, rng), observers


def _uncertainties(difficulty: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw softmax outputs for images (images,), and return the uncertainty behind each measure."""
    count = len(difficulty)
    logits = RIVALS * rng.normal(size=(count, 1, CLASSES)) + NOISE * rng.normal(size=(count, STEPS, CLASSES))
    logits[:, :, 0] += GROWTH * np.exp(-0.5 * difficulty)[:, None] * np.arange(1.0, STEPS + 1)
    logarithms = log_softmax(logits, axis=-1)
    probabilities = np.exp(logarithms)
    entropy = -(probabilities * logarithms).sum(axis=-1)
    evidence = leading_evidence(probabilities.argmax(axis=-1), probabilities.max(axis=-1))
    return {
        "response_time_correlation": entropy,
        "response_time_area": uncertainty_area(entropy),
        "response_time_margin": -confidence_margin(probabilities),
        "response_time_accumulator": -evidence,
    }


def estimates(design: Design, rng: np.random.Generator, seed: int) -> dict[str, tuple[float, float, float]]:
    """Return value and ends of each measure in a drawn experiment."""
    uncertainties, observers = draw(design, rng)
    weights = resample(observers.blocks, design.observers, seed)
    found = {}
    for measure, uncertainty in uncertainties.items():
        one = response_time_correlation(bootstrapped_times(uncertainty, observers, weights, seed=seed))
        found[measure] = one.value, one.low, one.high
    return found


def truths(design: Design, seed: int) -> dict[str, tuple[float, float, float]]:
    """Return the true value of each measure, its standard error, and the correlation at the best threshold."""
    rng = np.random.default_rng([seed, design.observers, design.images])
    population = [_drawn_times(Design(design.observers, MANY, design.shared), rng) for _ in range(DRAWS)]
    half = Design(design.observers, design.images // 2, design.shared)
    fits = [_drawn_times(half, rng) for _ in range(FITS)]
    found = {}
    for measure, first in population[0][0].items():
        if first.ndim == 1:
            values = np.array([rank_correlation(drawn[measure], times) for drawn, times in population])
            best = values.mean()
        else:
            fitted = [fit_threshold(drawn[measure], times) for drawn, times in fits]
            grid = np.quantile(first, np.linspace(0, 1, GRID))
            # With a constant response time, a threshold does not give a correlation, which is as good as 0.
            curves = np.nan_to_num(
                [
                    [rank_correlation(response_order(drawn[measure], threshold), times) for threshold in grid]
                    for drawn, times in population
                ]
            )
            values = np.array([np.interp(fitted, grid, curve).mean() for curve in curves])
            best = curves.mean(axis=0).max()
        found[measure] = float(values.mean()), float(values.std(ddof=1) / np.sqrt(DRAWS)), float(best)
    return found


def _drawn_times(design: Design, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw an experiment, and return the uncertainties and the mean human time of each image."""
    uncertainties, observers = draw(design, rng)
    return uncertainties, mean_over(observers.standardized_times())


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
        _, low, high = np.array(values).T
        truth, error, best = true[measure]
        found = bias_and_coverage(values, truth)
        found["bias_error_percent"] = float(np.hypot(found["bias_error_percent"], 100 * error / truth))
        rows.append(
            asdict(design)
            | {"measure": measure, "best": best}
            | found
            | {
                "too_high_percent": float(100 * np.mean(low > truth)),
                "too_low_percent": float(100 * np.mean(high < truth)),
            }
        )
    return rows


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    return (
        f"{row['observers']:2} x {row['images']:4}  shared {row['shared']}  {row['measure']:26} truth "
        f"{row['truth']:6.3f} (best {row['best']:.3f})  bias {row['bias_percent']:+6.2f} +- "
        f"{row['bias_error_percent']:.2f} %  width {row['width']:.2f}  covers {row['covered_percent']:5.1f} % (high "
        f"{row['too_high_percent']:.1f}, low {row['too_low_percent']:.1f})"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "response_time_recovery.json", experiments=600).parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
