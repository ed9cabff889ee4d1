"""Matching of a network's exits to human response times.

SATBench scored the images of response-time block i at exit i (arXiv 2206.08427), and did not publish which five of the
eight exits of the network it used. The peer-reviewed version (Journal of Vision 2025, 25(1):4) maps network time to
milliseconds by a speed and a delay. Here, a match assigns each block a position from 0 to exits - 1, and interpolates
accuracy between two exits.

A match that is fitted to human curves is scored on images to which it was not fitted (`cross_fitted`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.options import Exits as Exits
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.contrast import observer_accuracies
from convrnn_experiments.statistics.means import mean_over, membership, safe_divide

_GRID = 0.25
_SPLITS = 10


FITTED = (Exits.LINEAR, Exits.AFFINE, Exits.AFFINE_COST)
_HELD_OUT = (
    "fitted per network and regime to one half of the images and scored on the other, over random halves"
)
MEANING = {
    Exits.INDEX: "response-time block i is matched to exit i, as in SATBench (2022), or to the last exit if there are "
    "fewer; the default, because it has no fitted parameters",
    Exits.LINEAR: f"response-time blocks are matched to evenly spaced positions between two exits, {_HELD_OUT}",
    Exits.ALL: "response-time blocks are spread evenly over all exits, from the first to the last",
    Exits.AFFINE: "time steps are mapped to mean human response times by a speed (ms per step) and a delay (ms), as in "
    f"SATBench (2025), {_HELD_OUT}",
    Exits.AFFINE_COST: "multiply-adds are mapped to mean human response times by a speed and a delay (ms), as in "
    f"SATBench (2025), {_HELD_OUT}",
}


@dataclass(frozen=True)
class Axis:
    """Time axes of both sides of a fitted match.

    Attributes:
        network: Rising time of the network at each exit, (exits,): time steps or multiply-adds.
        human: Rising human time of each block, (blocks,): mean response times in ms, or block numbers.
        bounded: Whether the position of every block must be between the first and the last exit.
    """

    network: np.ndarray
    human: np.ndarray
    bounded: bool = False


@dataclass(frozen=True)
class Match:
    """Positions of the response-time blocks on the exits of a network.

    Attributes:
        positions: Positions from 0 to exits - 1, (blocks,).
        speed: Human time per unit of network time, such as ms per time step; NaN without a fit.
        delay: Human time at network time 0; NaN without a fit.
    """

    positions: np.ndarray
    speed: float = float("nan")
    delay: float = float("nan")


def axis_of(match: Exits, multiply_adds: np.ndarray, mean_times: np.ndarray) -> Axis:
    """Choose the axes of a fitted match.

    Args:
        match: One of `FITTED`.
        multiply_adds: Multiply-adds up to each exit, (exits,); NaN where unknown.
        mean_times: Mean human response times in ms, (blocks,).

    Raises:
        ConvRNNError: The match needs multiply-adds that are unknown.
    """
    if match == Exits.AFFINE_COST and np.isnan(multiply_adds).any():
        raise ConvRNNError(
            f"cannot match exits by {match}: every network must have its multiply-adds, got one without. Give a column "
            "multiply_adds in its file, or choose another match with --exits"
        )
    steps = np.arange(1.0, len(multiply_adds) + 1)
    if match == Exits.LINEAR:
        return Axis(steps, np.arange(1.0, BLOCKS + 1), bounded=True)
    return Axis(steps if match == Exits.AFFINE else multiply_adds, mean_times)


def unfitted_positions(exits: int, match: Exits) -> np.ndarray:
    """Return the positions of the blocks on the exits for matches without a fit, (blocks,)."""
    if match == Exits.ALL:
        return np.linspace(0, exits - 1, BLOCKS)
    return np.minimum(np.arange(BLOCKS), exits - 1).astype(float)


def fit(network: ArrayLike, human: ArrayLike, axis: Axis) -> Match:
    """Find the affine map of network time to human time with the least curve error; the earliest wins a tie.

    Searches the network times of the first and last blocks on a grid of a quarter of a time step. A time before the
    first exit or after the last is scored at that exit.

    Args:
        network: Accuracy in percent on the images of each block at each exit, (conditions, blocks, exits).
        human: Accuracy in percent, (conditions, blocks).
        axis: Time axes of both.
    """
    curves, target = np.asarray(network, dtype=float), np.asarray(human, dtype=float)
    last = curves.shape[-1] - 1
    beyond = 0 if axis.bounded or not last else last
    grid = np.arange(-beyond, last + beyond + _GRID / 2, _GRID)
    times = _extrapolated(grid, axis.network)
    first, final = (values.ravel() for values in np.meshgrid(times, times, indexing="ij"))
    rising = first < final if last else first <= final
    first, final = first[rising], final[rising]
    span = axis.human[-1] - axis.human[0]
    share = (axis.human - axis.human[0]) / span
    block_times = first[:, None] + (final - first)[:, None] * share
    candidates = np.interp(block_times, axis.network, np.arange(last + 1.0))
    errors = _errors(curves, target, candidates)
    if np.isnan(errors).all():
        return Match(unfitted_positions(last + 1, Exits.INDEX))
    best = int(np.nanargmin(errors))
    width = final[best] - first[best]
    speed = float(span / width) if width else float("nan")
    return Match(candidates[best], speed, float(axis.human[0] - speed * first[best]))


def _extrapolated(index: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Interpolate times at positions on the exits, and extrapolate them linearly beyond both ends."""
    if len(times) < 2:
        return np.full(len(index), times[0])
    inside = np.interp(index, np.arange(len(times)), times)
    before = times[0] + np.minimum(index, 0) * (times[1] - times[0])
    after = times[-1] + np.maximum(index - len(times) + 1, 0) * (times[-1] - times[-2])
    return np.where(index < 0, before, np.where(index > len(times) - 1, after, inside))


