"""Antialiased resizing on the device: the one function between a perturbed picture and a network's input.

Training, validation, kept features and human stimuli all pass through it, so that a perturbation of a given
strength reaches the network alike wherever it comes from.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from convrnn_model.backend import ops

BAND = 16
"""Output pixels per matrix product. They depend on a short run of input pixels, and the rest of a row is zero."""


@cache
def resize_matrix(source: int, size: int) -> np.ndarray:
    """Return the weights of each output pixel of a line on its input pixels, (size, source) float32.

    A triangle filter (linear interpolation), as wide as an output pixel where the line gets shorter, normalised to a
    sum of 1: the filter of Pillow's `BILINEAR` and of TensorFlow's `antialias=True`.

    Args:
        source: pixels of a line before.
        size: pixels after.
    """
    scale = source / size
    centres = (np.arange(size) + 0.5) * scale
    distance = np.abs(np.arange(source) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(1.0 - distance, 0.0)
    matrix = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False  # cached
    return matrix


def resize(images: Any, size: int) -> Any:
    """Resize squares of the same size; exact, linear and differentiable, with the same kernel on any backend.

    Args:
        images: (batch, side, side, channels) float; the side and the channels are known before the batch.
        size: side of the result, px. Equal to `side`, the images are returned as they are.

    Returns:
        (batch, size, size, channels).
    """
    _, height, width, channels = images.shape
    if height == width == size:
        return images
    lines = ops.reshape(images, (-1, height, width * channels))
    bands = [ops.matmul(one.weights, lines[:, one.start : one.stop]) for one in _bands(height, size, 1)]
    pixels = ops.reshape(ops.concatenate(bands, axis=1), (-1, width * channels))
    # Channels are interleaved, so each weight is repeated for all of them: cheaper than to transpose the images.
    bands = [
        ops.matmul(pixels[:, one.start : one.stop], one.weights.T) for one in _bands(width, size, channels)
    ]
    return ops.reshape(ops.concatenate(bands, axis=1), (-1, size, size, channels))


class _Band(NamedTuple):
    """Some consecutive rows of a resize matrix, without the columns that are zero in all of them."""

    start: int
    stop: int
    weights: np.ndarray


@cache
def _bands(source: int, size: int, channels: int) -> tuple[_Band, ...]:
    matrix = np.kron(resize_matrix(source, size), np.eye(channels, dtype=np.float32))
    found = []
    for first in range(0, len(matrix), BAND * channels):
        rows = matrix[first : first + BAND * channels]
        used = np.flatnonzero(rows.any(axis=0))
        start, stop = int(used[0]), int(used[-1]) + 1
        found.append(_Band(start, stop, rows[:, start:stop]))
    return tuple(found)
