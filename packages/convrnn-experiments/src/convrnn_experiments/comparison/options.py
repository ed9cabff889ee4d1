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
        workers: Number of processes; None uses one per core.
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
    workers: Annotated[
        int | None, Field(ge=1), Option("Number of processes.", show_default="one per core")
    ] = None


@dataclass(frozen=True)
class PowerOptions:
    """What an experiment is to find.

    Attributes:
        difference: True difference, in points.
        target_power: Power to reach.
        seed_sd: Standard deviation between training seeds, in points.
        seeds: Number of networks trained with each configuration.
    """

    difference: Annotated[float, Field(gt=0, le=100), Option("True difference to find, in points.")] = 5.0
    target_power: Annotated[float, Field(gt=0.05, lt=1), Option("Power to reach, from 0 to 1.")] = 0.8
    seed_sd: Annotated[
        float,
        Field(ge=0, le=100),
        Option("Standard deviation of the measure between training seeds, in points."),
    ] = 0.0
    seeds: Annotated[int, Field(ge=1), Option("Number of networks trained with each configuration.")] = 1
