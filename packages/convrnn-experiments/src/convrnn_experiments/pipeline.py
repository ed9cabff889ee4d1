"""From image bytes to batches: exact epochs, every order and every crop a pure function of (seed, epoch)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_experiments.config import require_split
from convrnn_experiments.errors import ConvRNNError

READ_TOGETHER = 64  # images per call into Python, which costs as much for one as for many
RATIOS = (1, 2, 4, 8)  # a JPEG decoder gives these fractions of the size at a fraction of the cost

Reader = Callable[[Sequence[int]], list[bytes]]
"""Takes row numbers, gives the encoded images."""


@dataclass(frozen=True)
class Frame:
    """How a square is cut from a photograph.

    Attributes:
        size: side of the square, in pixels.
        resize: the photograph's shorter side, in pixels, at the scale of the square; `resize == size` takes the
            whole shorter side.
    """

    size: int
    resize: int


@dataclass(frozen=True)
class Pictures:
    """Encoded images with their labels and sizes; row i of each belongs together.

    Attributes:
        read: takes rows, gives bytes.
        labels: (n,) 0..15.
        widths, heights: (n,) pixels.
    """

    read: Reader
    labels: np.ndarray
    widths: np.ndarray
    heights: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def pictures_of(data: PreparedSet, split: str) -> Pictures:
    """A split of a prepared set, for the pipeline.

    Raises:
        ConvRNNError: the set has no such split, or an empty one.
    """
    require_split(data, split)
    table = data.table(split)
    return Pictures(table.read, table.labels, table.widths, table.heights)


def epoch_rows(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """The order of an epoch: a permutation of all rows, (count,) int64."""
    return np.random.default_rng([seed, epoch, 0]).permutation(count)


def rows_of_process(rows: np.ndarray, batch_size: int, *, index: int, count: int) -> np.ndarray:
    """The rows that one of several processes reads, so that together they read every batch.

    Args:
        rows: of all processes, in order.
        batch_size: of all processes together; a multiple of `count`.
        index: this process, from 0.
        count: how many there are.

    Returns:
        Its rows, equally many in every process: what is missing in the last batch is filled with -1.

    Raises:
        ConvRNNError: the batch size is no multiple of `count`.
    """
    if batch_size % count:
        raise ConvRNNError(
            f"--batch-size {batch_size} cannot be shared by {count} processes; take a multiple"
        )
    filled = np.concatenate([rows, np.full(-len(rows) % count, -1, rows.dtype)])
    return filled[index::count]


def epoch_jitter(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Where each row's crop lies and whether it is flipped: (count, 3) in [0, 1); by row, whatever the order."""
    return np.random.default_rng([seed, epoch, 1]).random((count, 3), dtype=np.float32)


