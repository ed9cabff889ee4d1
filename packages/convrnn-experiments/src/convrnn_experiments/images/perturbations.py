"""The regimes' image transformations, batched, on the device, in keras.ops.

Every level and every noise value is drawn when the function runs, from the seed generator that it is given,
so a graph traced once draws anew for each batch.
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
"""The Gaussian kernel ends at this many SDs, as in scipy.ndimage."""

TRUNCATE_NOISE = 2.0
"""Noise has no values beyond this many SDs."""


def perturb(
    images: Any,
    condition: Condition,
    *,
    seed_generator: keras.random.SeedGenerator,
    levels: Any = None,
    size: int | None = None,
) -> tuple[Any, Any]:
    """Apply a regime to a batch.

    Args:
        images: (batch, height, width, 3) float32 in [0, 1]; height and width are known before the batch.
        condition: a row of `conditions.CONDITIONS`.
        seed_generator: source of the levels and of the noise.
        levels: (batch,) SDs, in the condition's unit; drawn uniformly from `condition.levels` where not given.
        size: side of the result, px, to which square images are resized once they are perturbed (see
            `resizing.resize`); that of the images where not given.

    Returns:
        The perturbed images in [0, 1], and the (batch,) levels that were applied.

    Source: SATBench (doi 10.1167/jov.25.1.4; preprint arXiv 2206.08427, section 3): grayscale by luma; noise at
    contrast 0.2 about a mean of 0.5, Gaussian, truncated at 2 SD by redrawing, one value per pixel for all channels;
    Gaussian blur of each channel.
    """
    height, width = images.shape[1:3]
    if levels is None:
        chosen = _draw(condition, ops.shape(images)[0], seed_generator)
        levels = ops.take(np.array(condition.levels, np.float32), chosen, axis=0)
    else:
        chosen, levels = None, ops.cast(levels, "float32")
    if condition.perturbation == "blur":
        if chosen is None:
            return blur(images, levels, size), levels
        tables = (_kernel_table(condition.levels, side, size or side) for side in (height, width))
        return _filtered(images, *(ops.take(table, chosen, axis=0) for table in tables)), levels
    if condition.grayscale:
        images = luma(images)  # one channel until the end is a third of the work
    if condition.contrast is not None:
        images = scale_contrast(images, condition.contrast)
    if condition.perturbation == "noise":
        images = add_noise(images, levels, seed_generator)
    if size is not None:
        images = resize(images, size)
    return (ops.repeat(images, 3, axis=-1) if condition.grayscale else images), levels


def draw_levels(condition: Condition, batch: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """One of the condition's levels per image, uniformly: (batch,) float32."""
    chosen = _draw(condition, batch, seed_generator)
    return ops.take(np.array(condition.levels, np.float32), chosen, axis=0)


