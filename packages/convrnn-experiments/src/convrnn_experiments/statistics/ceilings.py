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

Intervals are Student's on Fisher's scale, or the logarithmic one for distances, from the jackknife (Efron & Tibshirani
1993, An Introduction to the Bootstrap, chapter 11): the variance over observers and that over groups of images, less
that over cells of both, which the first two contain (Cameron, Gelbach & Miller 2011, J Bus Econ Stat 29, 238-249).
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
GROUPS = 20
"""Number of groups of images, of which the jackknife leaves out one at a time."""

_CELL_GROUPS = 6
"""Number of groups of observers, and of images, whose cells the jackknife leaves out one at a time."""

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


def image_groups(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Divide images (images,) at random into groups from 0 to 19, spreading each stratum over the groups."""
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    groups = np.empty(len(strata), dtype=np.int64)
    groups[order] = np.arange(len(strata)) % GROUPS
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
    halves, observer = (
        _estimate(
            distance(whole),
            [np.array([distance(part) for part in parts]) for parts in without],
            np.log,
            np.exp,
        )
        for distance in (halves_distance, observer_distance)
    )
    return Ceiling(halves, observer)


def _jackknife(
    tables: Tables, observers: int, groups: np.ndarray
) -> tuple[np.ndarray, tuple[list[np.ndarray], ...]]:
    """Return the table of all trials, and those without each observer, each group of images, and each cell of both."""
    everything = np.ones((observers, len(groups)), dtype=bool)
    whole = tables(everything)
    by_images = [tables(everything & (groups != group)) for group in np.unique(groups)]
    rows, columns = np.arange(observers) % _CELL_GROUPS, groups % _CELL_GROUPS
    cells = [
        tables(~((rows == row)[:, None] & (columns == column)))
        for row in np.unique(rows)
        for column in np.unique(columns)
    ]
    return whole, ([_blanked(whole, one) for one in range(observers)], by_images, cells)


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

    parts = [np.array([stepped(table) for table in tables_without]) for tables_without in without]
    each = observer_correlations(whole, ranks=ranks)
    known = each[~np.isnan(each)]
    # Means without one observer's correlation: the jackknife with the other correlations unchanged.
    others = (known.sum() - known) / max(len(known) - 1, 1)
    single_parts = [others, *(np.array([single(table) for table in part]) for part in without[1:])]
    return Ceiling(
        _estimate(stepped(whole), parts, _fisher, math.tanh),
        _estimate(single(whole), single_parts, _fisher, math.tanh),
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


def _estimate(
    value: float,
    without: Sequence[np.ndarray],
    scale: Callable[[np.ndarray], np.ndarray],
    back: Callable[[float], float],
) -> Estimate:
    """Return Student's interval on a scale, from jackknife values without observers, groups of images and cells."""
    parts = [scale(part) for part in without]
    if not (math.isfinite(value) and all(len(part) > 1 and np.isfinite(part).all() for part in parts)):
        return without_interval(value)
    observers, images, cells = ((len(part) - 1) * float(part.var()) for part in parts)
    total = max(observers + images - cells, observers, images)
    if total == 0:
        return without_interval(value)
    spread = observers**2 / (len(parts[0]) - 1) + images**2 / (len(parts[1]) - 1)
    half = float(stats.t.ppf((1 + LEVEL) / 2, max(total**2 / spread, 1.0))) * math.sqrt(total)
    centre = float(scale(np.array(value)))
    return Estimate(value, float(back(centre - half)), float(back(centre + half)))
