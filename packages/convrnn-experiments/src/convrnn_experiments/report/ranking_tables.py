"""Tables of the ranking of networks."""

from collections.abc import Sequence

from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.report.answer import Place, Ranking, short
from convrnn_experiments.report.formats import DASH, Table, ends, with_interval
from convrnn_experiments.report.unranked import Unranked
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate

RANKED = {
    "sat_rmse": "sat_rmse_floor",
    "error_consistency": "error_consistency_people",
    "category_correlation": "category_correlation_ceiling",
    "response_time_correlation": None,
}
"""Measures of the ranking, each with the noise floor or ceiling that humans set; None without one."""


def ranking(rankings: Sequence[Ranking], others: Sequence[Unranked] = ()) -> Table:
    """Tabulate all rankings, a row per network and condition; `others` have a reason in place of a rank."""
    table: Table = [
        {
            "condition": one.condition,
            "all_levels": one.pooled,
            "rank": place.rank,
            "network": place.network,
            **_columns("behind_first", place.behind or UNDEFINED),
            "p_holm": place.p_holm,
            "clearly_behind": place.clearly_behind,
            **{
                name: value
                for key, limit in RANKED.items()
                for measure in (key, limit)
                if measure is not None
                for name, value in _columns(measure, place.estimates[measure]).items()
            },
            "not_ranked_because": "",
        }
        for one in rankings
        for place in one.places
    ]
    pooled = {one.condition: one.pooled for one in rankings}
    empty: dict[str, object] = dict.fromkeys(table[0] if table else (), "")
    return table + [
        empty
        | {
            "condition": other.condition,
            "all_levels": pooled.get(other.condition, ""),
            "network": other.network,
            "not_ranked_because": other.reason,
        }
        for other in others
        if table
    ]


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value} | {f"{name}_{end}": value for end, value in ends(estimate).items()}


def ranking_wide(rankings: Sequence[Ranking], noun: str, others: Sequence[Unranked] = ()) -> Table:
    """Tabulate rankings for reading.

    `others` have a row of dashes in their conditions. Humans have a row per condition with the noise floor and the
    ceilings.
    """
    table: Table = []
    for one in rankings:
        table += [_row(one, place) for place in one.places]
        table += [
            dict.fromkeys(table[0], DASH) | {"condition": short(one.condition), "network": other.network}
            for other in others
            if other.condition == one.condition
        ]
        table.append(_limits(one, noun))
    return table


def _row(one: Ranking, place: Place) -> dict[str, str]:
    cells = {
        measure.label: with_interval(place.estimates[measure.key], measure.digits)
        for measure in MEASURES
        if measure.key in RANKED
    }
    behind = "" if place.behind is None else with_interval(place.behind) + "*" * place.clearly_behind
    head = {"condition": short(one.condition), "rank": str(place.rank), "network": place.network}
    first, *others = cells.items()
    return head | dict([first]) | {"behind the first": behind} | dict(others)


def _limits(one: Ranking, noun: str) -> dict[str, str]:
    """Return the row of the noise floor and ceilings, on the images of the first network."""
    estimates = one.first.estimates
    measures = {measure.key: measure for measure in MEASURES}
    row = {"condition": short(one.condition), "rank": "", "network": f"{noun}, of each other"}
    cells = {name: "" for name in _row(one, one.first) if name not in row}
    for key, limit in RANKED.items():
        if limit is not None:
            cells[measures[key].label] = with_interval(
                estimates[limit], measures[limit].digits, interval=measures[limit].interval
            )
    return row | cells
