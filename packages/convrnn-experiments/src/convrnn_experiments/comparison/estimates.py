"""Estimates of all measures of a network and humans in one condition."""

from dataclasses import dataclass

import numpy as np

from convrnn_data.base.random_streams import Stream, generator
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison import agreement, exits
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES, ConditionObservers
from convrnn_experiments.comparison.exits import Match
from convrnn_experiments.comparison.observer_ceilings import ceilings_of
from convrnn_experiments.comparison.sat_fits import SatFits, fit_sides
from convrnn_experiments.conditions import has_blocks
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.statistics import contrast
from convrnn_experiments.statistics.array_cache import cached_by_content
from convrnn_experiments.statistics.ceilings import Ceiling
from convrnn_experiments.statistics.contrast import Contrast, student
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate, without_interval
from convrnn_experiments.statistics.resampling import Bootstrapped
from convrnn_experiments.statistics.uncertainty import leading_evidence, uncertainty_area

_NEED_BLOCKS = ("sat_", "steepness_", "response_time_", "accuracy_range_")
"""Beginnings of the names of measures over response-time blocks."""
_TIMES = {False: "response_time_correlation", True: "response_time_correlation_correct"}
_OTHER_TIMES = ("response_time_area", "response_time_margin", "response_time_accumulator")
"""Correlations with the same human times as the first, of response times that the network's readout gives otherwise."""
_EQUAL = "all images have the same response time"


@dataclass(frozen=True)
class Bootstraps:
    """Bootstrap replicates of the measures by image, for paired differences; None where undefined.

    Attributes:
        consistency: Error consistency.
        times: Measure -> correlation of response times.
    """

    consistency: Bootstrapped
    times: dict[str, Bootstrapped | None]


def bootstraps(
    answers: Answers, observers: ConditionObservers, sides: Contrast, match: Match, seed: int
) -> Bootstraps:
    """Resample images and observers; networks on the same images and observers share the samples.

    Args:
        answers: Answers of the network.
        observers: Observers on the same images.
        sides: Both sides as arrays, for the strata.
        match: Exits matched to the response-time blocks.
        seed: Seed of the resampling, and of the halves of images.
    """
    weights = agreement.resample(sides.strata, len(observers.ids), seed)
    right = exits.nearest(answers.right, answers.blocks, match.positions)
    times = {
        measure: agreement.bootstrapped_times(answers.entropy, observers, weights, correct=correct, seed=seed)
        for correct, measure in _TIMES.items()
    } | {
        measure: agreement.bootstrapped_times(uncertainty, observers, weights, seed=seed)
        for measure, uncertainty in _uncertainties(answers).items()
    }
    return Bootstraps(agreement.bootstrapped_consistency(right, answers, observers, weights), times)


def _uncertainties(answers: Answers) -> dict[str, np.ndarray]:
    """Return the uncertainty behind each of `_OTHER_TIMES`; the area, (images,), needs no threshold."""
    several = answers.entropy.shape[1] > 1
    area = uncertainty_area(answers.entropy) if several else np.full(len(answers.labels), np.nan)
    evidence = leading_evidence(answers.answers, answers.confidence)
    return dict(zip(_OTHER_TIMES, (area, -answers.margin, -evidence), strict=True))


@dataclass(frozen=True)
class ConditionEstimates:
    """Estimates in one condition.

    Attributes:
        measures: Measure -> estimate.
        sat: Fitted SAT functions.
        ceilings: Measure -> ceiling among humans, for the measures that have one.
        bootstraps: Replicates behind the measures by image.
        reasons: Measure -> reason why it is undefined; "" or missing if it is defined or the reason is not known.
    """

    measures: dict[str, Estimate]
    sat: SatFits
    ceilings: dict[str, Ceiling]
    bootstraps: Bootstraps
    reasons: dict[str, str]


