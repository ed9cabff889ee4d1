"""Coverage of the 95 % confidence intervals of the comparison, by simulating the whole design.

Each experiment draws images and observers from populations with known accuracies, simulates the answers of two
networks and of the observers, and computes the intervals of `convrnn_experiments.statistics.contrast`. Observers miss
trials as often as in the published data, and a miss scores 1/16.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from common import simulate_designs, simulation_options
from convrnn_experiments.statistics import intervals
from convrnn_experiments.statistics.contrast import (
    BLOCKS,
    Contrast,
    correlation_difference,
    difference,
    rmse_difference,
    student,
)
from convrnn_experiments.statistics.intervals import Estimate
from convrnn_experiments.statistics.measures import CLASSES, category_correlation, sat_rmse, slope_weights

BEEPS = np.array([500.0, 900, 1100, 1300, 1500])
MISSES = np.array([0.60, 0.50, 0.33, 0.28, 0.23])
ANSWERED = np.array([0.30, 0.45, 0.62, 0.70, 0.72])
"""Mean accuracy of the answered trials by block."""
CATEGORY_SD, IMAGE_SD, OBSERVER_SD, MISS_SD = 0.13, 0.18, 0.09, 0.10
NETWORK_SD = 0.15
QUADRATURE = 100_000


@dataclass(frozen=True)
class Design:
    """Simulated design.

    Attributes:
        observers: Number of observers.
        images: Number of images in each response-time block.
        r: Approximate true category correlation of the first network; that of the second is 0.3 lower.
        rmse: True SAT-curve RMSE of the first network, in points; that of the second is 4 larger.
        shared: Correlation of image difficulty between networks and humans.
    """

    observers: int
    images: int
    r: float
    rmse: float
    shared: float


DESIGNS = [
    Design(observers, images, r, rmse, shared)
    for (observers, images), (r, rmse), shared in itertools.product(
        ((8, 70), (8, 210), (45, 70), (45, 210)), ((0.5, 15.0), (0.8, 5.0), (0.95, 0.0)), (0.0, 0.9)
    )
]


class World:
    """Populations of images and observers with known accuracies."""

    def __init__(self, design: Design) -> None:
        self.design = design
        rng = np.random.default_rng(7)
        people, first, second = _profiles(rng, (design.r, design.r - 0.3))
        self.people = CATEGORY_SD * people
        blocks = [np.roll(np.arange(CLASSES), -5 * block) for block in range(BLOCKS)]
        self.labels = np.array([np.resize(order, design.images) for order in blocks])
        weights = np.array([np.bincount(row, minlength=CLASSES) / design.images for row in self.labels])
        image, observer = IMAGE_SD * rng.normal(size=QUADRATURE), OBSERVER_SD * rng.normal(size=QUADRATURE)
        answered = np.array(
            [
                [
                    _probability(base + effect + image + observer).mean()
                    for effect in self.people
                ]
                for base in ANSWERED
            ]
        )  # fmt: skip
        self.misses = np.array(
            [_probability(miss + MISS_SD * rng.normal(size=QUADRATURE)).mean() for miss in MISSES]
        )
        accuracy = (1 - self.misses[:, None]) * answered + self.misses[:, None] / CLASSES
        curve = (weights * accuracy).sum(axis=1)
        patterns = np.array([[1, 0.8, -0.6, -1.2, 1.3], [0.7, 1, 1.2, -0.5, -1.1]])
        patterns /= np.sqrt((patterns**2).mean(axis=1, keepdims=True))
        wanted = (design.rmse / 100, (design.rmse + 4) / 100)
        self.networks = [
            _network(curve + size * pattern, NETWORK_SD * profile, weights)
            for size, pattern, profile in zip(wanted, patterns, (first, second), strict=True)
        ]
        by_category = weights / weights.sum(axis=0)
        overall = weights.mean(axis=0)
        self.truth: dict[str, Any] = {
            "people": 100 * curve,
            "networks": [100 * (weights * network).sum(axis=1) for network in self.networks],
            "categories": 100 * (by_category * accuracy).sum(axis=0),
            "network categories": [100 * (by_category * network).sum(axis=0) for network in self.networks],
            "slopes": [
                100 * (network @ overall) @ slope_weights(np.arange(BLOCKS, dtype=float))
                for network in self.networks
            ],
        }

    def draw(self, rng: np.random.Generator) -> list[Contrast]:
        """Simulate one experiment: a contrast for each of the two networks."""
        design = self.design
        blocks = np.repeat(np.arange(BLOCKS), design.images)
        labels = self.labels.ravel()
        difficulty = rng.normal(size=len(labels))
        observer = OBSERVER_SD * rng.normal(size=(design.observers, 1))
        careless = MISS_SD * rng.normal(size=(design.observers, 1))
        right = _probability(ANSWERED[blocks] + self.people[labels] + IMAGE_SD * difficulty + observer)
        scores = (rng.random(right.shape) < right).astype(float)
        scores[rng.random(right.shape) < _probability(MISSES[blocks] + careless)] = 1 / CLASSES
        own = rng.normal(size=len(labels))
        return [
            self._contrast(network, labels, blocks, difficulty, own, scores, rng) for network in self.networks
        ]

    def _contrast(
        self,
        network: np.ndarray,
        labels: np.ndarray,
        blocks: np.ndarray,
        difficulty: np.ndarray,
        own: np.ndarray,
        scores: np.ndarray,
        rng: np.random.Generator,
    ) -> Contrast:
        shared = self.design.shared
        latent = shared * difficulty + np.sqrt(1 - shared**2) * own
        mean = network[:, labels].T
        # Symmetric about the mean, which therefore remains the true value.
        probability = mean + 0.9 * np.minimum(mean, 1 - mean) * np.sign(latent)[:, None]
        exits = rng.random(probability.shape) < probability
        matched = exits[np.arange(len(labels)), blocks].astype(float)
        return Contrast(labels, np.zeros_like(labels), blocks, matched, exits, scores)


def _probability(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0.02, 0.98)


def _profiles(rng: np.random.Generator, wanted: tuple[float, float]) -> list[np.ndarray]:
    """Draw a standardised profile, and two others with given correlations to it."""
    axes = np.linalg.qr(np.column_stack([np.ones(CLASSES), rng.normal(size=(CLASSES, 3))]))[0][:, 1:].T
    people, *others = axes * np.sqrt(CLASSES)
    mixed = [r * people + np.sqrt(1 - r**2) * other for r, other in zip(wanted, others, strict=True)]
    return [people, *mixed]


def _network(curve: np.ndarray, profile: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return accuracies between 0.01 and 0.99 whose mean in each block is the curve, (blocks, categories)."""
    effects = profile - (weights @ profile)[:, None]
    room = np.minimum(curve - 0.01, 0.99 - curve) / np.abs(effects).max(axis=1)
    return curve[:, None] + effects * np.minimum(room, 1)[:, None]


