"""Ceilings of the measures: the agreement of observers with each other, by split halves and by leaving one out.

Two ceilings answer two questions:

- Halves: the agreement of two samples of observers as large as the whole one, on the same images. A correlation of
  random halves is stepped up by the Spearman-Brown formula, 2 r / (1 + r). A network without noise that answers as the
  population does is expected to correlate with the sample by the root of it.
- One observer: the agreement of one observer with the mean of all others, averaged over observers: the score of a
  network that is as near to the sample as a further observer (the lower noise ceiling of Nili et al. 2014, PLOS Comput
  Biol 10, e1003553).

Distances have closed forms over all splits. With s_c^2 the variance over n observers in cell c, the root mean square
distance is sqrt(mean_c 4 s_c^2 / n) between halves of the n observers, and sqrt(mean_c s_c^2 n / (n - 1)) between one
observer and the mean of the others. A population-like network without noise is expected at half the distance of halves.

Variances come from the jackknife (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 11): the variance
over observers and that over groups of images, less that over groups of trials, which the first two contain (Cameron,
Gelbach & Miller 2011, J Bus Econ Stat 29, 238-249). The jackknife counts the squared noise of trials, of which a
distance between observers mainly consists, twice over images and over trials, but once over observers (Efron & Stein
1981, Ann Stat 9, 586-596). The images therefore add only the part that exceeds that of the trials.

Correlations have Student's interval on Fisher's scale. A squared distance is a variance, with Satterthwaite's
chi-square interval (1946, Biometrics Bulletin 2, 110-114).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from convrnn_experiments.statistics.correlations import correlations
from convrnn_experiments.statistics.intervals import LEVEL, UNDEFINED, Estimate, without_interval
from convrnn_experiments.statistics.means import mean_over, safe_divide

LEAST_OBSERVERS = 4
"""Number of observers that a ceiling needs: two in each half."""
GROUPS = 60
"""Number of groups of images, of which the jackknife leaves out one at a time; also that of groups of trials."""

Tables = Callable[[np.ndarray], np.ndarray]
"""Function of a mask of trials (observers, images), returning a value of each observer and item, (observers, items)."""


@dataclass(frozen=True)
class Ceiling:
    """Agreement of observers with each other.

    Attributes:
        halves: Agreement of two samples as large as the whole one, from split halves; of halves, for distances.
        observer: Agreement of one observer with the mean of the others.
    """

    halves: Estimate
    observer: Estimate


NO_CEILING = Ceiling(UNDEFINED, UNDEFINED)


def image_groups(strata: np.ndarray, rng: np.random.Generator, count: int = GROUPS) -> np.ndarray:
    """Divide images (images,) at random into groups from 0, spreading each stratum over the groups."""
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    groups = np.empty(len(strata), dtype=np.int64)
    groups[order] = np.arange(len(strata)) % count
    return groups


def distance_ceiling(tables: Tables, observers: int, groups: np.ndarray) -> Ceiling:
    """Return the root mean square distances of observers over items, such as accuracies by level and block.

    Args:
        tables: Function that computes each observer's values from the trials of a mask.
        observers: Number of observers.
        groups: Group of each image for the jackknife, (images,), from `image_groups`.

    Returns:
        Distances in the unit of the values; undefined for fewer than 4 observers.
    """
    if observers < LEAST_OBSERVERS:
        return NO_CEILING
    whole, without = _jackknife(tables, observers, groups)
    value = observer_distance(whole)
    parts = [np.array([observer_distance(part) for part in parts]) for parts in without]
    # Both distances are a multiple of the root of the variance over observers, so they have the same relative error.
    low, high = _distance_factors(value, parts)
    return Ceiling(*(Estimate(one, one * low, one * high) for one in (halves_distance(whole), value)))


def _distance_factors(value: float, without: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the ends of a distance's interval divided by the distance, from jackknife values; NaN if unknown.

    With the relative variance w of the squared distance, it has chi-square's distribution over 2 / w degrees of
    freedom. The percentiles correspond to Student's quantiles instead of normal ones, since w is estimated.
    """
    unknown = float("nan"), float("nan")
    squares = [part**2 for part in without]
    if not (value > 0 and _known(squares)):
        return unknown
    variance, freedom = _variance(squares)
    if variance == 0:
        return unknown
    degrees = 2 * value**4 / variance
    tail = float(stats.norm.cdf(stats.t.ppf((1 - LEVEL) / 2, freedom)))
    quantiles = stats.chi2.ppf([1 - tail, tail], degrees)
    if quantiles[1] == 0:  # Underflow: the data do not limit the distance.
        return unknown
    low, high = np.sqrt(degrees / quantiles)
    return float(low), float(high)


def _jackknife(
    tables: Tables, observers: int, groups: np.ndarray
) -> tuple[np.ndarray, tuple[list[np.ndarray], ...]]:
    """Return the table of all trials, and those without each observer, group of images, and group of trials."""
    everything = np.ones((observers, len(groups)), dtype=bool)
    whole = tables(everything)
    by_images = [tables(everything & (groups != group)) for group in np.unique(groups)]
    # A group of trials has other images for the next observer, which spreads the effects of both over all groups.
    trials = (np.arange(observers)[:, None] + groups) % (groups.max(initial=0) + 1)
    by_trials = [tables(trials != group) for group in np.unique(trials)]
    return whole, ([_blanked(whole, one) for one in range(observers)], by_images, by_trials)


