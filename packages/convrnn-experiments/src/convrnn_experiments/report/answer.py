"""Answer of a report: a ranking of networks by their distance from humans, and sentences that state it by rules."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.contenders import Contender
from convrnn_experiments.comparison.differences import Difference
from convrnn_experiments.report.comparison_tables import SIGNIFICANT
from convrnn_experiments.report.formats import fixed, with_interval
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate


@dataclass(frozen=True)
class Place:
    """Place of a network, or of networks that differ only in the seed of their training, in a ranking.

    Attributes:
        contender: Comparison with humans of the network, or of each seed.
        rank: Rank by the corrected SAT-curve RMSE, from 1.
        behind: RMSE minus that of the first, paired by image; None for the first, NaN if the images differ.
        p_holm: p-value of `behind`, with Holm's correction over all pairs in the condition; NaN if there is none.
    """

    contender: Contender
    rank: int
    behind: Estimate | None
    p_holm: float = float("nan")

    @property
    def network(self) -> str:
        """Name of the network, or of the seeds."""
        return self.contender.name

    @property
    def row(self) -> Comparison:
        """The comparison, or that of the first seed."""
        return self.contender.row

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Measure -> estimate; for several seeds, the mean on new images."""
        return self.contender.estimates

    @property
    def distance(self) -> Estimate:
        """Corrected SAT-curve RMSE, in percentage points."""
        return self.estimates["sat_rmse"]

    @property
    def clearly_behind(self) -> bool:
        """True if the RMSE is larger than that of the first with a corrected p-value below 0.05."""
        return self.behind is not None and self.behind.value > 0 and self.p_holm < SIGNIFICANT


@dataclass(frozen=True)
class Ranking:
    """Networks in one condition, nearest to humans first; a network without an RMSE has no place."""

    condition: str
    pooled: bool
    places: list[Place]

    @property
    def first(self) -> Place:
        """The network with the smallest RMSE."""
        return self.places[0]

    @property
    def rivals(self) -> list[Place]:
        """Networks that are not clearly behind the first."""
        return [place for place in self.places[1:] if not place.clearly_behind]

    @property
    def contested(self) -> bool:
        """True if there are at least two networks."""
        return len(self.places) > 1

    @property
    def clear(self) -> bool:
        """True if all of at least two networks but the first are clearly behind it."""
        return self.contested and not self.rivals


def rank(found: Sequence[Contender], pairs: Sequence[Difference]) -> list[Ranking]:
    """Rank the contenders in each condition by their corrected SAT-curve RMSE, and by the raw one if equal.

    Args:
        found: Result of `contenders`.
        pairs: Result of `contender_differences`.
    """
    paired = {
        (pair.condition, pair.network, pair.reference): pair for pair in pairs if pair.measure == "sat_rmse"
    }
    conditions: dict[str, list[Contender]] = {}
    for one in found:
        conditions.setdefault(one.row.condition, []).append(one)
    rankings = []
    for condition, members in conditions.items():
        ranked = [one for one in members if np.isfinite(one.estimates["sat_rmse"].value)]
        ranked.sort(key=lambda one: (one.estimates["sat_rmse"].value, one.estimates["sat_rmse_raw"].value))
        places = [
            Place(one, number, *(_behind(paired, one, ranked[0]) if number > 1 else (None,)))
            for number, one in enumerate(ranked, start=1)
        ]
        if places:
            rankings.append(Ranking(condition, ranked[0].row.pooled, places))
    return rankings


def _behind(
    paired: dict[tuple[str, str, str], Difference], one: Contender, first: Contender
) -> tuple[Estimate, float]:
    """Return the difference from the first and its corrected p-value."""
    condition = one.row.condition
    if (pair := paired.get((condition, one.name, first.name))) is not None:
        return pair.estimate, pair.corrected
    if (pair := paired.get((condition, first.name, one.name))) is not None:
        estimate = pair.estimate
        return Estimate(-estimate.value, -estimate.high, -estimate.low), pair.corrected
    return UNDEFINED, float("nan")


