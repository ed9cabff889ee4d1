"""Comparison of networks and humans: measures with 95 % confidence intervals for every network and condition.

Both sides include only images that at least one observer answered, and levels that observers were shown. Images and
observers are both drawn from populations, and the draw of images is joint for networks and humans.
"""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convrnn_data.base.jobs import run_jobs
from convrnn_data.base.random_streams import Stream, generator
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison import exits
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES, ConditionObservers
from convrnn_experiments.comparison.estimates import ConditionEstimates, estimate
from convrnn_experiments.comparison.exits import Exits, Match, Trials
from convrnn_experiments.comparison.observer_group import ObserverGroup, SharedTrials
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.statistics import contrast
from convrnn_experiments.statistics.contrast import Contrast, student
from convrnn_experiments.statistics.intervals import Estimate

_FEW = 50_000
"""Fewer responses, images times observers, are compared in this process, because others take seconds to start."""


@dataclass(frozen=True)
class Comparison:
    """Comparison of a network and humans in one condition.

    Attributes:
        evaluation: Evaluation of the network on the test set.
        condition: Name.
        answers: Answers of the network, on the images that at least one observer answered.
        shared: Observers on the same images, and counts of what both sides leave out.
        match: Exits matched to the response-time blocks.
        contrast: Both sides as arrays.
        network, human: Accuracies in percent, (blocks,).
        difference: Network minus human accuracy in points, (blocks,).
        network_categories, human_categories: Accuracies in percent over all blocks, (16,).
        estimates: Measure -> estimate.
        found: Estimates with fitted SAT functions, ceilings and bootstrap replicates.
        pooled: Whether this is the comparison over all levels of the regime.
        affine: Match of time steps to milliseconds.
        affine_score: Score of the network, (images,), 0 to 1, at affine matches fitted without the image.
    """

    evaluation: Evaluation
    condition: str
    answers: Answers
    shared: SharedTrials
    match: Match
    contrast: Contrast
    network: list[Estimate]
    human: list[Estimate]
    difference: list[Estimate]
    network_categories: list[Estimate]
    human_categories: list[Estimate]
    estimates: dict[str, Estimate]
    found: ConditionEstimates
    pooled: bool
    affine: Match
    affine_score: np.ndarray

    @property
    def observers(self) -> ConditionObservers:
        """Observers in this condition."""
        return self.shared.observers

    @property
    def positions(self) -> np.ndarray:
        """Positions on the exits of the response-time blocks, (blocks,)."""
        return self.match.positions

    @property
    def image_count(self) -> int:
        """Number of images."""
        return len(self.answers.labels)

    @property
    def observer_count(self) -> int:
        """Number of observers."""
        return len(self.observers.ids)

    @property
    def cell_count(self) -> int:
        """Number of pairs of level and response-time block that the RMSE is over."""
        return len(self.contrast.differences.values)


@dataclass(frozen=True)
class Part:
    """One condition of an evaluation, before any estimate; `images` are positions among all images."""

    condition: str
    answers: Answers
    shared: SharedTrials
    images: np.ndarray
    pooled: bool


@dataclass(frozen=True)
class MatchedPart:
    """Condition of an evaluation with the network at the exits of several matches; see `matched_parts`."""

    part: Part
    matches: dict[Exits, Match]
    contrasts: dict[Exits, Contrast]


def compare(
    evaluations: Sequence[Evaluation],
    group: ObserverGroup,
    *,
    match: Exits = Exits.INDEX,
    seed: int = 0,
    workers: int | None = 1,
) -> list[Comparison]:
    """Compare every network with the observers in every condition that both answered.

    Args:
        evaluations: Evaluations of networks; those on images other than the human stimuli are skipped.
        group: Human answers.
        match: How exits are matched to response times.
        seed: Seed of the resampling, and of the halves of images and observers.
        workers: Number of processes; None uses one per core if there are enough responses.

    Raises:
        ConvRNNError: No evaluation is on images that the observers answered, or a process ended.
    """
    parts = [
        (evaluation, part)
        for evaluation in evaluations
        if evaluation.human
        for part in matched_parts(evaluation, group, {match, Exits.AFFINE}, seed)
    ]
    if not parts:
        tested = ", ".join(
            sorted({f"{evaluation.network} on {evaluation.name}" for evaluation in evaluations})
        )
        raise ConvRNNError(
            f"cannot compare {tested} with the observers of {group.folder}: some images must be stimuli that these "
            "observers answered, got none. Run `convrnn evaluate` on the stimuli of their experiments"
        )
    # A job is a condition, so that its networks share the caches of what depends on the humans only.
    jobs: dict[str, _Job] = {}
    for place, (evaluation, matched) in enumerate(parts):
        job = jobs.setdefault(matched.part.condition, _Job([], [], match, group.misses, seed))
        job.places.append(place)
        job.parts.append((evaluation, matched))
    if workers is None and sum(job.responses for job in jobs.values()) < _FEW:
        workers = 1
    longest_first = sorted(jobs.values(), key=lambda job: job.responses, reverse=True)
    rows: dict[int, Comparison] = {}
    with contextlib.closing(
        run_jobs(_compared, longest_first, len(jobs), workers=workers, resumes=False)
    ) as done:
        for compared in done:
            rows |= compared
    # A row of another process has a copy of its evaluation.
    return [replace(rows[place], evaluation=evaluation) for place, (evaluation, _) in enumerate(parts)]


