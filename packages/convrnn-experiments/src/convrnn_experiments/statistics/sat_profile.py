"""Search for the best SAT function, and the region of functions that fit a curve nearly as well.

See `sat_function` for equations and sources.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

_LEAST_AFTER = 3
"""Number of times after the intercept without which rate and asymptote are not determined."""
_RATES = (0.05, 100.0)
"""Rates searched, per whole duration: from a straight line to a step."""
_EARLIEST = -2.0
"""Earliest intercept searched, in durations before the first time."""
COARSE = 120
"""Number of rates, and of intercepts, on the grid of the whole search."""
_TOLERANCE = 1e-12
_FINE = 160
"""Number of rates, and of intercepts, on the grid of the region."""
_ENLARGEMENTS = 6
"""Number of times that the grid of the region may be enlarged."""


class CurveSearch:
    """Least squares over rate and intercept, with time scaled to 0 to 1; the asymptote follows by linear regression.

    Args:
        times: Rising times, (k,).
        gains: Accuracies less the floor, (k,).
    """

    def __init__(self, times: np.ndarray, gains: np.ndarray) -> None:
        self.start, self.span = times[0], times[-1] - times[0]
        self.times = (times - self.start) / self.span
        self.gains = gains
        self.bounds = (
            (math.log(_RATES[0]), math.log(_RATES[1])),
            (_EARLIEST, float(self.times[-_LEAST_AFTER])),
        )

    def shapes(self, log_rates: ArrayLike, intercepts: ArrayLike) -> np.ndarray:
        """Return the share of the asymptote reached at each time, (..., k)."""
        rates, starts = np.exp(np.asarray(log_rates))[..., None], np.asarray(intercepts)[..., None]
        return np.asarray(-np.expm1(-rates * np.maximum(self.times - starts, 0)))

    def surface(
        self, log_rates: np.ndarray, intercepts: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the weighted squared error, the best gain and its curvature, each (rates, intercepts)."""
        shapes = self.shapes(log_rates[:, None], intercepts[None])
        weighted = shapes @ weights
        curvature = np.maximum((weighted * shapes).sum(axis=-1), 1e-12)
        gain = (weighted @ self.gains) / curvature
        return self.gains @ weights @ self.gains - curvature * gain**2, gain, curvature

    def grid(
        self, bounds: tuple[tuple[float, float], tuple[float, float]], size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return evenly spaced log rates and intercepts between bounds."""
        return np.linspace(*bounds[0], size), np.linspace(*bounds[1], size)

    def best(self, weights: np.ndarray) -> np.ndarray:
        """Return gain, log rate and intercept of the least weighted squared error, (3,)."""
        axes = self.grid(self.bounds, COARSE)
        errors, gain, _ = self.surface(*axes, weights)
        at = np.unravel_index(int(errors.argmin()), errors.shape)
        root = np.linalg.cholesky(weights).T

        def residual(point: np.ndarray) -> np.ndarray:
            return np.asarray(root @ (point[0] * self.shapes(point[1], point[2]) - self.gains))

        first = np.array([gain[at], axes[0][at[0]], axes[1][at[1]]])
        lower, upper = np.array([(-np.inf, np.inf), *self.bounds]).T
        first[1:] = np.clip(first[1:], lower[1:] + 1e-9, upper[1:] - 1e-9)
        found = optimize.least_squares(
            residual, first, bounds=(lower, upper), x_scale=(50.0, 1.0, 0.1), xtol=_TOLERANCE, ftol=_TOLERANCE
        )
        return np.asarray(found.x)

    def step_error(self, weights: np.ndarray) -> float:
        """Return the least weighted squared error of a step, the limit of fast rates.

        A step is 0 before one of the times, free at it, and constant after it.
        """
        places = np.arange(len(self.times))
        errors = []
        for place in places[: -_LEAST_AFTER + 1]:
            design = np.stack([places == place, places > place], axis=1).astype(float)
            inner = design.T @ weights
            residual = self.gains - design @ np.linalg.solve(inner @ design, inner @ self.gains)
            errors.append(float(residual @ weights @ residual))
        return min(errors)

    def slopes(self, point: np.ndarray) -> np.ndarray:
        """Return the change of the fitted accuracy per unit of time, (k,)."""
        rate = math.exp(point[1])
        after = self.times - point[2]
        return np.where(after > 0, point[0] * rate * np.exp(-rate * np.maximum(after, 0)), 0) / self.span

    def gradient(self, point: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the derivative of gain, log rate and intercept with respect to the accuracies, (k, 3)."""
        gain, log_rate, start = point
        rate, after = math.exp(log_rate), np.maximum(self.times - start, 0)
        left = np.exp(-rate * after)
        columns = [1 - left, gain * left * rate * after, np.where(after > 0, -gain * left * rate, 0)]
        jacobian = np.stack(columns, axis=1)
        return np.asarray(np.linalg.pinv(jacobian.T @ weights @ jacobian) @ jacobian.T @ weights).T


@dataclass(frozen=True)
class ProfileRegion:
    """Ends of the parameters in the region of fits that are not significantly worse than the best.

    Attributes:
        gains, log_rates, intercepts: Low and high end.
        reason: Reason why the region does not end within the values searched; "" if it does.
    """

    gains: tuple[float, float] = (float("nan"),) * 2
    log_rates: tuple[float, float] = (float("nan"),) * 2
    intercepts: tuple[float, float] = (float("nan"),) * 2
    reason: str = ""

    @classmethod
    def around(
        cls, search: CurveSearch, point: np.ndarray, weights: np.ndarray, allowed: float
    ) -> "ProfileRegion":
        """Find the region around the best fit.

        Args:
            search: Search of the curve.
            point: Best fit, (3,).
            weights: Inverse covariance, (k, k).
            allowed: Squared error above the least that belongs to the region.
        """
        residual = point[0] * search.shapes(point[1], point[2]) - search.gains
        limit = float(residual @ weights @ residual) + allowed
        axes = search.grid(search.bounds, COARSE)
        inside: np.ndarray = np.asarray(search.surface(*axes, weights)[0] <= limit)
        rates, starts = (np.asarray(inside.any(axis=axis)) for axis in (1, 0))
        if starts[-1]:
            return cls(
                reason="the rate is not identified: accuracy may begin to rise as late as the third last time"
            )
        if rates[-1] or search.step_error(weights) <= limit:
            return cls(reason="the rate is not identified: a step fits as well")
        if rates[0] or starts[0]:
            return cls(reason="the rate is not identified: a straight line fits as well")
        box = _enclosing(axes[0], rates, point[1]), _enclosing(axes[1], starts, point[2])
        for _ in range(_ENLARGEMENTS):
            fine = search.grid(box, _FINE)
            errors, gain, curvature = search.surface(*fine, weights)
            cut = np.asarray(errors <= limit)
            if not (cut[0].any() or cut[-1].any() or cut[:, 0].any() or cut[:, -1].any()):
                break
            # The whole search is too coarse to see the tips of a narrow region.
            box = _enlarged(box[0], search.bounds[0]), _enlarged(box[1], search.bounds[1])
        half = np.sqrt(np.maximum(limit - errors, 0) / curvature)
        within = np.asarray(errors <= limit)
        ends = (
            min(point[0], (gain - half)[within].min(initial=point[0])),
            max(point[0], (gain + half)[within].max(initial=point[0])),
        )
        return cls(
            ends,
            _crossings(fine[0], errors.min(axis=1) - limit, point[1]),
            _crossings(fine[1], errors.min(axis=0) - limit, point[2]),
        )


def _enclosing(axis: np.ndarray, inside: np.ndarray, value: float) -> tuple[float, float]:
    """Return the ends of the interval of a grid that contains all points inside and a value, with a margin."""
    positions = np.flatnonzero(inside)
    step = 2 * (axis[1] - axis[0])
    low, high = axis[positions[[0, -1]]] if len(positions) else (value, value)
    return float(max(min(low, value) - step, axis[0])), float(min(max(high, value) + step, axis[-1]))


def _enlarged(ends: tuple[float, float], bounds: tuple[float, float]) -> tuple[float, float]:
    """Enlarge an interval by a quarter at each end, within bounds."""
    margin = (ends[1] - ends[0]) / 4
    return max(ends[0] - margin, bounds[0]), min(ends[1] + margin, bounds[1])


def _crossings(axis: np.ndarray, excess: np.ndarray, value: float) -> tuple[float, float]:
    """Interpolate where a profile rises above 0, first and last; at least the value itself."""
    positions = np.flatnonzero(excess <= 0)
    if not len(positions):
        return value, value
    ends = []
    for inner, outer in ((positions[0], positions[0] - 1), (positions[-1], positions[-1] + 1)):
        if not 0 <= outer < len(axis):
            ends.append(float(axis[inner]))
            continue
        share = -excess[inner] / (excess[outer] - excess[inner])
        ends.append(float(axis[inner] + share * (axis[outer] - axis[inner])))
    return min(ends[0], value), max(ends[1], value)