def headline(rankings: Sequence[Ranking], noun: str) -> str:
    """State which network is nearest to humans, over all conditions, in one sentence.

    Args:
        rankings: Rankings over all levels of each regime, at least one.
        noun: Name of the observers.
    """
    contested = [ranking for ranking in rankings if ranking.contested]
    if len(rankings) == 1 or len(contested) == 1:
        return finding((contested or rankings)[0], noun)
    if not contested:
        return (
            f"Only one network was compared with {_the(noun)} in each of {len(rankings)} conditions, so networks are "
            "not ranked."
        )
    clear: dict[str, list[str]] = {}
    for ranking in contested:
        if ranking.clear:
            clear.setdefault(ranking.first.network, []).append(short(ranking.condition))
    unclear = [short(ranking.condition) for ranking in contested if not ranking.clear]
    if not clear:
        several = f"the {len(contested)} conditions with several networks"
        conditions = several if len(contested) < len(rankings) else f"{len(contested)} conditions"
        return f"In none of {conditions} is one network clearly nearest to {_the(noun)} in trading speed for accuracy."
    winners = [f"{network} in {listed(conditions)}" for network, conditions in clear.items()]
    verb = "trades" if len(clear) == 1 else "trade"
    rest = f"; in {listed(unclear)}, no network is clearly nearest to them" if unclear else ""
    return f"{listed(winners)} {verb} speed for accuracy most like {_the(noun)}{rest}."


def finding(ranking: Ranking, noun: str) -> str:
    """State which network is nearest to humans in one condition, and how certain this is."""
    first, condition = ranking.first, short(ranking.condition)
    apart = f"{with_interval(first.distance)} points"
    if not ranking.contested:
        return (
            f"In {condition}, {first.network} is the only network compared with {_the(noun)}: its speed-accuracy curve "
            f"is {apart} from theirs."
        )
    if ranking.clear:
        second = ranking.places[1]
        return (
            f"In {condition}, {first.network} trades speed for accuracy most like {_the(noun)}: its curve is {apart} "
            f"from theirs, {with_interval(second.behind or UNDEFINED)} nearer than that of {second.network}, the next."
        )
    unpaired = [place.network for place in ranking.rivals if np.isnan((place.behind or UNDEFINED).low)]
    tied = [place for place in ranking.rivals if place.network not in unpaired]
    reasons = []
    if tied:
        names = listed([place.network for place in tied], most=3)
        which = "the difference" if len(tied) == 1 else f"the difference from {tied[0].network}"
        reasons.append(f"{names} may be as near: {which}, {_uncertain(tied[0])}")
    if unpaired:
        reasons.append(f"{listed(unpaired, most=3)} saw other images, so the difference has no interval")
    return (
        f"In {condition}, {first.network} is nearest to {_the(noun)}, {apart} from their curve, but "
        f"{'; and '.join(reasons)}."
    )


def _uncertain(place: Place) -> str:
    """State the difference of a network from the first, and why it is uncertain."""
    behind = place.behind or UNDEFINED
    points = f"{with_interval(behind)} points"
    if behind.low <= 0:
        return f"{points}, includes 0"
    return f"{points}, is uncertain with as many comparisons (p = {place.p_holm:.2f} with Holm's correction)"


def ceiling(ranking: Ranking, noun: str) -> str:
    """State how near the first network is to the noise floor and to the consistency that humans set for each other."""
    estimates = ranking.first.estimates
    raw, floor = estimates["sat_rmse_raw"].value, estimates["sat_rmse_floor"].value
    sentences = []
    if ranking.first.distance.low <= 0:
        sentences.append("These trials are too few to tell its curve from theirs.")
    if np.isfinite(floor):
        sentences.append(
            f"Before the correction for sampling noise, it is {fixed(raw)} points away; two random halves of "
            f"{_the(noun)} are {fixed(floor)} points apart."
        )
    own, theirs = estimates["error_consistency"], estimates["error_consistency_people"]
    if np.isfinite([own.value, theirs.value]).all():
        sentences.append(
            f"Its error consistency with them is {with_interval(own, 2)}, and theirs with each other "
            f"{with_interval(theirs, 2)}{_gap(own, theirs)}."
        )
    return " ".join(sentences)


def _gap(own: Estimate, theirs: Estimate) -> str:
    if np.isnan([own.low, own.high, theirs.low, theirs.high]).any():
        return ""
    if own.high < theirs.low:
        return ", which is higher"
    return ", which is lower" if own.low > theirs.high else "; the intervals overlap"


def short(condition: str) -> str:
    """Return the name of a condition for a sentence, without `(all levels)`."""
    return condition.removesuffix(" (all levels)")


def listed(names: Sequence[str], *, most: int | None = None) -> str:
    """Join names: `a`, `a and b`, `a, b and c`; after `most` names, the number of the others."""
    shown = list(names)
    if most is not None and len(shown) > most:
        shown = [*shown[: most - 1], f"{len(shown) - most + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _the(noun: str) -> str:
    return noun if noun == "humans" else f"the {noun}"