def halves_distance(values: np.ndarray) -> float:
    """Return the root mean square distance between halves of the observers, over all splits and items.

    Args:
        values: (observers, items); NaN where an observer does not have a value.
    """
    variance, number = _variances(values)
    return float(np.sqrt(mean_over(4 * safe_divide(variance, number))))


def observer_distance(values: np.ndarray) -> float:
    """Return the root mean square distance of an observer from the mean of the others, over observers and items.

    Args:
        values: (observers, items); NaN where an observer does not have a value.
    """
    variance, number = _variances(values)
    return float(np.sqrt(mean_over(safe_divide(variance * number, number - 1))))


def _variances(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance over observers and the number of observers of each item, (items,)."""
    number = (~np.isnan(values)).sum(axis=0).astype(float)
    squares = np.nansum((values - mean_over(values)) ** 2, axis=0)
    return safe_divide(squares, np.maximum(number - 1, 0)), number


def correlation_ceiling(
    tables: Tables,
    observers: int,
    groups: np.ndarray,
    rng: np.random.Generator,
    *,
    ranks: bool = False,
    splits: int = 100,
) -> Ceiling:
    """Return the correlations of observers over items, such as accuracies by category or response times by image.

    Args:
        tables: Function that computes each observer's values from the trials of a mask.
        observers: Number of observers.
        groups: Group of each image for the jackknife, (images,), from `image_groups`.
        rng: Generator that draws the halves.
        ranks: Return Spearman's rho instead of Pearson's r.
        splits: Number of splits into halves.

    Returns:
        Correlations; undefined for fewer than 4 observers.
    """
    if observers < LEAST_OBSERVERS:
        return NO_CEILING
    whole, without = _jackknife(tables, observers, groups)
    halves = np.argsort(rng.random((splits, observers)), axis=1) < observers // 2

    def stepped(table: np.ndarray) -> float:
        return halves_correlation(table, halves, ranks=ranks)

    def single(table: np.ndarray) -> float:
        return float(mean_over(observer_correlations(table, ranks=ranks)))

    return Ceiling(
        *(
            _correlation_estimate(
                agreement(whole), [np.array([agreement(part) for part in parts]) for parts in without]
            )
            for agreement in (stepped, single)
        )
    )


def halves_correlation(values: np.ndarray, halves: np.ndarray, *, ranks: bool = False) -> float:
    """Return the mean correlation of halves of the observers, stepped up by the Spearman-Brown formula.

    Args:
        values: (observers, items); NaN where an observer does not have a value.
        halves: Whether each observer is in the first half, (splits, observers).
        ranks: Correlate ranks.
    """
    known, filled = (~np.isnan(values)).astype(float), np.nan_to_num(values)
    sides = [
        safe_divide(side @ filled, side @ known) for side in (halves.astype(float), (~halves).astype(float))
    ]
    r = float(mean_over(row_correlations(sides[0], sides[1], ranks=ranks)))
    return 2 * r / (1 + r) if r > -1 else float("nan")


def observer_correlations(values: np.ndarray, *, ranks: bool = False) -> np.ndarray:
    """Return the correlation of each observer with the mean of the others, (observers,).

    Args:
        values: (observers, items); NaN where an observer does not have a value.
        ranks: Correlate ranks.
    """
    known, filled = (~np.isnan(values)).astype(float), np.nan_to_num(values)
    others = safe_divide(filled.sum(axis=0) - filled, known.sum(axis=0) - known)
    return row_correlations(values, others, ranks=ranks)


def row_correlations(a: np.ndarray, b: np.ndarray, *, ranks: bool) -> np.ndarray:
    """Return Pearson's r, or Spearman's rho, of rows (rows, items), over the items that both have."""
    if ranks:
        unknown = np.isnan(a) | np.isnan(b)
        # Infinity follows all values, so it does not change their ranks.
        a, b = (
            np.where(unknown, np.nan, stats.rankdata(np.where(unknown, np.inf, side), axis=1))
            for side in (a, b)
        )
    return correlations(a, b)


def _blanked(values: np.ndarray, observer: int) -> np.ndarray:
    """Remove an observer's values, leaving the row, so that the halves of the others remain."""
    copy = values.copy()
    copy[observer] = np.nan
    return copy


def _fisher(values: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(values, -0.999999, 0.999999))


def _correlation_estimate(value: float, without: Sequence[np.ndarray]) -> Estimate:
    """Return Student's interval on Fisher's scale, from jackknife values."""
    parts = [_fisher(part) for part in without]
    if not (math.isfinite(value) and _known(parts)):
        return without_interval(value)
    variance, freedom = _variance(parts)
    if variance == 0:
        return without_interval(value)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(variance)
    centre = float(_fisher(np.array(value)))
    return Estimate(value, math.tanh(centre - half), math.tanh(centre + half))


def _known(parts: Sequence[np.ndarray]) -> bool:
    return all(len(part) > 1 and np.isfinite(part).all() for part in parts)


def _variance(parts: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the variance and Satterthwaite's degrees of freedom.

    Args:
        parts: Jackknife values without each observer, group of images and group of trials.
    """
    observers, images, trials = ((len(part) - 1) * float(part.var()) for part in parts)
    shared = images > trials
    spread = observers**2 / (len(parts[0]) - 1) + shared * images**2 / (len(parts[1]) - 1)
    total = observers + shared * (images - trials)
    return total, max(total**2 / spread, 1.0) if spread > 0 else math.inf
