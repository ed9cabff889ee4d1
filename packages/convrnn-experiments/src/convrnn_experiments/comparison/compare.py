"""Networks and people: one table of networks, conditions and measures, each with its 95 % confidence interval.

Only images that somebody answered, and levels that people were shown, enter either side. Images and observers are both
drawn from populations, and images jointly for networks and people.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from convrnn_data.base.random_streams import Stream, generator
from convrnn_experiments.comparison import agreement, exits
from convrnn_experiments.comparison.exits import Exits, Match, Trials
from convrnn_experiments.comparison.observer_group import (
    BEEP_TIMES,
    Crowd,
    People,
    Shared,
    trial_keys,
)
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import Answers, Evaluation
from convrnn_experiments.statistics import contrast
from convrnn_experiments.statistics.contrast import Contrast, student
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate, without_interval


@dataclass(frozen=True)
class Row:
    """A network and people in one condition.

    Attributes:
        evaluation: the network on the test set.
        condition: its name.
        answers: the network's, on the images that somebody answered.
        shared: the people on the same images, and the counts of what neither side includes.
        match: exits that go with the response-time blocks.
        contrast: both sides as arrays.
        network, people: (blocks,) accuracies in percent.
        difference: (blocks,) the network's less people's, in points.
        network_categories, people_categories: (16,) accuracies in percent, over all blocks.
        estimates: measure -> value and interval.
        pooled: whether this is the comparison over all levels of the regime.
        affine: the match of time steps to milliseconds.
        affine_score: (images,) the network's score at affine matches fitted without the image, 0 to 1.
    """

    evaluation: Evaluation
    condition: str
    answers: Answers
    shared: Shared
    match: Match
    contrast: Contrast
    network: list[Estimate]
    people: list[Estimate]
    difference: list[Estimate]
    network_categories: list[Estimate]
    people_categories: list[Estimate]
    estimates: dict[str, Estimate]
    pooled: bool
    affine: Match
    affine_score: np.ndarray

    @property
    def crowd(self) -> Crowd:
        """People in this condition."""
        return self.shared.crowd

    @property
    def where(self) -> np.ndarray:
        """(blocks,) positions on the exits that go with the response-time blocks."""
        return self.match.where

    @property
    def images(self) -> int:
        """How many images."""
        return len(self.answers.labels)

    @property
    def observers(self) -> int:
        """How many observers."""
        return len(self.crowd.observers)

    @property
    def cells(self) -> int:
        """How many pairs of level and response-time block the RMSE is over."""
        return len(self.contrast.differences.values)


@dataclass(frozen=True)
class _Part:
    """One condition of an evaluation, before anything is estimated."""

    condition: str
    answers: Answers
    shared: Shared
    rows: np.ndarray
    pooled: bool


def compare(
    evaluations: Sequence[Evaluation], people: People, *, match: Exits = Exits.INDEX, seed: int = 0
) -> list[Row]:
    """Compare every network with people in every condition that both have answers to.

    Args:
        evaluations: those on other images than people were shown are left out.
        people: their answers.
        match: which exits go with which response times.
        seed: of the resampling and of the halves of images and observers.

    Raises:
        ConvRNNError: no evaluation is on images that these people answered.
    """
    rows = [row for one in evaluations if one.human for row in _rows(one, people, match, seed)]
    if not rows:
        tested = ", ".join(sorted({f"{one.network} on {one.name}" for one in evaluations}))
        raise ConvRNNError(
            f"cannot compare {tested} with the observers of {people.folder}: some images must be stimuli that these "
            "observers answered, got none. Run `convrnn evaluate` on the stimuli of their experiments"
        )
    return rows


def _rows(evaluation: Evaluation, people: People, match: Exits, seed: int) -> Iterator[Row]:
    parts = list(_parts(evaluation, people))
    if not parts:
        return
    whole = parts[-1]
    levels = {level: code for code, level in enumerate(sorted(set(whole.answers.levels.tolist())))}
    base = _contrast(whole, np.zeros(whole.answers.right.shape[0]), levels)
    trials = Trials(whole.answers.right, whole.shared.crowd.scores, base.levels, base.blocks, base.strata)
    maps = {
        kind: _matched(kind, trials, evaluation, whole.shared.crowd, seed) for kind in {match, Exits.AFFINE}
    }
    for part in parts:
        rows = np.searchsorted(whole.rows, part.rows)
        yield _row(
            evaluation,
            part,
            {kind: (at, score[rows]) for kind, (at, score) in maps.items()},
            match,
            levels,
            seed,
        )


def _parts(evaluation: Evaluation, people: People) -> Iterator[_Part]:
    """The conditions that people have answers to: one for each level, then all levels where there are several."""
    answers = evaluation.answers
    shared = people.shared_with(evaluation.regime, answers)
    if shared is None:
        return
    answered = shared.images
    masks = {name: mask for name, mask in evaluation.conditions.items() if (mask & answered).any()}
    single = [name for name, mask in masks.items() if not mask.all() or len(masks) == 1]
    for name, mask in masks.items():
        pooled = mask.all()
        if pooled and len(single) == 1 and name not in single:
            continue  # one level alone: its own comparison says all
        found = shared if pooled else people.shared_with(evaluation.regime, answers.of(mask))
        if found is not None:
            rows = np.flatnonzero(mask)[found.images]
            yield _Part(name, answers.of(rows), found, rows, bool(pooled) or len(single) == 1)


def _contrast(part: _Part, score: np.ndarray, levels: dict[str, int]) -> Contrast:
    answers = part.answers
    return Contrast(
        labels=answers.labels,
        levels=np.array([levels[level] for level in answers.levels.tolist()]),
        blocks=answers.blocks,
        network=score,
        exits=answers.right,
        scores=part.shared.crowd.scores,
    )


def _matched(
    kind: Exits, trials: Trials, evaluation: Evaluation, crowd: Crowd, seed: int
) -> tuple[Match, np.ndarray]:
    """Where blocks are on the exits, and the network's score on each image there, (images,)."""
    if kind not in exits.FITTED:
        found = Match(exits.positions(trials.right.shape[1], kind))
        return found, exits.per_image(trials.right, trials.blocks, found.where)
    axis = exits.axis_of(kind, evaluation.multiply_adds, _rising(crowd.mean_times))
    found = trials.match(np.arange(len(trials.blocks)), axis)
    return found, exits.cross_fitted(trials, axis, generator(seed, Stream.EXIT_HALVES))