def estimates(one: Contrast, other: Contrast, truth: dict[str, Any]) -> list[tuple[str, Estimate, float]]:
    """Compute the estimates of an experiment, each with the true value."""
    found: list[tuple[str, Estimate, float]] = []
    network, people = one.curves
    pairs = zip(one.network_accuracies(network, one.blocks), truth["networks"][0], strict=True)
    found += [("accuracy, network", estimate, true) for estimate, true in pairs]
    pairs = zip(one.human_accuracies(people), truth["people"], strict=True)
    found += [("accuracy, humans", estimate, true) for estimate, true in pairs]
    apart, gap = difference(network, people), truth["networks"][0] - truth["people"]
    found += [
        ("accuracy, network minus humans", student(apart.select([block])), gap[block])
        for block in range(BLOCKS)
    ]
    slopes = one.network_steepness(), one.human_steepness(BEEPS)
    true_slope = float(truth["people"] @ slope_weights(BEEPS))
    found.append(("steepness, network", student(slopes[0]), truth["slopes"][0]))
    found.append(("steepness, humans", student(slopes[1]), true_slope))
    apart = student(difference(*slopes))
    found.append(("steepness, network minus humans", apart, truth["slopes"][0] - true_slope))
    gaps = [sat_rmse(curve, truth["people"]) for curve in truth["networks"]]
    rs = [category_correlation(profile, truth["categories"]) for profile in truth["network categories"]]
    found.append(("RMSE", one.rmse(), gaps[0]))
    found.append(("RMSE, difference of networks", rmse_difference(one, other), gaps[0] - gaps[1]))
    found.append(("r", one.correlation(), rs[0]))
    found.append(("r, difference of networks", correlation_difference(one, other), rs[0] - rs[1]))
    raw = one.raw_rmse(), one.raw_correlation()
    return [
        *found,
        *(
            (name, Estimate(value, -np.inf, np.inf), true)
            for name, value, true in zip(("raw RMSE", "raw r"), raw, (gaps[0], rs[0]), strict=True)
        ),
    ]


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per estimate with coverage, bias and width of the interval."""
    world = World(design)
    seen: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for experiment in range(experiments):
        entropy = [
            seed,
            design.observers,
            design.images,
            round(100 * design.r),
            round(10 * design.shared),
            experiment,
        ]
        rng = np.random.default_rng(entropy)
        for name, found, true in estimates(*world.draw(rng), world.truth):
            seen[name].append(
                (true, found.value - true, found.low <= true, true <= found.high, found.high - found.low)
            )
    rows = []
    for name, values in seen.items():
        true, bias, above, below, width = np.array(values, dtype=float).T
        rows.append(
            asdict(design)
            | {
                "estimate": name,
                "truth": float(true.mean()),
                "bias": float(np.nanmean(bias)),
                "covered_percent": float(100 * np.mean(above * below)),
                "too_high_percent": float(100 * np.mean(1 - above)),
                "too_low_percent": float(100 * np.mean(1 - below)),
                "width": float(np.mean(width)) if np.isfinite(width).all() else None,
                "intervals": len(values),
            }
        )
    return rows


def summary(rows: list[dict[str, Any]]) -> str:
    """Format coverage and bias of each estimate over the designs as a Markdown table."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["estimate"]].append(row)
    lines = [
        "| estimate | coverage, % (minimum, mean, maximum) | largest bias | mean width |",
        "|---|---|---|---|",
    ]
    for name, designs in found.items():
        covered = [row["covered_percent"] for row in designs]
        bias = max((row["bias"] for row in designs), key=abs)
        if name.startswith("raw"):
            lines.append(f"| {name} | no interval | {bias:+.2f} | |")
            continue
        width = np.mean([row["width"] for row in designs if row["width"] is not None])
        spread = f"{min(covered):.1f}, {np.mean(covered):.1f}, {max(covered):.1f}"
        lines.append(f"| {name} | {spread} | {bias:+.2f} | {width:.2f} |")
    return "\n".join(lines)


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    return (
        f"{row['observers']} x {row['images']} r {row['r']:.2f} shared {row['shared']:.1f}  {row['estimate']:32} truth "
        f"{row['truth']:7.2f}  bias {row['bias']:6.2f}  covers {row['covered_percent']:5.1f} %  (low "
        f"{row['too_low_percent']:.1f}, high {row['too_high_percent']:.1f})"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "coverage.json").parse_args()
    print(summary(simulate_designs(options, simulate, DESIGNS, line, level=intervals.LEVEL)))


if __name__ == "__main__":
    main()
