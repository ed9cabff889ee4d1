"""From image bytes to batches: exact epochs, every order and every crop a pure function of (seed, epoch)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_data.base.jobs import available_cores
from convrnn_data.base.random_streams import Stream, generator
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.images import decoding
from convrnn_experiments.runs.config import Config, require_split
from convrnn_experiments.runtime.datasets import without_autotuning

MADE_TOGETHER = 16  # images per call from TensorFlow: one thread's share
RATIOS = (1, 2, 4, 8)  # a JPEG decoder gives these fractions of the size at a fraction of the cost

CENTRE = np.array([0.5, 0.5, 0.0], np.float32)
"""Jitter of a crop from the middle, unflipped: vertical place, horizontal place, flip."""

Reader = Callable[[Sequence[int]], list[bytes]]
"""Takes row numbers, gives the encoded images."""


@dataclass(frozen=True)
class Frame:
    """How a square is cut from a photograph.

    Attributes:
        size: side of the square, in pixels: the stimulus size.
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


def frame_of(config: Config) -> Frame:
    """How a run's configuration cuts stimuli from photographs; they are resized once they are perturbed."""
    return Frame(config.stimulus_size, config.resize)


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
    return generator(seed, Stream.EPOCH_ORDER, epoch).permutation(count)


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
            f"cannot split batches: --batch-size must be a multiple of --processes {count}, got {batch_size}. Give a "
            f"multiple such as {-(-batch_size // count) * count}"
        )
    filled = np.concatenate([rows, np.full(-len(rows) % count, -1, rows.dtype)])
    return filled[index::count]


def epoch_jitter(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Where each row's crop lies and whether it is flipped: (count, 3) in [0, 1); by row, whatever the order."""
    return generator(seed, Stream.EPOCH_CROPS, epoch).random((count, 3), dtype=np.float32)


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
        jitter = np.tile(CENTRE, (len(pictures), 1))
    if not len(rows):
        raise ValueError("cannot make batches: at least one row is required, got none. Pass rows")
    make = _maker(pictures, frame, jitter)

    def load(chunk: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images = tf.numpy_function(make, [tf.maximum(chunk, 0)], tf.uint8, stateful=False)
        return tf.ensure_shape(images, (None, frame.size, frame.size, 3)), labels, chunk

    columns = (rows.astype(np.int64), pictures.labels[np.maximum(rows, 0)].astype(np.int32))
    dataset = tf.data.Dataset.from_tensor_slices(columns).batch(MADE_TOGETHER)
    dataset = dataset.map(load, num_parallel_calls=available_cores(), deterministic=True)
    dataset = dataset.rebatch(batch_size).prefetch(2)
    dataset = without_autotuning(dataset, private_threads=True)
    return dataset.apply(tf.data.experimental.assert_cardinality(-(-len(rows) // batch_size)))


def centre_square(encoded: bytes, frame: Frame) -> np.ndarray:
    """Crop one picture as validation does, (size, size, 3) uint8.

    Raises:
        BadImage: the picture cannot be read.
    """
    height, width = decoding.size_of(encoded)
    label = np.zeros(1, np.int64)
    alone = Pictures(lambda rows: [encoded], label, np.array([width]), np.array([height]))
    return _maker(alone, frame, CENTRE[None])(label)[0]


def _maker(pictures: Pictures, frame: Frame, jitter: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function of rows (n,) -> squares (n, size, size, 3) uint8, which many threads may call at once.

    There is Python for each picture, but little: reading, decoding and resizing let other threads run.
    """
    sizes = decode_sizes(pictures, frame)
    shape = (frame.size, frame.size, 3)

    def make(rows: np.ndarray) -> np.ndarray:
        made = np.empty((len(rows), *shape), np.uint8)
        resize = decoding.resizer(frame.size)
        files = zip(pictures.read(rows.tolist()), sizes[rows].tolist(), jitter[rows].tolist(), strict=True)
        for square, (encoded, size, (down, right, mirror)) in zip(made, files, strict=True):
            image = decoding.decode(encoded, size)
            resized = resize(decoding.cut(image, frame.size / frame.resize, (down, right)))
            if mirror >= 0.5:
                decoding.copy_mirrored(resized, square)
            else:
                square[...] = resized
        return made

    return make


def decode_sizes(pictures: Pictures, frame: Frame) -> np.ndarray:
    """Height and width to decode each row at: (n, 2); 0 where the picture is decoded at its full size."""
    ratios = np.array(RATIOS)[decode_ratios(pictures.widths, pictures.heights, frame)][:, None]
    sizes = np.stack([pictures.heights, pictures.widths], axis=1)
    return np.where(ratios > 1, -(-sizes // ratios), 0)


def unreadable(error: tf.errors.OpError, source: str) -> ConvRNNError | None:
    """What an error on the way from bytes to batches says to people; None if it is of another kind."""
    # TensorFlow passes Python's errors on as text.
    if found := re.search(r"ConvRNNError: (.+)", error.message):
        return ConvRNNError(found[1])
    if found := re.search(r"BadImage: (.+)", error.message):
        way_out = "Prepare the set again with --check decode, which rejects damaged images"
        return ConvRNNError(f"cannot decode an image of {source}: {found[1]}. {way_out}")
    return None


def decode_ratios(widths: np.ndarray, heights: np.ndarray, frame: Frame) -> np.ndarray:
    """Index into `RATIOS` of the coarsest decoding that still has a source pixel for each pixel of the square."""
    side = np.minimum(widths, heights) * (frame.size / frame.resize)
    spare = np.maximum(side / frame.size, 1.0)
    return np.minimum(np.floor(np.log2(spare)), len(RATIOS) - 1).astype(np.int32)
