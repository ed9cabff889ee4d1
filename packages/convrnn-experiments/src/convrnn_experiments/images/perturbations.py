"""The regimes' perturbations of image batches on the device, in keras.ops.

Levels and noise are drawn from the given seed generator when the function runs, not while it is traced, so a traced
graph draws anew for each batch.
"""

import math
from functools import cache
from typing import Any

import numpy as np

from convrnn_data.base.random_streams import Stream, seed_sequence
from convrnn_experiments.conditions import Condition
from convrnn_experiments.images.resizing import resize, resize_matrix
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runtime.processes import ReplicaSeeds
from convrnn_model.backend import keras, ops

LUMA = (0.2989, 0.587, 0.114)
"""ITU-R BT.601 luma weights of red, green and blue."""

TRUNCATE = 4.0
"""Radius of the Gaussian blur kernel, SDs, as in scipy.ndimage."""

TRUNCATE_NOISE = 2.0
"""Truncation of the noise, SDs."""


def perturb(
    images: Any,
    condition: Condition,
    *,
    seed_generator: keras.random.SeedGenerator,
    levels: Any = None,
    size: int | None = None,
) -> tuple[Any, Any]:
    """Apply a regime to a batch of images.

    Args:
        images: (batch, height, width, 3) float32 in [0, 1], with static height and width.
        condition: A row of `conditions.CONDITIONS`.
        seed_generator: Source of the random levels and noise.
        levels: (batch,) SDs, in the condition's unit; by default, drawn uniformly from `condition.levels`.
        size: Side of the result, px, to which square images are resized after the perturbation (see
            `resizing.resize`); by default, that of the images.

    Returns:
        Perturbed images in [0, 1], and the levels applied, (batch,).

    Source: SATBench (doi 10.1167/jov.25.1.4; preprint arXiv 2206.08427, section 3): grayscale by luma; noise at
    contrast 0.2 about a mean of 0.5, Gaussian, truncated at 2 SD by redrawing, one value per pixel for all channels;
    Gaussian blur of each channel.
    """
    height, width = images.shape[1:3]
    if levels is None:
        chosen = _draw_indices(condition, ops.shape(images)[0], seed_generator)
        levels = ops.take(np.array(condition.levels, np.float32), chosen, axis=0)
    else:
        chosen, levels = None, ops.cast(levels, "float32")
    if condition.perturbation == "blur":
        if chosen is None:
            return blur(images, levels, size), levels
        tables = (_kernel_table(condition.levels, side, size or side) for side in (height, width))
        return _filtered(images, *(ops.take(table, chosen, axis=0) for table in tables)), levels
    if condition.grayscale:
        images = luma(images)  # one channel until the end: a third of the work
    if condition.contrast is not None:
        images = scale_contrast(images, condition.contrast)
    if condition.perturbation == "noise":
        images = add_noise(images, levels, seed_generator)
    if size is not None:
        images = resize(images, size)
    return (ops.repeat(images, 3, axis=-1) if condition.grayscale else images), levels


