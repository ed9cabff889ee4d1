"""SAT functions fitted to a network and to humans in one condition."""

from dataclasses import dataclass

import numpy as np

from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.statistics.contrast import Contrast, difference, student
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate, difference_interval
from convrnn_experiments.statistics.sampling_error import SampledEstimates, concatenate, observer_means
from convrnn_experiments.statistics.sat_function import (
    CHANCE,
    PARAMETERS,
    SatFit,
    accuracy_range,
    fit_sat_function,
)

BILLION = 1e9
NETWORK_MEASURES = (
    "sat_asymptote_network",
    "sat_rate_network",
    "sat_intercept_network",
    "sat_rate_network_cost",
    "sat_intercept_network_cost",
    "accuracy_range_network",
)
"""Measures of `SatFits` that belong to the network."""
_SECOND = 1000.0


@dataclass(frozen=True)
class SatFits:
    """Fitted SAT functions of a network and of humans.

    Attributes:
        steps: Fit to the network over time steps, from 1.
        cost: Fit to the network over billions of multiply-adds.
        humans: Fit to humans over mean response times in seconds.
        network_range: Highest minus lowest accuracy of the network, (1,).
        human_range: Highest minus lowest accuracy of humans, (1,).
    """

    steps: SatFit
    cost: SatFit
    humans: SatFit
    network_range: SampledEstimates
    human_range: SampledEstimates

    def estimates(self) -> dict[str, Estimate]:
        """Return measure -> estimate; intercepts of humans in ms."""
        intercept = self.humans.intercept
        return {
            "sat_asymptote_network": self.steps.asymptote,
            "sat_asymptote_people": self.humans.asymptote,
            "sat_rate_network": self.steps.rate,
            "sat_rate_network_cost": self.cost.rate,
            "sat_rate_people": self.humans.rate,
            "sat_intercept_network": self.steps.intercept,
            "sat_intercept_network_cost": self.cost.intercept,
            "sat_intercept_people": Estimate(
                *(_SECOND * end for end in (intercept.value, intercept.low, intercept.high))
            ),
            "accuracy_range_network": _within_range(student(self.network_range)),
            "accuracy_range_people": _within_range(student(self.human_range)),
        }

    def reasons(self) -> dict[str, str]:
        """Return measure -> reason why it is undefined, for those of a fit."""
        found = {}
        for measure in self.estimates():
            if measure.startswith("sat_"):
                fit = self.humans if measure.endswith("people") else self._network_fit(measure)
                found[measure] = fit.reason
        return found

    def _network_fit(self, measure: str) -> SatFit:
        return self.cost if measure.endswith("cost") else self.steps

    def __sub__(self, other: "SatFits") -> dict[str, Estimate]:
        """Return measure -> paired difference of two networks on the same images."""
        found = {}
        for measure in NETWORK_MEASURES[:-1]:
            first, second = self._network_fit(measure), other._network_fit(measure)
            found[measure] = _fit_difference(first, second, measure.split("_")[1])
        apart = difference(self.network_range, other.network_range)
        found[NETWORK_MEASURES[-1]] = student(apart)
        return found


def fit_sides(
    contrast: Contrast, observers: ConditionObservers, multiply_adds: np.ndarray, misses: str
) -> SatFits:
    """Fit SAT functions to both sides.

    A network is fitted on all images at every time step, humans on the images of each response-time block at the mean
    response time of the block.

    Args:
        contrast: Both sides on the same images.
        observers: Observers, for their response times.
        multiply_adds: Multiply-adds per image up to each time step, (time,).
        misses: Convention for missed trials. Where they are "wrong", human accuracy begins at 0 instead of chance.
    """
    curve = contrast.network_curve()
    human = contrast.curves[1]
    times = observer_means(observers.times / _SECOND, contrast.blocks, BLOCKS, contrast.strata)
    return SatFits(
        fit_sat_function(np.arange(1.0, len(curve.values) + 1), curve),
        fit_sat_function(multiply_adds / BILLION, curve),
        fit_sat_function(times, human, floor=0.0 if misses == "wrong" else CHANCE),
        accuracy_range(curve),
        accuracy_range(human),
    )


def _fit_difference(first: SatFit, second: SatFit, parameter: str) -> Estimate:
    """Return the difference of a parameter from both intervals and the correlation of the errors."""
    one, other = getattr(first, parameter), getattr(second, parameter)
    if first.errors is None or second.errors is None:
        return UNDEFINED
    place = PARAMETERS.index(parameter)
    covariance = concatenate([first.errors.select([place]), second.errors.select([place])]).covariance
    scale = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    correlation = float(np.clip(covariance[0, 1] / scale, -1, 1)) if scale > 0 else 0.0
    return difference_interval(one, other, correlation)


def _within_range(found: Estimate) -> Estimate:
    """Limit an interval to the possible ranges of accuracy, 0 to 100 points."""
    return Estimate(found.value, max(found.low, 0.0), min(found.high, 100.0))
