"""Power predicted from the data of one design, against simulated experiments of other designs.

Components come from simulated pilot experiments of 45 observers and 70 images in each block. For other designs, the
predicted power of a difference is compared with the share of experiments whose 95 % interval excludes 0. Populations
are those of `interval_coverage.py`.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from convrnn_experiments.runs.folder import write_json
from convrnn_experiments.statistics.contrast import Contrast, difference, student
from convrnn_experiments.statistics.power import Design, VarianceComponents, components, power
from convrnn_experiments.statistics.sampling_error import SampledEstimates
from interval_coverage import BLOCKS, World
from interval_coverage import Design as Population

PILOT = Population(45, 70, 0.8, 5.0, 0.9)
DESIGNS = [(45, 70), (8, 70), (20, 20), (45, 210), (60, 35)]
"""Observers, and images in each block."""
MEASURES: dict[str, Callable[[Contrast, Contrast], SampledEstimates]] = {
    "accuracy, network minus humans": lambda one, other: difference(*one.curves).combine(
        np.full((BLOCKS, 1), 1 / BLOCKS)
    ),
    "accuracy, network minus network": lambda one, other: difference(one.curves[0], other.curves[0]).combine(
        np.full((BLOCKS, 1), 1 / BLOCKS)
    ),
    "steepness, network minus network": lambda one, other: difference(
        one.network_steepness(), other.network_steepness()
    ),
}


def pilot(experiments: int, seed: int) -> dict[str, VarianceComponents]:
    """Return the mean components of pilot experiments."""
    world, rng = World(PILOT), np.random.default_rng([seed, 0])
    drawn = [world.draw(rng) for _ in range(experiments)]
    found = {}
    for name, measure in MEASURES.items():
        parts = [components(measure(*pair)) for pair in drawn]
        means = {
            part: float(np.mean([getattr(one, part) for one in parts]))
            for part in ("images", "observers", "cells")
        }
        found[name] = replace(parts[0], **means)
    return found


def rejections(observers: int, images: int, experiments: int, seed: int) -> dict[str, list[float]]:
    """Simulate experiments; return the estimates and half-widths of their intervals, measure -> values.

    Estimates are centred on the truth, which is their mean over the experiments, so that power can be read for any true
    difference: the test finds it if |estimate + difference| exceeds the half-width.
    """
    world = World(replace(PILOT, observers=observers, images=images))
    values: dict[str, list[tuple[float, float]]] = {name: [] for name in MEASURES}
    for experiment in range(experiments):
        pair = world.draw(np.random.default_rng([seed, observers, images, experiment]))
        for name, measure in MEASURES.items():
            interval = student(measure(*pair))
            values[name].append((interval.value, (interval.high - interval.low) / 2))
    return {name: np.array(pairs).T.tolist() for name, pairs in values.items()}


def main() -> None:
    """Simulate all designs and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--pilots", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/power.json"))
    arguments = parser.parse_args()
    began = time.monotonic()
    planned, rows = pilot(arguments.pilots, arguments.seed), []
    print(
        "| measure | observers | images a block | difference | predicted | simulated |\n|---|---|---|---|---|---|"
    )
    with ProcessPoolExecutor(arguments.workers) as pool:
        jobs = pool.map(
            rejections,
            *zip(*DESIGNS, strict=True),
            itertools.repeat(arguments.experiments),
            itertools.repeat(arguments.seed + 1),
        )
        for (observers, images), found in zip(DESIGNS, jobs, strict=True):
            design = Design(images * BLOCKS, observers)
            for name, (estimates, widths) in found.items():
                variance = replace(planned[name], strata=min(planned[name].strata, design.images // 2))
                centred = np.array(estimates) - np.mean(estimates)
                for share in (1.5, 2.5, 3.5):
                    true = share * variance.variance(design) ** 0.5
                    predicted = power(true, variance, design)
                    simulated = float(np.mean(np.abs(centred + true) > widths))
                    rows.append(
                        {
                            "measure": name,
                            "observers": observers,
                            "images_per_block": images,
                            "difference": true,
                            "predicted": predicted,
                            "simulated": simulated,
                        }
                    )
                    print(
                        f"| {name} | {observers} | {images} | {true:.1f} | {100 * predicted:.1f} % | "
                        f"{100 * simulated:.1f} % |",
                        flush=True,
                    )
    worst = max(abs(row["predicted"] - row["simulated"]) for row in rows)
    print(f"largest difference: {100 * worst:.1f} points, of {arguments.experiments} experiments a design")
    write_json(arguments.out, {"seconds": round(time.monotonic() - began), "rows": rows})


if __name__ == "__main__":
    main()
