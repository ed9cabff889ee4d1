"""Plan of an experiment: numbers of images, observers and seeds for a difference, from the variances of own data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.differences import image_order, in_order
from convrnn_experiments.statistics import contrast
from convrnn_experiments.statistics.contrast import Contrast
from convrnn_experiments.statistics.power import Design, Unit, components, detectable, power, required
from convrnn_experiments.statistics.sampling_error import SampledEstimates

HUMANS = "humans"
UNITS: tuple[Unit, ...] = ("images", "observers", "seeds")


@dataclass(frozen=True)
class Plan:
    """Numbers of units for one difference; the others are those of the data.

    Attributes:
        condition: Condition.
        network, reference: Difference of which two; the reference is another network or the humans.
        measure: Measure.
        observed: Difference in the data, in points.
        images, observers: Numbers in the data.
        power: Power for the wanted difference with the numbers of the data.
        smallest: Difference that is found with the wanted power with the numbers of the data, in points.
        images_needed, observers_needed, seeds_needed: Number for the wanted power; None if no number suffices.
    """

    condition: str
    network: str
    reference: str
    measure: str
    observed: float
    images: int
    observers: int
    power: float
    smallest: float
    images_needed: int | None
    observers_needed: int | None
    seeds_needed: int | None


def plans(
    rows: Sequence[Comparison],
    *,
    difference: float,
    wanted: float,
    seed_sd: float = 0.0,
    seeds: int = 1,
) -> list[Plan]:
    """Plan for every pair of networks in each condition, and for every network and the humans.

    Args:
        rows: Comparisons with the same observers.
        difference: True difference to find, in points.
        wanted: Power.
        seed_sd: Standard deviation of a network's measure between training seeds, in points.
        seeds: Number of networks that are trained with each configuration.
    """
    found = []
    for names, measure, estimate, row in _estimates(rows):
        of_networks = names[1] != HUMANS
        variance = components(estimate, seed_variance=(2 if of_networks else 1) * seed_sd**2)
        design = Design(row.image_count, row.observer_count, seeds)
        needed = {unit: required(unit, difference, wanted, variance, design) for unit in UNITS}
        found.append(
            Plan(
                row.condition,
                *names,
                measure,
                float(estimate.values[0]),
                design.images,
                design.observers,
                power(difference, variance, design),
                detectable(wanted, variance, design),
                needed["images"],
                needed["observers"],
                needed["seeds"],
            )
        )
    return found


def _estimates(
    rows: Sequence[Comparison],
) -> Iterator[tuple[tuple[str, str], str, SampledEstimates, Comparison]]:
    for row in rows:
        yield (row.evaluation.network, HUMANS), "accuracy", _mean_gap(*row.contrast.curves), row
    for row, reference in combinations(rows, 2):
        if row.condition != reference.condition or (order := image_order(row, reference)) is None:
            continue
        names = row.evaluation.network, reference.evaluation.network
        first, second = row.contrast, in_order(reference.contrast, order)
        for measure, estimate in _of_networks(first, second):
            if np.isfinite(estimate.values).all():
                yield names, measure, estimate, row


def _of_networks(first: Contrast, second: Contrast) -> Iterator[tuple[str, SampledEstimates]]:
    yield "accuracy", _mean_gap(first.curves[0], second.curves[0])
    yield "steepness", contrast.difference(first.network_steepness(), second.network_steepness())


def _mean_gap(first: SampledEstimates, second: SampledEstimates) -> SampledEstimates:
    """Return the difference of two curves, averaged over the response-time blocks that both have."""
    known = np.flatnonzero(np.isfinite(first.values[:BLOCKS]) & np.isfinite(second.values[:BLOCKS]))
    gaps = contrast.difference(first.select(known), second.select(known))
    return gaps.combine(np.full((len(known), 1), 1 / max(len(known), 1)))
