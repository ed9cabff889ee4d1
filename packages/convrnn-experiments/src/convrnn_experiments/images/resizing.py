"""Antialiased resizing on the device, from perturbed images to a network's input.

Training, validation, cached features and human stimuli use the same function, so a perturbation of a given level has
the same effect on the network's input in all of them.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from convrnn_model.backend import ops

BAND = 16
"""Output pixels per matrix product. They depend on few input pixels; the other weights are zero."""


@cache
def resize_matrix(source: int, size: int) -> np.ndarray:
    """Return the weights of a line's input pixels in each output pixel, (size, source) float32.

    The filter is a triangle (linear interpolation), widened to the output pixel for reduction, and normalised to a sum
    of 1, as in Pillow's `BILINEAR` and TensorFlow's `antialias=True`.

    Args:
        source: Number of input pixels.
        size: Number of output pixels.
    """
    scale = source / size
    centres = (np.arange(size) + 0.5) * scale
    distance = np.abs(np.arange(source) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(1.0 - distance, 0.0)
    matrix = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False  # shared by all callers
    return matrix


def resize(images: Any, size: int) -> Any:
    """Resize square images; exact, linear and differentiable, with the same kernel on every backend.

    Args:
        images: (batch, side, side, channels) float, with static side and channels.
        size: Side of the result, px. If it equals `side`, the images are returned unchanged.

    Returns:
        (batch, size, size, channels).
    """
    _, height, width, channels = images.shape
    if height == width == size:
        return images
    lines = ops.reshape(images, (-1, height, width * channels))
    bands = [ops.matmul(band.weights, lines[:, band.start : band.stop]) for band in _bands(height, size, 1)]
    pixels = ops.reshape(ops.concatenate(bands, axis=1), (-1, width * channels))
    # Channels are interleaved, so weights are repeated for each channel: cheaper than transposing the images.
    bands = [
        ops.matmul(pixels[:, band.start : band.stop], band.weights.T)
        for band in _bands(width, size, channels)
    ]
    return ops.reshape(ops.concatenate(bands, axis=1), (-1, size, size, channels))


class _Band(NamedTuple):
    """Consecutive rows of a resize matrix, without leading and trailing columns of zeros."""

    start: int
    stop: int
    weights: np.ndarray


@cache
def _bands(source: int, size: int, channels: int) -> tuple[_Band, ...]:
    """Split the resize matrix of lines with interleaved channels into bands."""
    matrix = np.kron(resize_matrix(source, size), np.eye(channels, dtype=np.float32))
    found = []
    for first in range(0, len(matrix), BAND * channels):
        rows = matrix[first : first + BAND * channels]
        used = np.flatnonzero(rows.any(axis=0))
        start, stop = int(used[0]), int(used[-1]) + 1
        found.append(_Band(start, stop, rows[:, start:stop]))
    return tuple(found)
