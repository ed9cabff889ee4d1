"""Options that `convrnn compare` and `convrnn report` share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from convrnn_data.base.options import Option
from convrnn_data.observers.conventions import MAX_UNREADABLE, Misses


class Exits(StrEnum):
    """Methods of matching exits to response times."""

    INDEX = "index"
    LINEAR = "linear"
    ALL = "all"
    AFFINE = "affine"
    AFFINE_COST = "affine-multiply-adds"


@dataclass(frozen=True)
class ComparisonOptions:
    """Choices in comparing networks with humans.

    Attributes:
        exits: Method of matching exits to response times.
        misses: Convention for missed responses.
        exclude: Named sets of observers to exclude.
        max_unreadable: Largest share of trials, and of sessions, that may be unreadable.
        seed: Seed of the resampling.
    """

    exits: Annotated[Exits, Option("Method of matching exits to human response times.")] = Exits.INDEX
    misses: Annotated[
        Misses,
        Option(
            "Score of a missed response: 1/16, wrong, a random category, or none (answered trials only).",
        ),
    ] = "chance"
    exclude: Annotated[
        list[str] | None,
        Option("Named set of observers to exclude, such as satbench; may be repeated."),
    ] = None
    max_unreadable: Annotated[
        float,
        Field(ge=0, le=1),
        Option("Largest share of human trials, and of sessions, that may be unreadable."),
    ] = MAX_UNREADABLE
    seed: Annotated[int, Field(ge=0), Option("Seed of the resampling.")] = 0
