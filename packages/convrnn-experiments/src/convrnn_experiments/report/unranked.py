"""Networks that a report cannot rank, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convrnn_experiments.comparison.accuracy_rows import AccuracyComparison
from convrnn_experiments.comparison.contenders import Contender
from convrnn_experiments.report.answer import listed, short
from convrnn_experiments.report.formats import fixed
from convrnn_experiments.rows.accuracies import REASON

UNDEFINED_RMSE = "its distance from the observers is undefined"


@dataclass(frozen=True)
class Unranked:
    """Network without a corrected SAT-curve RMSE in a condition.

    Attributes:
        network, condition: Names.
        raw: Raw SAT-curve RMSE in points; NaN if undefined.
        reason: Reason why it has no rank.
    """

    network: str
    condition: str
    raw: float
    reason: str


def unranked(found: Sequence[Contender], others: Sequence[AccuracyComparison]) -> list[Unranked]:
    """List the contenders without a corrected RMSE, and networks of which only accuracies are known."""
    undefined = [
        Unranked(one.name, one.row.condition, one.estimates["sat_rmse_raw"].value, UNDEFINED_RMSE)
        for one in found
        if np.isnan(one.estimates["sat_rmse"].value)
    ]
    return undefined + [
        Unranked(other.network, other.condition, other.values["sat_rmse_raw"], REASON) for other in others
    ]


def unranked_note(found: Sequence[Unranked]) -> str:
    """State which networks are not ranked, their raw RMSE, and why; empty without any."""
    by_reason: dict[str, dict[str, list[str]]] = {}
    for one in found:
        raw = "" if np.isnan(one.raw) else f" (raw RMSE {fixed(one.raw)} points)"
        by_reason.setdefault(one.reason, {}).setdefault(one.network, []).append(
            f"{short(one.condition)}{raw}"
        )
    texts = [
        f"{'; '.join(f'{network} in {listed(conditions)}' for network, conditions in networks.items())}: {reason}."
        for reason, networks in by_reason.items()
    ]
    return f"Not ranked: {' '.join(texts)}" if texts else ""
