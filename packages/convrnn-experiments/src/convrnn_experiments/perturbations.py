"""The regimes' image transformations, batched, on the device, in keras.ops.

Every level and every noise value is drawn when the function runs, from the seed generator that it is given,
so a graph traced once draws anew for each batch.
"""

from typing import Any

import numpy as np

from convrnn_data.streams import Stream, seed_sequence
from convrnn_experiments.conditions import Condition
from convrnn_experiments.distribution import ReplicaSeeds
from convrnn_model.backend import keras, ops

LUMA = (0.2989, 0.587, 0.114)
"""ITU-R BT.601 luma weights of red, green and blue."""

TRUNCATE = 4.0
"""The Gaussian kernel ends at this many SDs, as in scipy.ndimage."""


def perturb(
    images: Any,
    condition: Condition,
    *,
    seed_generator: keras.random.SeedGenerator,
    levels: Any = None,
) -> tuple[Any, Any]:
    """Apply a regime to a batch.

    Args:
        images: (batch, height, width, 3) float32 in [0, 1].
        condition: a row of `conditions.CONDITIONS`.
        seed_generator: source of the levels and of the noise.
        levels: (batch,) SDs, in the condition's unit; drawn uniformly from `condition.levels` where not given.

    Returns:
        The perturbed images, same shape, in [0, 1], and the (batch,) levels that were applied.

    Source: SATBench (doi 10.1167/jov.25.1.4; preprint arXiv 2206.08427, section 3): grayscale by luma; noise at
    contrast 0.2 about a mean of 0.5, Gaussian, truncated at 2 SD by redrawing, one value per pixel for all channels;
    Gaussian blur of each channel.
    """
    if levels is None:
        levels = draw_levels(condition, ops.shape(images)[0], seed_generator)
    levels = ops.cast(levels, "float32")
    if condition.grayscale:
        images = grayscale(images)
    if condition.contrast is not None:
        images = scale_contrast(images, condition.contrast)
    if condition.perturbation == "noise":
        images = add_noise(images, levels, seed_generator)
    elif condition.perturbation == "blur":
        images = blur(images, levels)
    return images, levels


def draw_levels(condition: Condition, batch: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """One of the condition's levels per image, uniformly: (batch,) float32."""
    table = ops.convert_to_tensor(condition.levels, dtype="float32")
    chosen = keras.random.randint((batch,), 0, len(condition.levels), dtype="int32", seed=seed_generator)
    return ops.take(table, chosen, axis=0)


def grayscale(images: Any) -> Any:
    """Luma on three equal channels; (batch, height, width, 3) in and out."""
    luma = ops.sum(images * ops.convert_to_tensor(LUMA, dtype="float32"), axis=-1, keepdims=True)
    return ops.repeat(luma, 3, axis=-1)


def scale_contrast(images: Any, contrast: float) -> Any:
    """Each image's mean (over pixels and channels) to 0.5, its deviations from it times `contrast`."""
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return 0.5 + contrast * (images - mean)


def add_noise(images: Any, levels: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """Gaussian noise of SD `levels` (batch,), redrawn beyond 2 SD, equal over channels; clipped to [0, 1].

    The truncation lowers the SD of what is added to 0.880 of the level.
    """
    shape = ops.shape(images)
    noise = keras.random.truncated_normal((*shape[:3], 1), stddev=1.0, dtype="float32", seed=seed_generator)
    return ops.clip(images + noise * ops.reshape(levels, (-1, 1, 1, 1)), 0.0, 1.0)


def blur(images: Any, levels: Any) -> Any:
    """Gaussian blur of SD `levels` (batch,) pixels; SD 0 leaves an image as it is.

    Each image has its own kernel, so rows and columns are blurred by a matrix product per image, which also does
    the reflection at the borders. Equal to `scipy.ndimage.gaussian_filter` with its default mode and truncation.
    """
    shape = ops.shape(images)
    rows = _blur_matrices(levels, shape[1])
    columns = rows if shape[1] is shape[2] else _blur_matrices(levels, shape[2])
    flat = ops.reshape(images, (-1, shape[1], shape[2] * 3))
    blurred = ops.reshape(ops.matmul(rows, flat), (-1, shape[1], shape[2], 3))
    turned = ops.reshape(ops.transpose(blurred, (0, 2, 1, 3)), (-1, shape[2], shape[1] * 3))
    done = ops.reshape(ops.matmul(columns, turned), (-1, shape[2], shape[1], 3))
    return ops.transpose(done, (0, 2, 1, 3))


def _blur_matrices(levels: Any, size: Any) -> Any:
    """(batch, size, size): each row holds one output pixel's weights on the input pixels of a line."""
    line = ops.cast(ops.arange(size), "float32")
    length = ops.cast(size, "float32")
    out, source = line[:, None], line[None, :]
    sd = ops.reshape(levels, (-1, 1, 1))
    radius = ops.floor(TRUNCATE * sd + 0.5)
    safe = ops.where(sd > 0, sd, 1.0)
    weights = 0.0
    for period in (-1, 0, 1):
        # Beyond the border the line is repeated backwards (d c b a | a b c d | d c b a).
        for position in (source + 2 * period * length, 2 * period * length - 1 - source):
            distance = (position - out)[None]
            weights += ops.where(ops.abs(distance) <= radius, ops.exp(-0.5 * (distance / safe) ** 2), 0.0)
    return weights / ops.sum(weights, axis=-1, keepdims=True)


def set_stream(seed_generator: keras.random.SeedGenerator, seed: int, stream: Stream, *indices: int) -> None:
    """Put a seed generator at the start of a random stream; see `convrnn_data.streams.seed_sequence`."""
    state = seed_sequence(seed, stream, *indices).generate_state(2, dtype=np.uint32)
    seed_generator.state.assign(state)


class Perturb(keras.layers.Layer):
    """From pictures as they are stored to what a network takes: uint8 -> [0, 1] -> perturbed -> [-1, 1].

    Args:
        condition: the regime.
        seed: start of the layer's `seed_generator`; `restart` sets where in the stream it stands.
        with_levels: answer `(pictures, levels)` instead of the pictures alone.
    """

    def __init__(
        self, condition: Condition, *, seed: int = 0, with_levels: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(trainable=False, **kwargs)
        self.condition = condition
        self.seed = seed
        self.with_levels = with_levels
        self.seed_generator = ReplicaSeeds(seed)

    def restart(self, stream: Stream, *indices: int) -> None:
        """Make the following draws depend on the layer's seed, the stream and the indices alone."""
        set_stream(self.seed_generator, self.seed, stream, *indices)

    def call(self, images: Any, levels: Any = None) -> Any:
        """(batch, height, width, 3) uint8 -> float32 in [-1, 1], perturbed with fresh draws."""
        unit = ops.cast(images, "float32") / 255.0
        perturbed, levels = perturb(unit, self.condition, seed_generator=self.seed_generator, levels=levels)
        scaled = perturbed * 2.0 - 1.0
        return (scaled, levels) if self.with_levels else scaled
