"""Which of a network's exits goes with which of people's response times.

SATBench scored the images of response-time block i at exit i (arXiv 2206.08427); which five of the network's eight
exits it took is not published. The peer-reviewed version (Journal of Vision 2025, 25(1):4) maps the network's time to
milliseconds by a speed and a delay. Here an exit is a position from 0 to exits - 1, between exits as well, and a match
gives a position to each block; accuracy between two exits is interpolated.

A match that is fitted to people's curves is scored on images that it was not fitted on (`cross_fitted`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.comparison.options import Exits as Exits
from convrnn_experiments.statistics.contrast import BLOCKS, observer_accuracies
from convrnn_experiments.statistics.means import mean_over, membership, safe_divide

_GRID = 0.25
_SPLITS = 10


FITTED = (Exits.LINEAR, Exits.AFFINE, Exits.AFFINE_COST)
_HELD_OUT = (
    "fitted for each network and regime on one half of the images and scored on the other, over random halves"
)
MEANING = {
    Exits.INDEX: "response-time block i goes with exit i, as in SATBench (2022), and with the last where exits "
    "run out; the default, since nothing is fitted",
    Exits.LINEAR: f"response-time blocks go with evenly spaced positions between two exits, {_HELD_OUT}",
    Exits.ALL: "all exits are used: the first goes with the first response-time block, the last with the last, "
    "and those between evenly",
    Exits.AFFINE: "time steps are mapped to people's mean response times by a speed (ms per step) and a delay (ms), as "
    f"in SATBench (2025), {_HELD_OUT}",
    Exits.AFFINE_COST: "multiply-adds are mapped to people's mean response times by a speed and a delay (ms), as in "
    f"SATBench (2025), {_HELD_OUT}",
}


@dataclass(frozen=True)
class Axis:
    """Both sides of a fitted match.

    Attributes:
        network: (exits,) the network's time at each exit, rising: time steps, or multiply-adds.
        people: (blocks,) people's time at each block, rising: mean response times in ms, or the blocks' numbers.
        bounded: whether every block's position must lie between the first and the last exit.
    """

    network: np.ndarray
    people: np.ndarray
    bounded: bool = False


@dataclass(frozen=True)
class Match:
    """Positions of the response-time blocks on the network's exits.

    Attributes:
        where: (blocks,) positions from 0 to exits - 1.
        speed: people's time per unit of the network's, such as ms per time step; NaN where nothing is fitted.
        delay: people's time at the network's time 0; NaN where nothing is fitted.
    """

    where: np.ndarray
    speed: float = float("nan")
    delay: float = float("nan")


def axis_of(match: Exits, multiply_adds: np.ndarray, mean_times: np.ndarray) -> Axis:
    """The axes of a fitted match.

    Args:
        match: one of `FITTED`.
        multiply_adds: (exits,) up to each exit.
        mean_times: (blocks,) people's mean response times in ms.
    """
    steps = np.arange(1.0, len(multiply_adds) + 1)
    if match == Exits.LINEAR:
        return Axis(steps, np.arange(1.0, BLOCKS + 1), bounded=True)
    return Axis(steps if match == Exits.AFFINE else multiply_adds, mean_times)


def positions(exits: int, match: Exits) -> np.ndarray:
    """(blocks,) positions on the network's exits, for the matches that need no fit."""
    if match == Exits.ALL:
        return np.linspace(0, exits - 1, BLOCKS)
    return np.minimum(np.arange(BLOCKS), exits - 1).astype(float)


def fit(network: ArrayLike, people: ArrayLike, axis: Axis) -> Match:
    """The affine map of the network's time to people's with the least curve error; the earliest of equals.

    The search is over the network's times of the first and of the last block, on a grid of a quarter of a time step.
    A time before the first exit or after the last takes that exit.

    Args:
        network: accuracy in percent of each block's images at each exit, (conditions, blocks, exits).
        people: accuracy in percent, (conditions, blocks).
        axis: both times.
    """
    curves, wanted = np.asarray(network, dtype=float), np.asarray(people, dtype=float)
    last = curves.shape[-1] - 1
    beyond = 0 if axis.bounded or not last else last
    grid = np.arange(-beyond, last + beyond + _GRID / 2, _GRID)
    times = _extended(grid, axis.network)
    first, final = (values.ravel() for values in np.meshgrid(times, times, indexing="ij"))
    rising = first < final if last else first <= final
    first, final = first[rising], final[rising]
    span = axis.people[-1] - axis.people[0]
    share = (axis.people - axis.people[0]) / span
    tried = first[:, None] + (final - first)[:, None] * share
    where = np.interp(tried, axis.network, np.arange(last + 1.0))
    errors = _errors(curves, wanted, where)
    if np.isnan(errors).all():
        return Match(positions(last + 1, Exits.INDEX))
    best = int(np.nanargmin(errors))
    width = final[best] - first[best]
    speed = float(span / width) if width else float("nan")
    return Match(where[best], speed, float(axis.people[0] - speed * first[best]))


