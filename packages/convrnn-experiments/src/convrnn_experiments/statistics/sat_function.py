"""Speed-accuracy tradeoff (SAT) function: asymptote, rate and intercept of accuracy over time, with intervals.

Accuracy rises exponentially from the chance level to an asymptote (Wickelgren 1977, Acta Psychol 41, 67-85; Dosher
1979, Cogn Psychol 11, 551-590):

    accuracy(t) = floor + (asymptote - floor) (1 - exp(-rate (t - intercept)))   for t > intercept, else floor.

Wickelgren and Dosher write it for d', which is 0 at chance. Here the curve is percent correct, so chance enters as the
floor: 100 / 16 percent for 16 categories, or 0 where missed trials score 0. The asymptote is an accuracy, not a gain.

The fit is generalised least squares with the sampling covariance of the accuracies, including that of measured times.
An interval has all values of a parameter whose best fit, over the other two, is not worse than the overall best fit by
more than Student's squared quantile (profile; Bates & Watts 1988, Nonlinear Regression Analysis, 6.1). Unlike an
interval from a standard error it may be asymmetric, and it holds where the intercept is near a measured time, where
the function has a kink. The quantile allows for the estimated covariance (Rao 1965, Biometrika 52, 447-458). Where the
function fits worse than sampling allows, a model error common to all times is added until it does (Paule & Mandel
1982, J Res Natl Bur Stand 87, 377-385).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.intervals import LEVEL, UNDEFINED, Estimate, normal_interval
from convrnn_experiments.statistics.measures import CLASSES, slope_weights
from convrnn_experiments.statistics.sampling_error import SampledEstimates, concatenate
from convrnn_experiments.statistics.sat_profile import COARSE, CurveSearch, ProfileRegion

CHANCE = 100 / CLASSES
PARAMETERS = ("asymptote", "rate", "intercept")
LEAST_TIMES = 4
"""Number of times that a fit needs: one more than it has parameters."""
_RESOLUTION = 0.05
"""Error in points that is added to each accuracy, so that accuracies measured as equal are not taken as exact."""
_MOST_ERROR = 1e5
"""Variance of the model error in squared points above which no curve in percent misfits."""
_MISFIT = 0.05
"""Probability below which a misfit is not attributed to sampling."""


@dataclass(frozen=True)
class SatFit:
    """Fitted SAT function.

    Attributes:
        asymptote: Accuracy after unlimited time, in percent.
        rate: Rate, per unit of time.
        intercept: Time at which accuracy begins to rise.
        model_error: Standard deviation of the model error in points; 0 where sampling explains the misfit.
        reason: Reason why the parameters are undefined; "" if they are defined.
        errors: Asymptote, logarithm of the rate and intercept with contributions of images and observers to their
            errors, (3,); None if undefined.
    """

    asymptote: Estimate
    rate: Estimate
    intercept: Estimate
    model_error: float = 0.0
    reason: str = ""
    errors: SampledEstimates | None = None

    def accuracy(self, times: ArrayLike, floor: float = CHANCE) -> np.ndarray:
        """Return the fitted accuracies in percent at times of any shape."""
        return sat_accuracy(times, self.asymptote.value, self.rate.value, self.intercept.value, floor)


def sat_accuracy(
    times: ArrayLike, asymptote: float, rate: float, intercept: float, floor: float = CHANCE
) -> np.ndarray:
    """Return the accuracies of a SAT function in percent, of the shape of `times`."""
    after = np.maximum(np.asarray(times, dtype=float) - intercept, 0)
    return floor + (asymptote - floor) * -np.expm1(-rate * after)


def accuracy_range(accuracy: SampledEstimates) -> SampledEstimates:
    """Return the highest accuracy minus the lowest, (1,), with the sampling errors of both; NaN for one accuracy."""
    values = accuracy.values
    if np.isfinite(values).sum() < 2:
        return accuracy.combine(np.full((len(values), 1), np.nan))
    weights = np.zeros((len(values), 1))
    weights[np.nanargmax(values)] += 1
    weights[np.nanargmin(values)] -= 1
    known = np.isfinite(values)
    return accuracy.select(known).combine(weights[known])


def fit_sat_function(
    times: SampledEstimates | ArrayLike, accuracy: SampledEstimates, *, floor: float = CHANCE
) -> SatFit:
    """Fit a SAT function to accuracies in percent; see the module for equations and sources.

    The parameters are undefined, with a reason, for fewer than four times, times that do not rise, accuracies that do
    not rise, and wherever the interval of rate or intercept does not end within the values searched, so that a straight
    line, a step or a later intercept fits as well.

    Args:
        times: Time of each accuracy, (k,), exact or with sampling errors from the same images and observers.
        accuracy: Accuracies in percent, (k,). Times without an accuracy are left out.
        floor: Accuracy before the intercept, in percent.

    Raises:
        ConvRNNError: Numbers of times and accuracies differ.
    """
    measured = times if isinstance(times, SampledEstimates) else None
    points = np.asarray(times, dtype=float) if measured is None else measured.values
    if points.shape != accuracy.values.shape:
        raise ConvRNNError(
            "cannot fit a SAT function: there must be one time for each accuracy, got shapes "
            f"{points.shape} and {accuracy.values.shape}. Pass one time per accuracy"
        )
    known = np.isfinite(points) & np.isfinite(accuracy.values)
    accuracy, points = accuracy.select(known), points[known]
    reason = _unsuited(points, accuracy)
    if reason:
        return _undefined(reason)
    search = CurveSearch(points, accuracy.values - floor)
    errors = accuracy
    if measured is not None:
        slopes = search.slopes(search.best(np.eye(len(points))))
        errors = concatenate([accuracy, measured.select(known)]).combine(
            np.concatenate([np.eye(len(points)), -np.diag(slopes)])
        )
    return _fitted(search, errors, floor)


def _unsuited(times: np.ndarray, accuracy: SampledEstimates) -> str:
    """Return why a curve does not determine a SAT function; "" if it may."""
    if len(times) < LEAST_TIMES:
        return f"a fit needs at least {LEAST_TIMES} known times with an accuracy, got {len(times)}"
    if not (np.diff(times) > 0).all():
        return "times do not rise"
    slope = accuracy.combine(slope_weights(times)[:, None])
    rise = normal_interval(float(slope.values[0]), float(slope.covariance[0, 0]), float(slope.freedom[0]))
    if rise.low > _RESOLUTION:
        return ""
    return "accuracy falls over time" if rise.high < -_RESOLUTION else "accuracy does not change over time"


def _undefined(reason: str) -> SatFit:
    return SatFit(UNDEFINED, UNDEFINED, UNDEFINED, float("nan"), reason)


def _fitted(search: CurveSearch, errors: SampledEstimates, floor: float) -> SatFit:
    """Fit with the weights of the sampling covariance, and invert the profiles of the three parameters."""
    extra = len(search.times) - len(PARAMETERS)
    freedom = max(float(np.median(errors.freedom)) - extra, 1.0)
    covariance = errors.covariance + _RESOLUTION**2 * np.eye(len(search.times))
    model_error, weights = _weights(search, covariance, freedom)
    point = search.best(weights)
    widening = (freedom + extra) / freedom if math.isfinite(freedom) else 1.0
    allowed = widening * float(stats.t.ppf((1 + LEVEL) / 2, freedom)) ** 2
    region = ProfileRegion.around(search, point, weights, allowed)
    if region.reason:
        return _undefined(region.reason)
    if floor + point[0] > 100:
        return _undefined("the rate is not identified: the best asymptote is above 100 %")
    asymptote = Estimate(*(min(floor + gain, 100.0) for gain in (point[0], *region.gains)))
    rate = Estimate(*(math.exp(value) / search.span for value in (point[1], *region.log_rates)))
    intercept = Estimate(*(search.start + search.span * value for value in (point[2], *region.intercepts)))
    contributions = errors.combine(search.gradient(point, weights) * [1, 1, search.span])
    parameters = np.array([asymptote.value, math.log(rate.value), intercept.value])
    linear = SampledEstimates(
        parameters, contributions.images, contributions.observers, contributions.cells, errors.image_freedom
    )
    return SatFit(asymptote, rate, intercept, model_error, "", linear)


def _weights(search: CurveSearch, covariance: np.ndarray, freedom: float) -> tuple[float, np.ndarray]:
    """Return the model error in points, and the inverse of the covariance that includes it."""
    identity, extra = np.eye(len(covariance)), len(covariance) - len(PARAMETERS)

    def misfit(variance: float) -> tuple[float, np.ndarray]:
        weights = np.linalg.inv(covariance + variance * identity)
        axes = search.grid(search.bounds, COARSE)
        return float(search.surface(*axes, weights)[0].min()), weights

    sampled, weights = misfit(0.0)
    if sampled <= extra * stats.f.ppf(1 - _MISFIT, extra, freedom):
        return 0.0, weights
    variance = float(optimize.brentq(lambda value: misfit(value)[0] - extra, 0.0, _MOST_ERROR, xtol=1e-4))
    return math.sqrt(variance), misfit(variance)[1]