def draw_levels(condition: Condition, batch: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """Draw one of the condition's levels for each image, uniformly: (batch,) float32."""
    chosen = _draw_indices(condition, batch, seed_generator)
    return ops.take(np.array(condition.levels, np.float32), chosen, axis=0)


def _draw_indices(condition: Condition, batch: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """Draw an index into the condition's levels for each image, (batch,)."""
    return keras.random.randint((batch,), 0, len(condition.levels), dtype="int32", seed=seed_generator)


def luma(images: Any) -> Any:
    """Return the brightness of each pixel: (batch, height, width, 3) -> (batch, height, width, 1)."""
    red, green, blue = (weight * images[..., at : at + 1] for at, weight in enumerate(LUMA))
    return red + green + blue


def scale_contrast(images: Any, contrast: float) -> Any:
    """Set each image's mean (over pixels and channels) to 0.5, and multiply the deviations from it by `contrast`."""
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return 0.5 + contrast * (images - mean)


def add_noise(images: Any, levels: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """Add Gaussian noise of SD `levels` (batch,), truncated at 2 SD, equal in all channels; clip to [0, 1].

    Truncation lowers the SD of the noise to 0.880 of the level.
    """
    # The inverse distribution function of uniform numbers has the distribution of redrawn values, at half the cost.
    inside = math.erf(TRUNCATE_NOISE / math.sqrt(2))
    shape = (*ops.shape(images)[:3], 1)
    uniform = keras.random.uniform(shape, -inside, inside, dtype="float32", seed=seed_generator)
    sds = ops.reshape(levels, (-1, 1, 1, 1)) * math.sqrt(2)
    return ops.clip(images + ops.erfinv(uniform) * sds, 0.0, 1.0)


def blur(images: Any, levels: Any, size: int | None = None) -> Any:
    """Apply a Gaussian blur of SD `levels` (batch,) pixels; SD 0 leaves an image unchanged.

    Equal to `scipy.ndimage.gaussian_filter` with its default mode and truncation, followed by `resizing.resize`.

    Args:
        images: (batch, height, width, 3).
        levels: (batch,), in pixels of `images`.
        size: Side of the result, px, for square images; by default, that of the images.
    """
    height, width = images.shape[1:3]
    rows = _kernels(levels, height, size or height)
    return _filtered(images, rows, rows if height == width else _kernels(levels, width, size or width))


def _filtered(images: Any, rows: Any, columns: Any) -> Any:
    """Multiply each image from the left by `rows`, then from the right by `columns`; both are (batch, new, old)."""
    _, height, width, channels = images.shape
    (new_height, new_width) = (rows.shape[1], columns.shape[1])
    flat = ops.reshape(images, (-1, height, width * channels))
    filtered = ops.reshape(ops.matmul(rows, flat), (-1, new_height, width, channels))
    transposed = ops.reshape(ops.transpose(filtered, (0, 2, 1, 3)), (-1, width, new_height * channels))
    result = ops.reshape(ops.matmul(columns, transposed), (-1, new_width, new_height, channels))
    return ops.transpose(result, (0, 2, 1, 3))


def _kernels(levels: Any, side: int, size: int, xp: Any = ops) -> Any:
    """Return the weights of a line's input pixels in its output pixels, for blur and resizing: (batch, size, side).

    Both steps are linear and separable, so a single product per axis applies them, including the reflection at the
    borders.
    """
    blurred = _blur_matrices(levels, side, xp)
    return blurred if side == size else xp.matmul(resize_matrix(side, size)[None], blurred)


@cache
def _kernel_table(levels: tuple[float, ...], side: int, size: int) -> np.ndarray:
    """Return `_kernels` of each training level. They are cached because they cost more than the blur itself."""
    return _kernels(np.array(levels, np.float32), side, size, np).astype(np.float32)


def _blur_matrices(levels: Any, size: int, xp: Any = ops) -> Any:
    """Return the weights of a line's input pixels in each blurred pixel, (batch, size, size).

    `xp` is `keras.ops` or `numpy`; the functions used have the same names in both.
    """
    line = xp.arange(size, dtype="float32")
    out, source = line[:, None], line[None, :]
    sd = xp.reshape(levels, (-1, 1, 1))
    radius = xp.floor(TRUNCATE * sd + 0.5)
    safe = xp.where(sd > 0, sd, 1.0)
    weights = 0.0
    for period in (-1, 0, 1):
        # Beyond the border the line is reflected (d c b a | a b c d | d c b a).
        for position in (source + 2.0 * period * size, 2.0 * period * size - 1.0 - source):
            distance = (position - out)[None]
            weights += xp.where(xp.abs(distance) <= radius, xp.exp(-0.5 * (distance / safe) ** 2), 0.0)
    return weights / xp.sum(weights, axis=-1, keepdims=True)


def perturbation_of(config: Config, condition: Condition | None = None, **options: Any) -> "Perturb":
    """Return the perturbation layer of a run's configuration, from uint8 images to the network's input.

    Args:
        config: Configuration of the run.
        condition: Condition to apply; by default, that of the run.
        options: Further arguments of `Perturb`.
    """
    return Perturb(
        condition or config.condition,
        size=config.image_size,
        seed=config.seed,
        name="perturbation",
        dtype="float32",
        **options,
    )


def set_stream(seed_generator: keras.random.SeedGenerator, seed: int, stream: Stream, *indices: int) -> None:
    """Set a seed generator to the start of a random stream; see `convrnn_data.base.random_streams.seed_sequence`."""
    state = seed_sequence(seed, stream, *indices).generate_state(2, dtype=np.uint32)
    seed_generator.state.assign(state)


class Perturb(keras.layers.Layer):
    """Converts images at stimulus size to a network's input: uint8 -> [0, 1] -> perturbed -> resized -> [-1, 1].

    Args:
        condition: Condition to apply.
        size: Side of the network's input, px; by default, that of the images.
        seed: Initial seed of the layer's `seed_generator`; `restart` selects a stream.
        with_levels: Return `(images, levels)` instead of the images alone.
    """

    def __init__(
        self,
        condition: Condition,
        *,
        size: int | None = None,
        seed: int = 0,
        with_levels: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=False, **kwargs)
        self.condition = condition
        self.size = size
        self.seed = seed
        self.with_levels = with_levels
        self.seed_generator = ReplicaSeeds(seed)

    def restart(self, stream: Stream, *indices: int) -> None:
        """Restart the draws, which then depend only on the layer's seed, the stream and the indices."""
        set_stream(self.seed_generator, self.seed, stream, *indices)

    def call(self, images: Any, levels: Any = None) -> Any:
        """Perturb (batch, side, side, 3) uint8 with new draws; returns (batch, size, size, 3) float32 in [-1, 1]."""
        unit = ops.cast(images, "float32") / 255.0
        perturbed, levels = perturb(
            unit, self.condition, seed_generator=self.seed_generator, levels=levels, size=self.size
        )
        scaled = perturbed * 2.0 - 1.0
        return (scaled, levels) if self.with_levels else scaled
