"""Power predicted from the data of one design, against simulated experiments of other designs.

Components come from simulated pilot experiments of 45 observers and 70 images in each block. For other designs, the
predicted power of a difference is compared with the share of experiments whose 95 % interval excludes 0. Populations
are those of `interval_coverage.py`. With training seeds, the difference varies between seeds with a known variance.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from common import simulate_designs, simulation_options
from convrnn_experiments.statistics.contrast import Contrast, difference
from convrnn_experiments.statistics.power import Design, VarianceComponents, power
from convrnn_experiments.statistics.power import components as components_of
from convrnn_experiments.statistics.sampling_error import SampledEstimates, network_means
from interval_coverage import BLOCKS, World
from interval_coverage import Design as Population

PILOT = Population(45, 70, 0.8, 5.0, 0.9)
DESIGNS = [(45, 70), (8, 70), (20, 20), (45, 210), (60, 35)]
"""Observers, and images in each block."""
SEEDS, SEED_SD = (0, 3), 4.0
"""Numbers of training seeds, of which 0 stands for fixed networks, and their standard deviation in points."""
PILOTS = 50
SHARES = (1.5, 2.5, 3.5)
"""True differences, in predicted standard errors."""
MEAN = np.full((BLOCKS, 1), 1 / BLOCKS)
"""Weights of the mean over blocks."""


def network_curve(contrast: Contrast) -> SampledEstimates:
    """Return the accuracies of a network by block, as `Contrast.curves` does, without those of humans."""
    return network_means(100 * contrast.network, contrast.blocks, BLOCKS, contrast.strata)


MEASURES: dict[str, Callable[[Contrast, Contrast], SampledEstimates]] = {
    "accuracy, network minus humans": lambda one, other: difference(*one.curves).combine(MEAN),
    "accuracy, network minus network": lambda one, other: difference(
        network_curve(one), network_curve(other)
    ).combine(MEAN),
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
        parts = [components_of(measure(*pair)) for pair in drawn]
        means = {
            part: float(np.mean([getattr(one, part) for one in parts]))
            for part in ("images", "observers", "cells")
        }
        found[name] = replace(parts[0], **means)
    return found


def simulate(size: tuple[int, int], experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate experiments of a size, and return a row per measure, number of seeds and true difference."""
    observers, images = size
    planned, rng = pilot(PILOTS, seed), np.random.default_rng([seed + 2, observers, images])
    world = World(replace(PILOT, observers=observers, images=images))
    values: dict[str, list[tuple[float, float, float]]] = {name: [] for name in MEASURES}
    for experiment in range(experiments):
        pair = world.draw(np.random.default_rng([seed + 1, observers, images, experiment]))
        for name, measure in MEASURES.items():
            found = measure(*pair)
            values[name].append((found.values[0], found.covariance[0, 0], found.freedom[0]))
    rows = []
    for name, drawn in values.items():
        estimates, variances, freedoms = np.array(drawn).T
        for seeds in SEEDS:
            design = Design(images * BLOCKS, observers, max(seeds, 1))
            components = replace(
                planned[name],
                seeds=SEED_SD**2 if seeds else 0.0,
                strata=min(planned[name].strata, design.images // 2),
            )
            known = components.seeds / design.seeds
            widths = half_widths(variances, freedoms, known)
            # Centred on the truth, so that power can be read for any true difference.
            errors = estimates - estimates.mean() + np.sqrt(known) * rng.normal(size=experiments)
            for share in SHARES:
                true = share * components.variance(design) ** 0.5
                rows.append(
                    {
                        "measure": name,
                        "observers": observers,
                        "images_per_block": images,
                        "seeds": seeds,
                        "difference": true,
                        "predicted": power(true, components, design),
                        "simulated": float(np.mean(np.abs(errors + true) > widths)),
                        "experiments": experiments,
                    }
                )
    return rows


def half_widths(variances: np.ndarray, freedoms: np.ndarray, known: float) -> np.ndarray:
    """Return half-widths of Student's intervals with a known variance added, (experiments,)."""
    total = variances + known
    return np.asarray(stats.t.ppf(0.975, freedoms * (total / variances) ** 2) * np.sqrt(total))


def line(row: Mapping[str, Any]) -> str:
    """Format a row for a Markdown table."""
    return (
        f"| {row['measure']} | {row['observers']} | {row['images_per_block']} | {row['seeds'] or 'fixed'} | "
        f"{row['difference']:.1f} | "
        f"{100 * row['predicted']:.1f} % | {100 * row['simulated']:.1f} % |"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "power.json", experiments=10_000).parse_args()
    print("| measure | observers | images a block | seeds | difference | predicted | simulated |")
    print("|---|---|---|---|---|---|---|", flush=True)
    rows = simulate_designs(options, simulate, DESIGNS, line)
    worst = max(abs(row["predicted"] - row["simulated"]) for row in rows)
    print(f"largest difference: {100 * worst:.1f} points, of {options.experiments} experiments a design")


if __name__ == "__main__":
    main()
