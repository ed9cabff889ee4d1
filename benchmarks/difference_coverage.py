"""Coverage of paired differences of networks, and family-wise error rate with Holm's correction, by simulation.

Each experiment draws images and observers, and the answers of four networks from one population, so that the true
difference of any two in any measure is 0. Answers, entropies and response times share the difficulty of images, so that
error consistency and correlations of response times are above 0.
"""

import argparse
import itertools
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison import agreement
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.comparison.differences import OF_NETWORKS, paired_estimates
from convrnn_experiments.comparison.estimates import bootstraps
from convrnn_experiments.comparison.exits import Match, unfitted_positions
from convrnn_experiments.comparison.options import Exits
from convrnn_experiments.comparison.sat_fits import fit_sides
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.runs.folder import write_json
from convrnn_experiments.statistics.contrast import Contrast
from convrnn_experiments.statistics.measures import CLASSES
from convrnn_experiments.statistics.sat_function import sat_accuracy
from convrnn_experiments.statistics.significance import holm, interval_p_value

TIMES = np.array([634.0, 970, 1140, 1311, 1481])
MISSES = np.array([0.60, 0.50, 0.33, 0.28, 0.23])
NETWORKS, OBSERVERS, IMAGES, STEPS = 4, 45, 96, 8
"""Numbers of networks, observers, images in each response-time block, and time steps."""
HUMAN, NETWORK = (80.0, 0.0035, 850.0), (70.0, 0.6, 0.4)
"""Asymptote, rate and intercept; of humans per ms, of networks per step."""
SHARED = 0.5
"""Share of a network's variance over images that is the difficulty for humans."""
COSTS = 2e9 + 11.6e9 * np.arange(STEPS)


def draw(rng: np.random.Generator) -> tuple[list[tuple[Answers, Contrast]], ConditionObservers]:
    """Simulate an experiment: the networks, and the observers."""
    blocks = np.repeat(np.arange(BLOCKS), IMAGES)
    labels = np.resize(np.arange(CLASSES), len(blocks))
    difficulty = rng.normal(size=len(blocks)) + 0.4 * np.random.default_rng(7).normal(size=CLASSES)[labels]
    curve = sat_accuracy(TIMES, *HUMAN) / 100
    answered = (curve - MISSES / CLASSES) / (1 - MISSES)
    ability = 0.3 * rng.normal(size=(OBSERVERS, 1))
    latent = difficulty + ability + rng.normal(size=(OBSERVERS, len(blocks)))
    right = stats.norm.cdf(latent / np.sqrt(2.25)) < answered[blocks]
    missed = rng.random(right.shape) < MISSES[blocks]
    times = (
        TIMES[blocks]
        + 60 * difficulty
        + 40 * rng.normal(size=(OBSERVERS, 1))
        + 90 * rng.normal(size=right.shape)
    )
    people = ConditionObservers(
        [str(one) for one in range(OBSERVERS)],
        scores=np.where(missed, 1 / CLASSES, right),
        correct=np.where(missed, np.nan, right),
        times=np.where(missed, np.nan, times),
        answers=np.where(missed, -1, np.where(right, labels, (labels + 1) % CLASSES)),
        missed=missed,
        blocks=blocks,
    )
    return [_network(difficulty, labels, blocks, people.scores, rng) for _ in range(NETWORKS)], people