def batches(
    pictures: Pictures,
    frame: Frame,
    batch_size: int,
    *,
    rows: np.ndarray | None = None,
    jitter: np.ndarray | None = None,
    first_batch: int = 0,
) -> tf.data.Dataset:
    """Batches of `(images, labels, rows)`; every row once, the last batch as short as it comes.

    Args:
        pictures: where the images come from.
        frame: the square that is cut from each.
        batch_size: images per batch.
        rows: which rows, in which order; all in their own order where not given. A row of -1 is a place that is
            only there to fill a batch: some image, to be left out of every sum.
        jitter: (len(pictures), 3) vertical place, horizontal place, flip where >= 0.5, each in [0, 1);
            the centre, unflipped, where not given.
        first_batch: skip this many batches without reading them.

    Returns:
        A dataset of images (batch, size, size, 3) uint8, labels (batch,) int32, rows (batch,) int64.
    """
    rows = np.arange(len(pictures)) if rows is None else np.asarray(rows)
    rows = rows[first_batch * batch_size :]
    if jitter is None:
        jitter = np.tile(np.array([0.5, 0.5, 0.0], np.float32), (len(pictures), 1))
    ratios = decode_ratios(pictures.widths, pictures.heights, frame)
    if not len(rows):
        raise ValueError("no rows to make batches of")
    shown = np.maximum(rows, 0)
    columns = (rows.astype(np.int64), pictures.labels[shown].astype(np.int32), ratios[shown], jitter[shown])

    def read(chunk: tf.Tensor) -> tf.Tensor:
        encoded = tf.numpy_function(
            _reading(pictures.read), [tf.maximum(chunk, 0)], tf.string, stateful=False
        )
        return tf.ensure_shape(encoded, [None])

    def cut(
        row: tf.Tensor, label: tf.Tensor, ratio: tf.Tensor, place: tf.Tensor, encoded: tf.Tensor
    ) -> tuple:
        return cut_square(decode(encoded, ratio), frame.size, frame.size / frame.resize, place), label, row

    dataset = tf.data.Dataset.from_tensor_slices(columns).batch(READ_TOGETHER)
    dataset = dataset.map(
        lambda row, *rest: (row, *rest, read(row)), num_parallel_calls=2, deterministic=True
    )
    dataset = dataset.unbatch().map(cut, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.batch(batch_size).prefetch(2)
    return dataset.apply(tf.data.experimental.assert_cardinality(-(-len(rows) // batch_size)))


def unreadable(error: tf.errors.OpError, source: str) -> ConvRNNError | None:
    """What an error on the way from bytes to batches says to people; None if it is of another kind."""
    if found := re.search(r"ConvRNNError: (.+)", error.message):
        return ConvRNNError(found[1])  # a reader's own, which TensorFlow passes on as text
    if isinstance(error, tf.errors.InvalidArgumentError):
        return ConvRNNError(f"an image of {source} cannot be read: {error.message.splitlines()[0]}")
    return None


def _reading(read: Reader) -> Callable[[np.ndarray], np.ndarray]:
    def chunk(rows: np.ndarray) -> np.ndarray:
        encoded = np.empty(len(rows), object)
        encoded[:] = read(rows.tolist())
        return encoded

    return chunk


def decode_ratios(widths: np.ndarray, heights: np.ndarray, frame: Frame) -> np.ndarray:
    """Index into `RATIOS` of the coarsest decoding that still has a source pixel for each pixel of the square."""
    side = np.minimum(widths, heights) * (frame.size / frame.resize)
    spare = np.maximum(side / frame.size, 1.0)
    return np.minimum(np.floor(np.log2(spare)), len(RATIOS) - 1).astype(np.int32)


def decode(encoded: tf.Tensor, ratio: tf.Tensor) -> tf.Tensor:
    """JPEG bytes at 1 / `RATIOS[ratio]` of their size: (height, width, 3) uint8, whatever the file's colours."""

    def at(step: int) -> Callable[[], tf.Tensor]:
        return lambda: tf.io.decode_jpeg(encoded, channels=3, ratio=step, dct_method="INTEGER_ACCURATE")

    return tf.switch_case(ratio, [at(step) for step in RATIOS])


def cut_square(image: tf.Tensor, size: int, fraction: float, place: tf.Tensor) -> tf.Tensor:
    """A square of `fraction` of the shorter side, at `place`, resized with antialiasing: (size, size, 3) uint8."""
    shape = tf.shape(image)[:2]
    side = tf.maximum(tf.cast(tf.round(tf.cast(tf.reduce_min(shape), tf.float32) * fraction), tf.int32), 1)
    free = tf.cast(shape - side + 1, tf.float32)
    corner = tf.minimum(tf.cast(tf.floor(place[:2] * free), tf.int32), shape - side)
    square = tf.slice(image, tf.concat([corner, [0]], 0), tf.stack([side, side, 3]))
    resized = tf.image.resize(square, (size, size), antialias=True)
    resized = tf.where(place[2] >= 0.5, tf.reverse(resized, [1]), resized)
    return tf.ensure_shape(tf.saturate_cast(tf.round(resized), tf.uint8), (size, size, 3))