def estimate(
    answers: Answers,
    observers: ConditionObservers,
    sides: Contrast,
    affine: Contrast,
    match: Match,
    *,
    multiply_adds: np.ndarray,
    regime: str,
    misses: str,
    seed: int,
) -> ConditionEstimates:
    """Estimate all measures.

    Args:
        answers: Answers of the network.
        observers: Observers on the same images.
        sides: Both sides as arrays, with the network scored at the match.
        affine: Both sides as arrays, with the network scored at affine matches fitted without the image.
        match: Exits matched to the response-time blocks.
        multiply_adds: Multiply-adds per image up to each time step, (time,).
        regime: Regime or experiment of the images.
        misses: Convention for missed trials.
        seed: Seed of the resampling, and of the halves of images and observers.
    """
    halves = contrast.split_halves(sides, generator(seed, Stream.OBSERVER_HALVES))
    slopes = sides.network_steepness(), sides.human_steepness(BEEP_TIMES)
    drawn = bootstraps(answers, observers, sides, match, seed)
    sat = fit_sides(sides, observers, multiply_adds, misses)
    weights = agreement.resample(sides.strata, len(observers.ids), seed)
    measures = {
        "sat_rmse": sides.rmse(),
        "sat_rmse_raw": without_interval(sides.raw_rmse()),
        "sat_rmse_floor": without_interval(halves.rmse),
        "sat_rmse_affine": affine.rmse() if answers.right.shape[1] > 1 else UNDEFINED,
        "category_correlation": sides.correlation(),
        "category_correlation_raw": without_interval(sides.raw_correlation()),
        "category_correlation_ceiling": without_interval(halves.correlation),
        "steepness_network": student(slopes[0]),
        "steepness_people": student(slopes[1]),
        "steepness_difference": student(contrast.difference(*slopes)),
        "error_consistency": agreement.error_consistency(
            drawn.consistency, agreement.shared_trials(answers, observers)
        ),
        "error_consistency_people": agreement.ceiling(answers, observers, weights),
        **{name: agreement.response_time_correlation(found) for name, found in drawn.times.items()},
        **sat.estimates(),
    }
    ceilings = _ceilings(observers, sides, seed)
    ceilings |= dict.fromkeys(_OTHER_TIMES, ceilings[_TIMES[False]])
    ceilings["error_consistency"] = Ceiling(UNDEFINED, measures["error_consistency_people"])
    return ConditionEstimates(
        dashed_without_blocks(measures, regime),
        sat,
        ceilings if has_blocks(regime) else {name: one for name, one in ceilings.items() if _blockless(name)},
        drawn,
        sat.reasons() | _time_reasons(answers, drawn),
    )


def _time_reasons(answers: Answers, drawn: Bootstraps) -> dict[str, str]:
    """Return why correlations of response times are undefined."""
    if answers.answers.shape[1] < 2:
        reason = "the network has one time step"
    elif np.isnan(answers.entropy).any():
        reason = "the predictions do not have probabilities"
    else:
        reason = "too few images have a human response time"
    reasons = {
        measure: (_EQUAL if np.isnan(found.replicates[0]) else "") if found else reason
        for measure, found in drawn.times.items()
    }
    if drawn.times["response_time_area"]:
        for measure, column in (
            ("response_time_margin", "margin"),
            ("response_time_accumulator", "confidence"),
        ):
            if drawn.times[measure] is None:
                reasons[measure] = f"the predictions do not have the {column}; run `convrnn evaluate` again"
    return reasons


def _ceilings(observers: ConditionObservers, sides: Contrast, seed: int) -> dict[str, Ceiling]:
    found = _cached_ceilings(
        observers.scores,
        *(observers.standardized_times(correct=correct) for correct in _TIMES),
        labels=sides.labels,
        cells=sides.levels * BLOCKS + sides.blocks,
        blocks=sides.blocks,
        strata=sides.strata,
        seed=seed,
    )
    return dict(found)


@cached_by_content
def _cached_ceilings(
    scores: np.ndarray, *times: np.ndarray, seed: int, **groups: np.ndarray
) -> dict[str, Ceiling]:
    """Compute the ceilings once for all networks on the same images; `times` are in the order of `_TIMES`."""
    rng = generator(seed, Stream.CEILING_HALVES)
    return ceilings_of(scores, dict(zip(_TIMES.values(), times, strict=True)), rng=rng, **groups)


def dashed_without_blocks(estimates: dict[str, Estimate], regime: str) -> dict[str, Estimate]:
    """Leave undefined what needs response-time blocks if the experiment does not have them."""
    if has_blocks(regime):
        return estimates
    return {name: value if _blockless(name) else UNDEFINED for name, value in estimates.items()}


def _blockless(measure: str) -> bool:
    return not measure.startswith(_NEED_BLOCKS)
