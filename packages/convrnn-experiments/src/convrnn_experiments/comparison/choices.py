"""Curves and distances under other conventions of misses and other matches of exits, for readers who choose."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convrnn_data.observers.conventions import Misses
from convrnn_experiments.comparison.compare import MatchedPart, matched_parts
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.comparison.observer_group import ObserverGroup
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.statistics.intervals import Estimate

MISSES: tuple[Misses, ...] = ("chance", "wrong", "answered")
"""Conventions that need no random numbers."""
EXITS = (Exits.INDEX, Exits.ALL, Exits.LINEAR, Exits.AFFINE)
"""Matches that every network has."""


@dataclass(frozen=True)
class Choice:
    """Comparison of a network and humans in one condition, under one convention of misses and one match of exits.

    Attributes:
        network, condition: Names.
        misses: Convention for missed responses.
        exits: How exits are matched to response times.
        positions: Positions of the blocks on the exits, from 0, (blocks,).
        times: Mean human response times in ms, (blocks,); NaN without an answer.
        human, accuracy: Accuracies of humans and of the network in percent, (blocks,).
        rmse: Corrected SAT-curve RMSE.
        images: Number of images of each block, (blocks,).
        observers: Number of observers.
    """

    network: str
    condition: str
    misses: str
    exits: Exits
    positions: np.ndarray
    times: np.ndarray
    human: list[Estimate]
    accuracy: list[Estimate]
    rmse: Estimate
    images: np.ndarray
    observers: int


def choices(
    evaluations: Sequence[Evaluation],
    group: ObserverGroup,
    *,
    misses: Sequence[Misses] = MISSES,
    matches: Sequence[Exits] = EXITS,
    seed: int = 0,
) -> list[Choice]:
    """Compute the curves and the RMSE of every network, condition, convention and match.

    A comparison takes much longer, because of its measures that are resampled.

    Args:
        evaluations: Evaluations of networks; those on images other than the human stimuli are skipped.
        group: Human answers.
        misses: Conventions for missed responses.
        matches: How exits are matched to response times.
        seed: Seed of the halves of images.
    """
    return [
        _choice(evaluation, matched, convention, kind)
        for convention in misses
        for scored in (group.scored_by(convention, seed=seed),)
        for evaluation in evaluations
        if evaluation.human
        for matched in matched_parts(evaluation, scored, matches, seed)
        for kind in matches
    ]


def _choice(evaluation: Evaluation, matched: MatchedPart, misses: str, kind: Exits) -> Choice:
    part, sides = matched.part, matched.contrasts[kind]
    network, human = sides.curves
    positions = matched.matches[kind].positions
    observers = part.shared.observers
    return Choice(
        network=evaluation.network,
        condition=part.condition,
        misses=misses,
        exits=kind,
        positions=positions,
        times=observers.mean_times,
        human=sides.human_accuracies(human),
        accuracy=sides.network_accuracies(network, sides.blocks),
        rmse=sides.rmse(),
        images=np.bincount(sides.blocks, minlength=len(positions)),
        observers=len(observers.ids),
    )