def _draw(condition: Condition, batch: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """Draw an index into the condition's levels for each image, (batch,)."""
    return keras.random.randint((batch,), 0, len(condition.levels), dtype="int32", seed=seed_generator)


def luma(images: Any) -> Any:
    """Return the brightness of each pixel: (batch, height, width, 3) -> (batch, height, width, 1)."""
    red, green, blue = (weight * images[..., at : at + 1] for at, weight in enumerate(LUMA))
    return red + green + blue


def scale_contrast(images: Any, contrast: float) -> Any:
    """Each image's mean (over pixels and channels) to 0.5, its deviations from it times `contrast`."""
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return 0.5 + contrast * (images - mean)


def add_noise(images: Any, levels: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """Gaussian noise of SD `levels` (batch,), truncated at 2 SD, equal over channels; clipped to [0, 1].

    The truncation lowers the SD of what is added to 0.880 of the level.
    """
    # The inverse of the distribution function at uniform numbers: as redrawing what is too large, at half the cost.
    inside = math.erf(TRUNCATE_NOISE / math.sqrt(2))
    shape = (*ops.shape(images)[:3], 1)
    uniform = keras.random.uniform(shape, -inside, inside, dtype="float32", seed=seed_generator)
    sds = ops.reshape(levels, (-1, 1, 1, 1)) * math.sqrt(2)
    return ops.clip(images + ops.erfinv(uniform) * sds, 0.0, 1.0)


def blur(images: Any, levels: Any, size: int | None = None) -> Any:
    """Gaussian blur of SD `levels` (batch,) pixels; SD 0 leaves an image as it is.

    Equal to `scipy.ndimage.gaussian_filter` with its default mode and truncation, followed by `resizing.resize`.

    Args:
        images: (batch, height, width, 3).
        levels: (batch,), in pixels of `images`.
        size: side of the result, px, for square images; that of the images where not given.
    """
    height, width = images.shape[1:3]
    rows = _kernels(levels, height, size or height)
    return _filtered(images, rows, rows if height == width else _kernels(levels, width, size or width))


def _filtered(images: Any, rows: Any, columns: Any) -> Any:
    """Multiply each image's rows, then its columns, by matrices of its own: (batch, new, old) each."""
    _, height, width, channels = images.shape
    (new_height, new_width) = (rows.shape[1], columns.shape[1])
    flat = ops.reshape(images, (-1, height, width * channels))
    filtered = ops.reshape(ops.matmul(rows, flat), (-1, new_height, width, channels))
    turned = ops.reshape(ops.transpose(filtered, (0, 2, 1, 3)), (-1, width, new_height * channels))
    done = ops.reshape(ops.matmul(columns, turned), (-1, new_width, new_height, channels))
    return ops.transpose(done, (0, 2, 1, 3))


def _kernels(levels: Any, side: int, size: int, xp: Any = ops) -> Any:
    """Weights of a line's output pixels on its input pixels, blurred, then resized: (batch, size, side).

    Both are linear and act on rows and columns separately, so that one product does both, the reflection at the
    borders included.
    """
    blurred = _blur_matrices(levels, side, xp)
    return blurred if side == size else xp.matmul(resize_matrix(side, size)[None], blurred)


@cache
def _kernel_table(levels: tuple[float, ...], side: int, size: int) -> np.ndarray:
    """`_kernels` of each level that can be drawn: computed once, since they cost more than the blur itself."""
    return _kernels(np.array(levels, np.float32), side, size, np).astype(np.float32)


def _blur_matrices(levels: Any, size: int, xp: Any = ops) -> Any:
    """(batch, size, size): each row holds one output pixel's weights on the input pixels of a line.

    `xp` is `keras.ops` or `numpy`, which name these functions alike.
    """
    line = xp.arange(size, dtype="float32")
    out, source = line[:, None], line[None, :]
    sd = xp.reshape(levels, (-1, 1, 1))
    radius = xp.floor(TRUNCATE * sd + 0.5)
    safe = xp.where(sd > 0, sd, 1.0)
    weights = 0.0
    for period in (-1, 0, 1):
        # Beyond the border the line is repeated backwards (d c b a | a b c d | d c b a).
        for position in (source + 2.0 * period * size, 2.0 * period * size - 1.0 - source):
            distance = (position - out)[None]
            weights += xp.where(xp.abs(distance) <= radius, xp.exp(-0.5 * (distance / safe) ** 2), 0.0)
    return weights / xp.sum(weights, axis=-1, keepdims=True)


def perturbation_of(config: Config, condition: Condition | None = None, **options: Any) -> "Perturb":
    """Return the layer from pictures to the network's input, as a run's configuration describes it.

    Args:
        config: of the run.
        condition: the regime to show pictures under; the run's own where not given.
        options: further arguments of `Perturb`.
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
    """Put a seed generator at the start of a random stream; see `convrnn_data.base.random_streams.seed_sequence`."""
    state = seed_sequence(seed, stream, *indices).generate_state(2, dtype=np.uint32)
    seed_generator.state.assign(state)


class Perturb(keras.layers.Layer):
    """From pictures at stimulus size to a network's input: uint8 -> [0, 1] -> perturbed -> resized -> [-1, 1].

    Args:
        condition: the regime.
        size: side of the network's input, px; that of the pictures where not given.
        seed: start of the layer's `seed_generator`; `restart` sets where in the stream it stands.
        with_levels: answer `(pictures, levels)` instead of the pictures alone.
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
        """Make the following draws depend on the layer's seed, the stream and the indices alone."""
        set_stream(self.seed_generator, self.seed, stream, *indices)

    def call(self, images: Any, levels: Any = None) -> Any:
        """(batch, side, side, 3) uint8 -> (batch, size, size, 3) float32 in [-1, 1], perturbed with fresh draws."""
        unit = ops.cast(images, "float32") / 255.0
        perturbed, levels = perturb(
            unit, self.condition, seed_generator=self.seed_generator, levels=levels, size=self.size
        )
        scaled = perturbed * 2.0 - 1.0
        return (scaled, levels) if self.with_levels else scaled
