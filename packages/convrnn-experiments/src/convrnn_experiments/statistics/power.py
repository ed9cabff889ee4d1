"""Power of a design: how many images, observers and training seeds a difference of a given size needs.

The variance of an estimate over a crossed design of images and observers is

    images / n_images + observers / n_observers + cells / (n_images n_observers) + seeds / n_seeds,

with components per image, per observer, per trial of an observer with an image, and per trained network. Data of one
design give the components (`components`), from which the variance of any other design follows, as in generalizability
theory (Brennan 2001, Generalizability Theory, 1.2). Power is that of the two-sided test with Student's t over
Satterthwaite's degrees of freedom, by the noncentral t distribution.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from scipy import stats

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.sampling_error import SampledEstimates

Unit = Literal["images", "observers", "seeds"]
LARGEST = 10**6
"""Largest number of units that is considered."""


@dataclass(frozen=True)
class Design:
    """Numbers of units of an experiment.

    Attributes:
        images: Number of images.
        observers: Number of observers; at least 2 if the estimate depends on observers.
        seeds: Number of networks trained with the same settings, whose estimates are averaged.
    """

    images: int
    observers: int
    seeds: int = 1


@dataclass(frozen=True)
class VarianceComponents:
    """Components of the variance of an estimate.

    Attributes:
        images: Variance per image.
        observers: Variance per observer; 0 for an estimate about networks alone.
        cells: Variance per trial, of an observer with an image.
        seeds: Variance per trained network; 0 if unknown.
        strata: Number of strata of the images, whose means the image component does not contain.
    """

    images: float
    observers: float
    cells: float
    seeds: float = 0.0
    strata: int = 1

    def variance(self, design: Design) -> float:
        """Return the variance of the estimate in a design."""
        return sum(self._parts(design))

    def freedom(self, design: Design) -> float:
        """Return Satterthwaite's degrees of freedom of the variance in a design.

        The variance between seeds is taken as known, since few networks cannot estimate it. A known part of the
        variance adds degrees of freedom.
        """
        images, observers, cells, seeds = self._parts(design)
        degrees = (max(design.images - self.strata, 1), max(design.observers - 1, 1))
        spread = sum(
            (part + cells) ** 2 / number for part, number in zip((images, observers), degrees, strict=True)
        )
        if observers + cells == 0:
            spread = images**2 / degrees[0]
        total = images + observers + cells + seeds
        return max(total**2 / spread, 1.0) if spread > 0 else math.inf

    def _parts(self, design: Design) -> tuple[float, float, float, float]:
        return (
            self.images / design.images,
            self.observers / design.observers,
            self.cells / (design.images * design.observers),
            self.seeds / design.seeds,
        )


def components(estimate: SampledEstimates, *, seed_variance: float = 0.0) -> VarianceComponents:
    """Return the variance components of a single estimate.

    Args:
        estimate: One estimate, with the contributions of the images and observers of its design.
        seed_variance: Variance of the estimate between training seeds.

    Raises:
        ConvRNNError: There is not exactly one estimate.
    """
    if len(estimate.values) != 1:
        raise ConvRNNError(
            f"cannot compute variance components: there must be one estimate, got {len(estimate.values)}. Combine them"
        )
    images, observers = len(estimate.images), len(estimate.observers)
    by_image, by_observer, by_cell = (
        float((part**2).sum()) for part in (estimate.images, estimate.observers, estimate.cells)
    )
    # Both sums contain the residual of the trials.
    return VarianceComponents(
        max(by_image - by_cell, 0.0) * images,
        max(by_observer - by_cell, 0.0) * observers,
        by_cell * images * observers,
        seed_variance,
        images - estimate.image_freedom,
    )


def power(difference: float, variance: VarianceComponents, design: Design, *, level: float = 0.05) -> float:
    """Return the probability that the two-sided test finds a true difference.

    Args:
        difference: True difference, in the units of the estimate.
        variance: Variance components.
        design: Numbers of units.
        level: Level of the test.
    """
    spread, freedom = math.sqrt(variance.variance(design)), variance.freedom(design)
    if spread == 0:
        return 1.0 if difference else level
    shift = abs(difference) / spread
    if math.isinf(freedom):
        critical = float(stats.norm.isf(level / 2))
        return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))
    critical = float(stats.t.isf(level / 2, freedom))
    return float(stats.nct.sf(critical, freedom, shift) + stats.nct.cdf(-critical, freedom, shift))


def detectable(wanted: float, variance: VarianceComponents, design: Design, *, level: float = 0.05) -> float:
    """Return the smallest true difference that the test finds with the wanted power.

    Raises:
        ConvRNNError: The power is not between the level and 1.
    """
    _require_power(wanted, level)
    low, high = 0.0, 1e-9
    while power(high, variance, design, level=level) < wanted:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if power(middle, variance, design, level=level) >= wanted else (middle, high)
        )
    return high


def required(
    unit: Unit,
    difference: float,
    wanted: float,
    variance: VarianceComponents,
    design: Design,
    *,
    level: float = 0.05,
) -> int | None:
    """Return the least number of units with which the test finds a difference with the wanted power.

    Args:
        unit: Units to add or drop; the numbers of the others are those of the design.
        difference: True difference.
        wanted: Power.
        variance: Variance components.
        design: Numbers of the other units.
        level: Level of the test.

    Returns:
        At least 2; None if `LARGEST` do not suffice, since the other units leave too much variance.

    Raises:
        ConvRNNError: The power is not between the level and 1.
    """
    _require_power(wanted, level)

    def suffices(number: int) -> bool:
        changed = replace(design, **{unit: number})
        return power(difference, variance, changed, level=level) >= wanted

    if not suffices(LARGEST):
        return None
    low, high = 1, LARGEST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def _require_power(wanted: float, level: float) -> None:
    if not level < wanted < 1:
        raise ConvRNNError(
            f"cannot plan a design: the power must be above {level:g} and below 1, got {wanted:g}. Pass 0.8"
        )