def _network(
    difficulty: np.ndarray,
    labels: np.ndarray,
    blocks: np.ndarray,
    scores: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Answers, Contrast]:
    own = np.sqrt(SHARED) * difficulty + np.sqrt(1 - SHARED) * rng.normal(size=len(labels))
    latent = np.sqrt(0.9) * own[:, None] + np.sqrt(0.1) * rng.normal(size=(len(labels), STEPS))
    spread = np.sqrt(1 + 0.9 * SHARED * 0.16)
    steps = np.arange(1.0, STEPS + 1)
    exits = stats.norm.cdf(latent / spread) < sat_accuracy(steps, *NETWORK) / 100
    entropy = 2.7 * np.exp(-0.25 * steps * np.exp(-0.4 * own[:, None])) + 0.05 * rng.normal(size=exits.shape)
    names = np.array([""] * len(labels), dtype=object)
    answers = Answers(
        names, names, labels=labels, answers=np.where(exits, labels[:, None], (labels[:, None] + 1) % CLASSES),
        confidence=np.ones(exits.shape), entropy=entropy, levels=np.array(["0"] * len(labels), dtype=object),
        blocks=blocks,
    )  # fmt: skip
    matched = exits[np.arange(len(labels)), blocks].astype(float)
    return answers, Contrast(labels, np.zeros_like(labels), blocks, matched, exits, scores)


def experiment(seed: int, number: int) -> dict[str, list[tuple[float, float, float, float]]]:
    """Simulate an experiment, and return value, ends and p-value of every pair by measure."""
    networks, people = draw(np.random.default_rng([seed, number]))
    # Paired differences need a spread, for which fewer samples than for percentiles suffice.
    agreement.SAMPLES = 250
    match = Match(unfitted_positions(STEPS, Exits.INDEX))
    drawn = [bootstraps(answers, people, sides, match, number) for answers, sides in networks]
    fits = [fit_sides(sides, people, COSTS, "chance") for _, sides in networks]
    images = len(people.blocks) - len(np.unique(networks[0][1].strata))
    found: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for one, other in itertools.combinations(range(NETWORKS), 2):
        sides = networks[one][1], networks[other][1]
        pairs = paired_estimates(sides, (drawn[one], drawn[other]), (fits[one], fits[other]))
        for measure, estimate in pairs.items():
            p = interval_p_value(estimate, images if measure in OF_NETWORKS else OBSERVERS - 1)
            found[measure].append((estimate.value, estimate.low, estimate.high, p))
    return found


def summary(results: list[dict[str, list[tuple[float, float, float, float]]]]) -> list[dict[str, Any]]:
    """Return a row per measure: mean difference, coverage of 0, and family-wise error rates."""
    rows = []
    for measure in results[0]:
        values = np.array([result[measure] for result in results])
        known = np.isfinite(values[..., 1])
        covered = (values[..., 1] <= 0) & (values[..., 2] >= 0)
        raw, corrected = values[..., 3], np.array([holm(p) for p in values[..., 3]])
        rows.append(
            {
                "measure": measure,
                "mean": float(values[..., 0][known].mean()),
                "sd": float(values[..., 0][known].std()),
                "covered_percent": float(100 * covered[known].mean()),
                "undefined_percent": float(100 * (1 - known.mean())),
                "family_error_uncorrected_percent": float(100 * (raw < 0.05).any(axis=1).mean()),
                "family_error_holm_percent": float(100 * (corrected < 0.05).any(axis=1).mean()),
                "experiments": len(results),
            }
        )
    return rows


def main() -> None:
    """Simulate and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/difference_coverage.json"))
    arguments = parser.parse_args()
    began = time.monotonic()
    results = []
    with ProcessPoolExecutor(arguments.workers) as pool:
        numbers = range(arguments.experiments)
        for result in pool.map(experiment, itertools.repeat(arguments.seed), numbers):
            results.append(result)
            if len(results) % 50 and len(results) < arguments.experiments:
                continue
            print(f"{len(results)} experiments", flush=True)
            for row in summary(results):
                print(
                    f"  {row['measure']:34} mean {row['mean']:+8.4f}  sd {row['sd']:7.4f}  covers "
                    f"{row['covered_percent']:5.1f} %  undefined {row['undefined_percent']:.1f} %  family-wise error "
                    f"{row['family_error_uncorrected_percent']:5.1f} %, Holm {row['family_error_holm_percent']:4.1f} %",
                    flush=True,
                )
    write_json(arguments.out, {"seconds": round(time.monotonic() - began), "rows": summary(results)})


if __name__ == "__main__":
    main()