@dataclass(frozen=True)
class _Job:
    """Comparisons in one condition: their places among all comparisons, their parts and settings."""

    places: list[int]
    parts: list[tuple[Evaluation, MatchedPart]]
    match: Exits
    misses: str
    seed: int

    @property
    def responses(self) -> int:
        """Number of responses to compare: images times observers, over all networks."""
        return sum(matched.part.shared.observers.scores.size for _, matched in self.parts)


def _compared(job: _Job) -> dict[int, Comparison]:
    """Compare the networks of a job; returns place -> comparison."""
    rows = (_comparison(*part, job.match, job.misses, job.seed) for part in job.parts)
    return dict(zip(job.places, rows, strict=True))


def matched_parts(
    evaluation: Evaluation, group: ObserverGroup, kinds: Collection[Exits], seed: int
) -> Iterator[MatchedPart]:
    """Contrast a network with the observers by several matches of exits, in each condition that both answered.

    Args:
        evaluation: Evaluation on human stimuli.
        group: Human answers.
        kinds: How exits are matched to response times.
        seed: Seed of the halves of images.
    """
    parts = list(_parts(evaluation, group))
    if not parts:
        return
    whole = parts[-1]
    levels = {level: code for code, level in enumerate(sorted(set(whole.answers.levels.tolist())))}
    base = _contrast(whole, np.zeros(whole.answers.right.shape[0]), levels)
    trials = Trials(whole.answers.right, base.scores, base.levels, base.blocks, base.strata)
    fits = {kind: _fit(kind, trials, evaluation, whole.shared.observers, seed) for kind in kinds}
    for part in parts:
        images = np.searchsorted(whole.images, part.images)
        yield MatchedPart(
            part,
            {kind: fitted for kind, (fitted, _) in fits.items()},
            {kind: _contrast(part, score[images], levels) for kind, (_, score) in fits.items()},
        )


def _parts(evaluation: Evaluation, group: ObserverGroup) -> Iterator[Part]:
    """Split an evaluation into conditions with human answers: each level, then all levels if there are several."""
    answers = evaluation.answers
    shared = group.shared_with(evaluation.regime, answers)
    if shared is None:
        return
    masks = {name: mask for name, mask in evaluation.conditions.items() if (mask & shared.images).any()}
    single = [name for name, mask in masks.items() if not mask.all() or len(masks) == 1]
    for name, mask in masks.items():
        pooled = mask.all()
        if pooled and len(single) == 1 and name not in single:
            continue  # the comparison over all levels would repeat that of the only level
        in_condition = shared if pooled else group.shared_with(evaluation.regime, answers.of(mask))
        if in_condition is not None:
            images = np.flatnonzero(mask)[in_condition.images]
            yield Part(name, answers.of(images), in_condition, images, bool(pooled) or len(single) == 1)


def _contrast(part: Part, score: np.ndarray, levels: dict[str, int]) -> Contrast:
    answers = part.answers
    return Contrast(
        labels=answers.labels,
        levels=np.array([levels[level] for level in answers.levels.tolist()]),
        blocks=answers.blocks,
        network=score,
        exits=answers.right,
        scores=part.shared.observers.scores,
    )


def _fit(
    kind: Exits, trials: Trials, evaluation: Evaluation, observers: ConditionObservers, seed: int
) -> tuple[Match, np.ndarray]:
    """Match blocks to exits, and score the network on each image at the match, (images,)."""
    if kind not in exits.FITTED:
        match = Match(exits.unfitted_positions(trials.right.shape[1], kind))
        return match, exits.per_image(trials.right, trials.blocks, match.positions)
    axis = exits.axis_of(kind, evaluation.multiply_adds, _rising_times(observers))
    match = trials.match(np.arange(len(trials.blocks)), axis)
    return match, exits.cross_fitted(trials, axis, generator(seed, Stream.EXIT_HALVES))


def _rising_times(observers: ConditionObservers) -> np.ndarray:
    """Return the mean response times, or the beeps if the means of few answers do not rise from block to block."""
    times = np.where(np.isnan(observers.mean_times), BEEP_TIMES, observers.mean_times)
    return times if (np.diff(times) > 0).all() else BEEP_TIMES


def _comparison(
    evaluation: Evaluation, matched: MatchedPart, match: Exits, misses: str, seed: int
) -> Comparison:
    part, fitted = matched.part, matched.matches[match]
    sides, affine = matched.contrasts[match], matched.contrasts[Exits.AFFINE]
    curves, categories = sides.curves, sides.categories
    gaps = contrast.difference(*curves)
    found = estimate(
        part.answers, part.shared.observers, sides, affine, fitted,
        multiply_adds=evaluation.multiply_adds, regime=evaluation.regime, misses=misses, seed=seed,
    )  # fmt: skip
    return Comparison(
        evaluation=evaluation,
        condition=part.condition,
        answers=part.answers,
        shared=part.shared,
        match=fitted,
        contrast=sides,
        network=sides.network_accuracies(curves[0], sides.blocks),
        human=sides.human_accuracies(curves[1]),
        difference=[student(gaps.select([block])) for block in range(BLOCKS)],
        network_categories=sides.network_accuracies(categories[0], sides.labels),
        human_categories=sides.human_accuracies(categories[1]),
        estimates=found.measures,
        found=found,
        pooled=part.pooled,
        affine=matched.matches[Exits.AFFINE],
        affine_score=affine.network,
    )