def _extended(index: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Times at positions on the exits, continued beyond both ends with the slope that they have there."""
    if len(times) < 2:
        return np.full(len(index), times[0])
    inside = np.interp(index, np.arange(len(times)), times)
    before = times[0] + np.minimum(index, 0) * (times[1] - times[0])
    after = times[-1] + np.maximum(index - len(times) + 1, 0) * (times[-1] - times[-2])
    return np.where(index < 0, before, np.where(index > len(times) - 1, after, inside))


def _errors(curves: np.ndarray, wanted: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(tried,) mean squared curve error of each row of positions, over the conditions and blocks that both have."""
    low = np.floor(where).astype(int)
    high = np.minimum(low + 1, curves.shape[-1] - 1)
    share, rows = where - low, np.arange(curves.shape[1])
    found = (1 - share) * curves[:, rows, low] + share * curves[:, rows, high]
    squares = (found - wanted[:, None, :]) ** 2
    return mean_over(squares, axis=(0, 2))


@dataclass(frozen=True)
class Trials:
    """What a match is fitted to; columns of every array are images.

    Attributes:
        right: (images, exits) whether the network is right.
        scores: (observers, images) people's scores, 0 to 1; NaN without a trial.
        levels: (images,) codes from 0.
        blocks: (images,) 0 to 4.
        strata: (images,) codes; halves are drawn within each.
    """

    right: np.ndarray
    scores: np.ndarray
    levels: np.ndarray
    blocks: np.ndarray
    strata: np.ndarray

    def match(self, rows: np.ndarray, axis: Axis) -> Match:
        """Fit a match to some of the images."""
        count = int(self.levels.max(initial=0)) + 1
        cells = (self.levels * BLOCKS + self.blocks)[rows]
        member = membership(cells, count * BLOCKS)
        totals = 100.0 * member.T @ self.right[rows]
        network = safe_divide(totals, np.broadcast_to(member.sum(axis=0)[:, None], totals.shape))
        people = mean_over(observer_accuracies(self.scores[:, rows], cells, count * BLOCKS))
        return fit(network.reshape(count, BLOCKS, -1), people.reshape(count, BLOCKS), axis)


def cross_fitted(trials: Trials, axis: Axis, rng: np.random.Generator) -> np.ndarray:
    """The network's score on each image at positions that were fitted without it, (images,), 0 to 1.

    The images are halved at random within strata; each half is scored by the match that is fitted to the other, and
    the scores are averaged over halvings.
    """
    total = np.zeros(len(trials.blocks))
    for _ in range(_SPLITS):
        order = rng.permutation(len(total))
        order = order[np.argsort(trials.strata[order], kind="stable")]
        for fitted, tested in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            where = trials.match(fitted, axis).where
            total[tested] += per_image(trials.right[tested], trials.blocks[tested], where)
    return total / _SPLITS


def per_image(right: np.ndarray, blocks: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Score of each image's answers at its block's position: (images, exits) -> (images,), 0 to 1."""
    low = np.floor(where).astype(int)[blocks]
    high = np.minimum(low + 1, right.shape[1] - 1)
    share = (where - np.floor(where))[blocks]
    rows = np.arange(len(right))
    return (1 - share) * right[rows, low] + share * right[rows, high]


def nearest(right: np.ndarray, blocks: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Whether each image's answer is right at the exit nearest to its block's position, (images,)."""
    exit_of = np.minimum(np.floor(where + 0.5).astype(int), right.shape[1] - 1)
    return right[np.arange(len(right)), exit_of[blocks]]


def described(match: Match, kind: Exits) -> str:
    """A match in words, time steps counted from 1: `RT 1-5 at steps 1, 2, 3, 4, 5`."""
    words = f"RT 1-{BLOCKS} at steps " + ", ".join(f"{position + 1:g}" for position in match.where.round(2))
    if kind in (Exits.AFFINE, Exits.AFFINE_COST) and np.isfinite(match.speed):
        unit = "time step" if kind == Exits.AFFINE else "million multiply-adds"
        speed = match.speed * (1 if kind == Exits.AFFINE else 1e6)
        words += f" ({speed:.3g} ms per {unit}, delay {match.delay:.0f} ms)"
    return words
