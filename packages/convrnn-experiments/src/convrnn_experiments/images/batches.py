"""Batches from encoded images: the order and the crops of an epoch are pure functions of (seed, epoch)."""

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

MADE_TOGETHER = 16  # images per call from a TensorFlow thread
RATIOS = (1, 2, 4, 8)  # a JPEG decoder computes these fractions of the size at a fraction of the cost

CENTRE = np.array([0.5, 0.5, 0.0], np.float32)
"""Jitter of an unflipped centre crop: vertical position, horizontal position, flip."""

Reader = Callable[[Sequence[int]], list[bytes]]
"""Function from row numbers to encoded images."""


@dataclass(frozen=True)
class Frame:
    """Crop of a square from a photograph.

    Attributes:
        size: side of the square, px: the stimulus size.
        resize: shorter side of the photograph at the scale of the square, px; `resize == size` takes the whole shorter
            side.
    """

    size: int
    resize: int


@dataclass(frozen=True)
class Pictures:
    """Encoded images with their labels and sizes; row i of each attribute belongs to the same image.

    Attributes:
        read: function from rows to bytes.
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
    """Return the crop of a run's configuration; images are resized to the network's input after perturbation."""
    return Frame(config.stimulus_size, config.resize)


def pictures_of(data: PreparedSet, split: str) -> Pictures:
    """Return the images of a split of a prepared set.

    Raises:
        ConvRNNError: the set does not have the split, or the split is empty.
    """
    require_split(data, split)
    table = data.table(split)
    return Pictures(table.read, table.labels, table.widths, table.heights)


def epoch_rows(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return the order of an epoch: a permutation of all rows, (count,) int64."""
    return generator(seed, Stream.EPOCH_ORDER, epoch).permutation(count)


def rows_of_process(rows: np.ndarray, batch_size: int, *, index: int, count: int) -> np.ndarray:
    """Return the rows that one process of a group reads; together, the processes read every batch.

    Args:
        rows: rows of all processes, in order.
        batch_size: batch size of all processes together; a multiple of `count`.
        index: number of this process, from 0.
        count: number of processes.

    Returns:
        Rows of the process, equally many in each; the last batch is filled with -1.

    Raises:
        ConvRNNError: the batch size is not a multiple of `count`.
    """
    if batch_size % count:
        raise ConvRNNError(
            f"cannot split batches: --batch-size must be a multiple of --processes {count}, got {batch_size}. Give a "
            f"multiple such as {-(-batch_size // count) * count}"
        )
    filled = np.concatenate([rows, np.full(-len(rows) % count, -1, rows.dtype)])
    return filled[index::count]


def epoch_jitter(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return the position and flip of each row's crop, (count, 3) in [0, 1); independent of the order of rows."""
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
    """Return batches of `(images, labels, rows)`; every row once, so the last batch may be shorter.

    Args:
        pictures: encoded images.
        frame: crop of each image.
        batch_size: images per batch.
        rows: rows in the order of the batches; all rows in their own order by default. A row of -1 fills a batch with
            some image, which must be left out of every sum.
        jitter: (len(pictures), 3) vertical position, horizontal position, flip if >= 0.5, each in [0, 1);
            the unflipped centre by default.
        first_batch: number of batches to skip without reading them.

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
    """Crop an image as in validation, (size, size, 3) uint8.

    Raises:
        BadImage: the image cannot be read.
    """
    height, width = decoding.size_of(encoded)
    label = np.zeros(1, np.int64)
    alone = Pictures(lambda rows: [encoded], label, np.array([width]), np.array([height]))
    return _maker(alone, frame, CENTRE[None])(label)[0]


def _maker(pictures: Pictures, frame: Frame, jitter: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a thread-safe function from rows (n,) to squares (n, size, size, 3) uint8.

    Reading, decoding and resizing release the GIL; little Python code runs per image.
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
    """Return the height and width at which to decode each row, (n, 2); 0 for the full size."""
    ratios = np.array(RATIOS)[decode_ratios(pictures.widths, pictures.heights, frame)][:, None]
    sizes = np.stack([pictures.heights, pictures.widths], axis=1)
    return np.where(ratios > 1, -(-sizes // ratios), 0)


def unreadable(error: tf.errors.OpError, source: str) -> ConvRNNError | None:
    """Return the error of this project behind an error of TensorFlow; None if there is none."""
    # TensorFlow transmits Python's errors as text.
    if found := re.search(r"ConvRNNError: (.+)", error.message):
        return ConvRNNError(found[1])
    if found := re.search(r"BadImage: (.+)", error.message):
        way_out = "Prepare the set again with --check decode, which rejects damaged images"
        return ConvRNNError(f"cannot decode an image of {source}: {found[1]}. {way_out}")
    return None


def decode_ratios(widths: np.ndarray, heights: np.ndarray, frame: Frame) -> np.ndarray:
    """Return the index into `RATIOS` of the coarsest decoding with a source pixel for each pixel of the square."""
    side = np.minimum(widths, heights) * (frame.size / frame.resize)
    spare = np.maximum(side / frame.size, 1.0)
    return np.minimum(np.floor(np.log2(spare)), len(RATIOS) - 1).astype(np.int32)
