"""Which of a network's exits goes with which of people's response times.

SATBench (doi 10.1167/jov.25.1.4) scored the images of response-time block i at exit i; which five of the network's
eight exits it took is not published. Here an exit is a position from 0 to exits - 1, between exits as well, and a match
gives a position to each block; accuracy between two exits is interpolated. The three matches are this project's.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

BLOCKS = 5
_GRID = 0.25


class Exits(StrEnum):
    """How exits are matched to response times."""

    INDEX = "index"
    LINEAR = "linear"
    ALL = "all"


MEANING = {
    Exits.INDEX: "response-time block i goes with exit i; where exits run out, with the last",
    Exits.LINEAR: "response-time blocks go with evenly spaced positions between two exits, those that bring the "
    "network's curves nearest to people's; fitted for each network and regime, and held fixed in the intervals",
    Exits.ALL: "all exits are used: the first goes with the first response-time block, the last with the last, "
    "and those between evenly",
}


def positions(exits: int, match: Exits) -> np.ndarray:
    """(blocks,) positions on the network's exits, for the matches that need no fit."""
    if match == Exits.ALL:
        return np.linspace(0, exits - 1, BLOCKS)
    return np.minimum(np.arange(BLOCKS), exits - 1).astype(float)


def fit_positions(network: ArrayLike, people: ArrayLike) -> np.ndarray:
    """The evenly spaced positions whose curve error is least; the earliest of equals.

    Args:
        network: accuracy in percent of each block's images at each exit, (conditions, blocks, exits).
        people: accuracy in percent, (conditions, blocks).

    Returns:
        (blocks,) positions; those of `Exits.INDEX` where nothing is known of any curve.
    """
    curves, wanted = np.asarray(network, dtype=float), np.asarray(people, dtype=float)
    last = curves.shape[-1] - 1
    ends = np.arange(0, last + _GRID / 2, _GRID)
    starts, stops = (grid.ravel() for grid in np.meshgrid(ends, ends, indexing="ij"))
    rising = starts <= stops
    tried = np.linspace(starts[rising], stops[rising], BLOCKS, axis=-1)
    errors = [np.nanmean((at_positions(curves, one) - wanted) ** 2) for one in tried]
    if np.isnan(errors).all():
        return positions(last + 1, Exits.INDEX)
    return tried[int(np.nanargmin(errors))]


def at_positions(curves: ArrayLike, where: np.ndarray) -> np.ndarray:
    """Each block's value at its position, linear between exits: (..., blocks, exits) -> (..., blocks)."""
    values = np.asarray(curves, dtype=float)
    low = np.floor(where).astype(int)
    high = np.minimum(low + 1, values.shape[-1] - 1)
    rows = np.arange(len(where))
    share = where - low
    return (1 - share) * values[..., rows, low] + share * values[..., rows, high]


def per_image(right: np.ndarray, blocks: np.ndarray, where: np.ndarray) -> np.ndarray:
    """How right each image's answer is at its block's position: (images, exits) -> (images,), 0 to 1."""
    low = np.floor(where).astype(int)[blocks]
    high = np.minimum(low + 1, right.shape[1] - 1)
    share = (where - np.floor(where))[blocks]
    rows = np.arange(len(right))
    return (1 - share) * right[rows, low] + share * right[rows, high]


def nearest(right: np.ndarray, blocks: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Whether each image's answer is right at the exit nearest to its block's position, (images,)."""
    exit_of = np.minimum(np.floor(where + 0.5).astype(int), right.shape[1] - 1)
    return right[np.arange(len(right)), exit_of[blocks]]


def described(where: np.ndarray) -> str:
    """Positions in words, time steps counted from 1: `RT 1-5 with steps 1, 2, 3, 4, 5`."""
    return f"RT 1-{BLOCKS} with steps " + ", ".join(f"{position + 1:g}" for position in where.round(2))
