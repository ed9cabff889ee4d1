"""Summary of a report for programs: `summary.json` beside the page."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from convrnn_experiments.comparison.differences import Difference
from convrnn_experiments.comparison.seed_groups import SeedRow
from convrnn_experiments.report.answer import Place, Ranking, ceiling, finding, headline
from convrnn_experiments.report.findings import Findings
from convrnn_experiments.report.methods_text import versions
from convrnn_experiments.statistics.intervals import Estimate

NAME = "summary.json"


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Value(_Form):
    """Estimate with its 95 % confidence interval; null where unknown."""

    value: float | None
    low: float | None
    high: float | None


class Entry(_Form):
    """Network, or networks that differ only in the seed of their training, in the ranking of a condition.

    Attributes:
        rank: Rank by the corrected SAT-curve RMSE, from 1.
        network: Name; `noise (3 seeds)` for several seeds.
        networks: Names of the networks, by seed; missing from files of earlier versions.
        images: Number of images compared.
        behind_first: RMSE minus that of the first, paired by image; null for the first.
        p_holm: p-value of `behind_first` with Holm's correction over all pairs in the condition; null without one.
        clearly_behind: Whether `behind_first` is above 0 with `p_holm` below 0.05.
        measures: Measure of `comparison.csv` -> estimate; for several seeds, the mean on new images.
    """

    rank: int
    network: str
    networks: list[str] = []
    images: int
    behind_first: Value | None
    p_holm: float | None
    clearly_behind: bool
    measures: dict[str, Value]


class Condition(_Form):
    """Ranking in a condition.

    Attributes:
        condition: Name.
        all_levels: Whether the condition has all levels of its regime.
        observers: Number of observers on the images of the first network.
        finding, limits: Sentences of the page.
        ranking: Networks, nearest to the observers first.
    """

    condition: str
    all_levels: bool
    observers: int
    finding: str
    limits: str
    ranking: list[Entry]


class Network(_Form):
    """Network of the page: where it comes from, and the names of its test sets (none if only accuracies are known)."""

    name: str
    trained_on: str
    source: str
    test_sets: list[str]


class Settings(_Form):
    """Choices of the comparison; null without humans."""

    misses: str | None
    exits: str
    excluded: list[str]
    seed: int


class SeedSpread(_Form):
    """Spread of a measure over networks that differ only in the training seed.

    Attributes:
        network: Name of the group.
        networks: Names of its networks.
        condition: Name.
        measure: Name as in `comparison.csv`, or `accuracy`.
        seeds: Number of seeds.
        mean: Mean with the interval over seeds, on these images and observers.
        on_new_images: Mean with the interval over seeds, images and observers; ends are null where unknown.
        sd: Standard deviation over seeds.
        seed_sd: Standard deviation between seeds that the images do not explain; null where unknown.
    """

    network: str
    networks: list[str]
    condition: str
    measure: str
    seeds: int
    mean: Value
    on_new_images: Value
    sd: float | None
    seed_sd: float | None


class SeedDifference(_Form):
    """Difference of two entries of a ranking of which at least one is several seeds.

    Attributes:
        network: Minuend, as in the ranking.
        less_network: Subtrahend, as in the ranking.
        condition: Name.
        measure: Name as in `comparison.csv`.
        difference: Difference with the interval over seeds, images and observers.
        p_holm: p-value with Holm's correction over all pairs in the condition and measure; null without one.
    """

    network: str
    less_network: str
    condition: str
    measure: str
    difference: Value
    p_holm: float | None


class Summary(_Form):
    """Content of `summary.json`.

    Attributes:
        schema_version: Version of this form; it rises when a reader of an earlier version would misunderstand a file.
        software: Package -> version.
        simulated_observers: Whether the observers are simulated; null without humans.
        settings: Choices of the comparison.
        answer: First sentence of the page; null without a ranking.
        networks: All networks.
        conditions: Rankings by condition.
        seeds: Spread over training seeds; missing from files of earlier versions.
        seed_differences: Differences of networks of several seeds; missing from files of earlier versions.
    """

    schema_version: Literal[1] = 1
    software: dict[str, str]
    simulated_observers: bool | None
    settings: Settings
    answer: str | None
    networks: list[Network]
    conditions: list[Condition]
    seeds: list[SeedSpread] = []
    seed_differences: list[SeedDifference] = []


def summarise(findings: Findings, seed: int) -> Summary:
    """Summarise a report."""
    group = findings.group
    over_levels = [one for one in findings.rankings if one.pooled]
    return Summary(
        software=versions(),
        simulated_observers=None if group is None else group.simulated,
        settings=Settings(
            misses=None if group is None else group.misses,
            exits=str(findings.match),
            excluded=[] if group is None else list(group.exclusions),
            seed=seed,
        ),
        answer=headline(over_levels, findings.noun) if over_levels else None,
        networks=_networks(findings),
        conditions=[_condition(one, findings.noun) for one in findings.rankings],
        seeds=[_spread(row) for row in findings.seeds],
        seed_differences=[_seed_difference(pair) for pair in findings.seed_differences],
    )


def as_json(summary: Summary) -> bytes:
    """Format the summary; equal summaries give equal bytes."""
    return (summary.model_dump_json(indent=1) + "\n").encode("utf-8")


def _networks(findings: Findings) -> list[Network]:
    found: dict[str, Network] = {}
    for evaluation in findings.evaluations:
        known = found.get(evaluation.network)
        found[evaluation.network] = Network(
            name=evaluation.network,
            trained_on=evaluation.source.trained_on,
            source=str(evaluation.source.path),
            test_sets=[*(known.test_sets if known else []), evaluation.name],
        )
    for row in findings.accuracies:
        found.setdefault(
            row.network,
            Network(name=row.network, trained_on="not known", source=str(row.source.path), test_sets=[]),
        )
    return list(found.values())


def _condition(ranking: Ranking, noun: str) -> Condition:
    return Condition(
        condition=ranking.condition,
        all_levels=ranking.pooled,
        observers=ranking.first.row.observer_count,
        finding=finding(ranking, noun),
        limits=ceiling(ranking, noun),
        ranking=[_entry(place) for place in ranking.places],
    )


def _entry(place: Place) -> Entry:
    return Entry(
        rank=place.rank,
        network=place.network,
        networks=place.contender.networks,
        images=place.row.image_count,
        behind_first=None if place.behind is None else _value(place.behind),
        p_holm=_number(place.p_holm),
        clearly_behind=place.clearly_behind,
        measures={name: _value(estimate) for name, estimate in place.estimates.items()},
    )


def _spread(row: SeedRow) -> SeedSpread:
    return SeedSpread(
        network=row.name,
        networks=list(row.networks),
        condition=row.condition,
        measure=row.measure.key,
        seeds=row.spread.seeds,
        mean=_value(row.spread.mean),
        on_new_images=_value(row.spread.on_new_images),
        sd=_number(row.spread.sd),
        seed_sd=_number(math.sqrt(row.spread.seed_variance)),
    )


def _seed_difference(pair: Difference) -> SeedDifference:
    return SeedDifference(
        network=pair.network,
        less_network=pair.reference,
        condition=pair.condition,
        measure=pair.measure,
        difference=_value(pair.estimate),
        p_holm=_number(pair.corrected),
    )


def _value(estimate: Estimate) -> Value:
    return Value(value=_number(estimate.value), low=_number(estimate.low), high=_number(estimate.high))


def _number(number: float) -> float | None:
    return float(f"{number:.6g}") if math.isfinite(number) else None
