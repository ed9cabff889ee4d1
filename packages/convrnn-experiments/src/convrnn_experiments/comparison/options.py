"""Options that `convrnn compare` and `convrnn report` share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from convrnn_data.base.options import Option
from convrnn_experiments.observers.conventions import MAX_UNREADABLE, Misses


class Exits(StrEnum):
    """How exits are matched to response times."""

    INDEX = "index"
    LINEAR = "linear"
    ALL = "all"
    AFFINE = "affine"
    AFFINE_COST = "affine-multiply-adds"


@dataclass(frozen=True)
class ComparisonOptions:
    """How networks are compared with observers.

    Attributes:
        exits: match of exits to response times.
        misses: convention for missed responses.
        exclude: named sets of observers that are excluded.
        max_unreadable: largest share of trials, and of sessions, that may be unreadable.
        seed: seed of the resampling.
    """

    exits: Annotated[Exits, Option("How exits go with people's response times.")] = Exits.INDEX
    misses: Annotated[
        Misses,
        Option(
            "How a missed response is scored: as 1/16, as wrong, as a random category, or not at all.",
        ),
    ] = "chance"
    exclude: Annotated[
        list[str] | None,
        Option("A named set of observers to leave out, such as satbench; may be repeated."),
    ] = None
    max_unreadable: Annotated[
        float,
        Field(ge=0, le=1),
        Option("Largest share of people's trials, and of sessions, that may be unreadable."),
    ] = MAX_UNREADABLE
    seed: Annotated[int, Field(ge=0), Option("Of the resampling.")] = 0
