"""Networks to rank: those that differ only in the seed of their training count as one, by their mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.differences import Difference
from convrnn_experiments.comparison.seed_groups import comparison_groups, group_title
from convrnn_experiments.comparison.shared_errors import shared_error, spread_over_seeds
from convrnn_experiments.statistics.intervals import Estimate, without_interval
from convrnn_experiments.statistics.significance import holm_within, interval_p_value
from convrnn_experiments.statistics.training_seeds import seed_difference


@dataclass(frozen=True)
class Contender:
    """A network, or networks that differ only in the seed of their training, in one condition.

    Attributes:
        rows: Comparisons with humans, in order of the seeds.
    """

    rows: tuple[Comparison, ...]

    @property
    def name(self) -> str:
        """Name of the network, or `noise (3 seeds)`."""
        return group_title(self.rows)

    @property
    def row(self) -> Comparison:
        """The first comparison, for what does not depend on the network."""
        return self.rows[0]

    @property
    def networks(self) -> list[str]:
        """Names of the networks."""
        return [row.evaluation.network for row in self.rows]

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """Measure -> estimate: for several seeds, the mean with its interval over seeds, images and observers.

        Measures of which the sampling error is unknown do not have an interval.
        """
        if len(self.rows) == 1:
            return self.row.estimates
        return {measure: self._estimate(measure) for measure in self.row.estimates}

    def _estimate(self, measure: str) -> Estimate:
        found = [row.estimates[measure] for row in self.rows]
        if all(_equal(one, found[0]) for one in found):
            return found[0]  # it does not depend on the network
        return spread_over_seeds(self.rows, measure).on_new_images

    @property
    def accuracies(self) -> np.ndarray:
        """Accuracies by response-time block in percent, averaged over the seeds, (blocks,)."""
        return np.mean([[one.value for one in row.network] for row in self.rows], axis=0)


def contenders(rows: Sequence[Comparison]) -> list[Contender]:
    """Join the rows of networks that differ only in the seed, at the place of the first."""
    found: dict[int, Contender] = {}
    members: dict[int, int] = {}
    for group in comparison_groups(rows):
        members |= {id(row): id(group[0]) for row in group}
        found[id(group[0])] = Contender(tuple(group))
    listed: dict[int, Contender] = {}
    for row in rows:
        first = members.get(id(row), id(row))
        listed.setdefault(first, found.get(first, Contender((row,))))
    return list(listed.values())


def contender_differences(found: Sequence[Contender], pairs: Sequence[Difference]) -> list[Difference]:
    """Compare every two contenders of a condition.

    Args:
        found: Contenders.
        pairs: Paired differences between all networks.

    Returns:
        The paired difference of two networks; if either is several seeds, that of the means, in the same measures. With
        Holm's correction over the pairs of contenders within a condition and measure.
    """
    paired = {(pair.condition, pair.network, pair.reference, pair.measure): pair for pair in pairs}
    measures = list(dict.fromkeys(pair.measure for pair in pairs))
    differences = []
    for one, other in combinations(found, 2):
        if one.row.condition != other.row.condition:
            continue
        if len(one.rows) == len(other.rows) == 1:
            names = one.row.condition, one.name, other.name
            differences += [pair for measure in measures if (pair := paired.get((*names, measure)))]
        else:
            differences += [_difference(one, other, measure) for measure in measures]
    corrected = holm_within(
        [(pair.condition, pair.measure) for pair in differences], [pair.p_value for pair in differences]
    )
    return [
        Difference(pair.condition, pair.network, pair.reference, pair.measure, pair.estimate, pair.p_value, p)
        for pair, p in zip(differences, corrected, strict=True)
    ]


def with_seeds(found: Sequence[Contender], pairs: Sequence[Difference]) -> list[Difference]:
    """Select the differences of which at least one side is several seeds."""
    groups = {(one.row.condition, one.name) for one in found if len(one.rows) > 1}
    return [
        pair for pair in pairs if groups & {(pair.condition, pair.network), (pair.condition, pair.reference)}
    ]


def _difference(one: Contender, other: Contender, measure: str) -> Difference:
    first, second = ([row.estimates[measure].value for row in side.rows] for side in (one, other))
    error = shared_error((*one.rows, *other.rows), measure)
    names = one.row.condition, one.name, other.name
    if error is None:
        return Difference(*names, measure, without_interval(float(np.mean(first) - np.mean(second))))
    estimate, freedom = seed_difference(first, second, error)
    return Difference(*names, measure, estimate, interval_p_value(estimate, freedom))


def _equal(one: Estimate, other: Estimate) -> bool:
    return bool(
        np.array_equal((one.value, one.low, one.high), (other.value, other.low, other.high), equal_nan=True)
    )