def _rising(times: np.ndarray) -> np.ndarray:
    """Mean response times, or the beeps where times of few answers do not rise from block to block."""
    return times if (np.diff(times) > 0).all() else BEEP_TIMES


def _row(
    evaluation: Evaluation,
    part: _Part,
    maps: dict[Exits, tuple[Match, np.ndarray]],
    match: Exits,
    levels: dict[str, int],
    seed: int,
) -> Row:
    where, score = maps[match]
    both = _contrast(part, score, levels)
    affine = _contrast(part, maps[Exits.AFFINE][1], levels)
    curves, categories = both.curves, both.categories
    apart = contrast.difference(*curves)
    return Row(
        evaluation=evaluation,
        condition=part.condition,
        answers=part.answers,
        shared=part.shared,
        match=where,
        contrast=both,
        network=both.network_accuracies(curves[0], both.blocks),
        people=both.human_accuracies(curves[1]),
        difference=[student(apart.select([block])) for block in range(contrast.BLOCKS)],
        network_categories=both.network_accuracies(categories[0], both.labels),
        people_categories=both.human_accuracies(categories[1]),
        estimates=_estimates(part, both, affine, where, seed),
        pooled=part.pooled,
        affine=maps[Exits.AFFINE][0],
        affine_score=maps[Exits.AFFINE][1],
    )


def _estimates(part: _Part, both: Contrast, affine: Contrast, where: Match, seed: int) -> dict[str, Estimate]:
    answers, crowd = part.answers, part.shared.crowd
    halves = contrast.split_halves(both, generator(seed, Stream.OBSERVER_HALVES))
    slopes = both.network_steepness(), both.human_steepness(BEEP_TIMES)
    drawn = agreement.resample(both.strata, len(crowd.observers), seed)
    right = exits.nearest(answers.right, answers.blocks, where.where)
    time = {
        correct: agreement.response_time_correlation(
            answers.entropy, crowd, drawn, correct=correct, seed=seed
        )
        for correct in (False, True)
    }
    several = answers.right.shape[1] > 1
    return {
        "sat_rmse": both.rmse(),
        "sat_rmse_raw": without_interval(both.raw_rmse()),
        "sat_rmse_floor": without_interval(halves.rmse),
        "sat_rmse_affine": affine.rmse() if several else UNDEFINED,
        "category_correlation": both.correlation(),
        "category_correlation_raw": without_interval(both.raw_correlation()),
        "category_correlation_ceiling": without_interval(halves.correlation),
        "steepness_network": student(slopes[0]),
        "steepness_people": student(slopes[1]),
        "steepness_difference": student(contrast.difference(*slopes)),
        "error_consistency": agreement.error_consistency(right, answers, crowd, drawn),
        "error_consistency_people": agreement.ceiling(answers, crowd, drawn),
        "response_time_correlation": time[False],
        "response_time_correlation_correct": time[True],
    }


@dataclass(frozen=True)
class Difference:
    """Two networks on the same images and observers: how much larger a measure is for the first."""

    condition: str
    one: str
    other: str
    measure: str
    estimate: Estimate


def differences(rows: Sequence[Row]) -> list[Difference]:
    """Paired differences of every two networks in each condition in which they share all images."""
    found = []
    for one, other in combinations(rows, 2):
        if one.condition != other.condition or not (pair := _aligned(one, other)):
            continue
        a, b = pair
        names = one.condition, one.evaluation.network, other.evaluation.network
        found.append(Difference(*names, "sat_rmse", contrast.rmse_difference(a, b)))
        found.append(Difference(*names, "category_correlation", contrast.correlation_difference(a, b)))
        slopes = contrast.difference(a.network_steepness(), b.network_steepness())
        found.append(Difference(*names, "steepness_network", student(slopes)))
    return found


def _aligned(one: Row, other: Row) -> tuple[Contrast, Contrast] | None:
    """Both contrasts with the second's images in the first's order; None where the images differ."""
    place = {key: row for row, key in enumerate(trial_keys(other.answers))}
    keys = trial_keys(one.answers)
    if set(keys) != set(place) or len(keys) != len(place):
        return None
    order = np.array([place[key] for key in keys])
    b = other.contrast
    return one.contrast, Contrast(
        b.labels[order],
        b.levels[order],
        b.blocks[order],
        b.network[order],
        b.exits[order],
        b.scores[:, order],
    )