def _errors(curves: np.ndarray, target: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the mean squared curve error of each row of positions over shared conditions and blocks."""
    low = np.floor(candidates).astype(int)
    high = np.minimum(low + 1, curves.shape[-1] - 1)
    share, rows = candidates - low, np.arange(curves.shape[1])
    interpolated = (1 - share) * curves[:, rows, low] + share * curves[:, rows, high]
    return mean_over((interpolated - target[:, None, :]) ** 2, axis=(0, 2))


@dataclass(frozen=True)
class Trials:
    """Trials to which a match is fitted.

    Attributes:
        right: Whether the network is right, (images, exits).
        scores: Scores of the observers, (observers, images), 0 to 1; NaN without a trial.
        levels: Codes of the levels, from 0, (images,).
        blocks: Response-time blocks, 0 to 4, (images,).
        strata: Codes of the strata, (images,); halves are drawn within strata.
    """

    right: np.ndarray
    scores: np.ndarray
    levels: np.ndarray
    blocks: np.ndarray
    strata: np.ndarray

    def match(self, rows: np.ndarray, axis: Axis) -> Match:
        """Fit a match to some of the images, by position."""
        count = int(self.levels.max(initial=0)) + 1
        cells = (self.levels * BLOCKS + self.blocks)[rows]
        member = membership(cells, count * BLOCKS)
        totals = 100.0 * member.T @ self.right[rows]
        network = safe_divide(totals, np.broadcast_to(member.sum(axis=0)[:, None], totals.shape))
        human = mean_over(observer_accuracies(self.scores[:, rows], cells, count * BLOCKS))
        return fit(network.reshape(count, BLOCKS, -1), human.reshape(count, BLOCKS), axis)


def cross_fitted(trials: Trials, axis: Axis, rng: np.random.Generator) -> np.ndarray:
    """Score the network on each image at positions fitted without the image, (images,), 0 to 1.

    Images are split in halves at random within strata. Each half is scored at the match fitted to the other half, and
    the scores are averaged over the splits.
    """
    total = np.zeros(len(trials.blocks))
    for _ in range(_SPLITS):
        order = rng.permutation(len(total))
        order = order[np.argsort(trials.strata[order], kind="stable")]
        for fitted, tested in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            match = trials.match(fitted, axis)
            total[tested] += per_image(trials.right[tested], trials.blocks[tested], match.positions)
    return total / _SPLITS


def per_image(right: np.ndarray, blocks: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Score each image at the position of its block: (images, exits) -> (images,), 0 to 1."""
    low = np.floor(positions).astype(int)[blocks]
    high = np.minimum(low + 1, right.shape[1] - 1)
    share = (positions - np.floor(positions))[blocks]
    rows = np.arange(len(right))
    return (1 - share) * right[rows, low] + share * right[rows, high]


def nearest(right: np.ndarray, blocks: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return whether the network is right on each image at the exit nearest to the position of its block, (images,)."""
    exit_of_block = np.minimum(np.floor(positions + 0.5).astype(int), right.shape[1] - 1)
    return right[np.arange(len(right)), exit_of_block[blocks]]


def describe(match: Match, kind: Exits) -> str:
    """Describe a match, with time steps counted from 1: `RT 1-5 at steps 1, 2, 3, 4, 5`."""
    text = f"RT 1-{BLOCKS} at steps " + ", ".join(
        f"{position + 1:g}" for position in match.positions.round(2)
    )
    if kind in (Exits.AFFINE, Exits.AFFINE_COST) and np.isfinite(match.speed):
        unit = "time step" if kind == Exits.AFFINE else "million multiply-adds"
        speed = match.speed * (1 if kind == Exits.AFFINE else 1e6)
        text += f" ({speed:.3g} ms per {unit}, delay {match.delay:.0f} ms)"
    return text
