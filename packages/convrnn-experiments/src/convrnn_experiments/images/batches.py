"""Batches of cropped images. The order and the crops of an epoch are pure functions of (seed, epoch)."""

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

IMAGES_PER_CALL = 16
"""Images decoded in one call from a TensorFlow thread."""

RATIOS = (1, 2, 4, 8)
"""Divisors of the image size at which a JPEG decoder does a fraction of the work."""

CENTRE = np.array([0.5, 0.5, 0.0], np.float32)
"""Jitter of an unflipped centre crop: vertical position, horizontal position, flip."""

Reader = Callable[[Sequence[int]], list[bytes]]
"""Function from rows to encoded images."""


@dataclass(frozen=True)
class Frame:
    """Square crop of a photograph.

    Attributes:
        size: Side of the square, px: the stimulus size.
        resize: Shorter side of the photograph after resizing, px. If `resize == size`, the crop spans the shorter side.
    """

    size: int
    resize: int


@dataclass(frozen=True)
class EncodedImages:
    """Encoded images with their labels and sizes; row i of each attribute belongs to the same image.

    Attributes:
        read: Function from rows to encoded images.
        labels: (images,) 0..15.
        widths, heights: (images,) px.
    """

    read: Reader
    labels: np.ndarray
    widths: np.ndarray
    heights: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def frame_of(config: Config) -> Frame:
    """Return the crop of a run's configuration. Crops are resized to the network's input after perturbation."""
    return Frame(config.stimulus_size, config.resize)


def images_of_split(data: PreparedSet, split: str) -> EncodedImages:
    """Return the images of one split of a prepared set.

    Raises:
        ConvRNNError: The set does not have the split, or the split is empty.
    """
    require_split(data, split)
    table = data.table(split)
    return EncodedImages(table.read, table.labels, table.widths, table.heights)


def epoch_rows(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return the order of rows in an epoch: a permutation, (count,) int64."""
    return generator(seed, Stream.EPOCH_ORDER, epoch).permutation(count)


def rows_of_process(rows: np.ndarray, batch_size: int, *, index: int, count: int) -> np.ndarray:
    """Return the rows that one process of a group reads; together, the processes read whole batches.

    Args:
        rows: Rows of all processes, in order.
        batch_size: Batch size of all processes together; a multiple of `count`.
        index: Number of this process, from 0.
        count: Number of processes.

    Returns:
        Rows of the process, the same number in each process; the last batch is padded with -1.

    Raises:
        ConvRNNError: The batch size is not a multiple of `count`.
    """
    if batch_size % count:
        raise ConvRNNError(
            f"cannot split batches: --batch-size must be a multiple of --processes {count}, got {batch_size}. Give a "
            f"multiple such as {-(-batch_size // count) * count}"
        )
    filled = np.concatenate([rows, np.full(-len(rows) % count, -1, rows.dtype)])
    return filled[index::count]


def epoch_jitter(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return the jitter of each row: vertical position, horizontal position, flip; (count, 3) in [0, 1).

    It does not depend on the order of the rows.
    """
    return generator(seed, Stream.EPOCH_CROPS, epoch).random((count, 3), dtype=np.float32)


def batches(
    source: EncodedImages,
    frame: Frame,
    batch_size: int,
    *,
    rows: np.ndarray | None = None,
    jitter: np.ndarray | None = None,
    first_batch: int = 0,
) -> tf.data.Dataset:
    """Return batches of `(images, labels, rows)`. Each row occurs once, so the last batch may be shorter.

    Args:
        source: Encoded images.
        frame: Crop of each image.
        batch_size: Images per batch.
        rows: Rows in the order of the batches; by default, all rows in ascending order. A row of -1 is padding: its
            image is arbitrary and must be excluded from every sum.
        jitter: (len(source), 3) vertical position, horizontal position, flip if >= 0.5, each in [0, 1);
            by default, the unflipped centre.
        first_batch: Number of batches to skip without reading their images.

    Returns:
        A dataset of images (batch, size, size, 3) uint8, labels (batch,) int32, rows (batch,) int64.
    """
    rows = np.arange(len(source)) if rows is None else np.asarray(rows)
    rows = rows[first_batch * batch_size :]
    if jitter is None:
        jitter = np.tile(CENTRE, (len(source), 1))
    if not len(rows):
        raise ValueError("cannot make batches: at least one row is required, got none. Pass rows")
    crop = _cropper(source, frame, jitter)

    def load(chunk: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images = tf.numpy_function(crop, [tf.maximum(chunk, 0)], tf.uint8, stateful=False)
        return tf.ensure_shape(images, (None, frame.size, frame.size, 3)), labels, chunk

    columns = (rows.astype(np.int64), source.labels[np.maximum(rows, 0)].astype(np.int32))
    dataset = tf.data.Dataset.from_tensor_slices(columns).batch(IMAGES_PER_CALL)
    dataset = dataset.map(load, num_parallel_calls=available_cores(), deterministic=True)
    dataset = dataset.rebatch(batch_size).prefetch(2)
    dataset = without_autotuning(dataset, private_threads=True)
    return dataset.apply(tf.data.experimental.assert_cardinality(-(-len(rows) // batch_size)))


def centre_square(encoded: bytes, frame: Frame) -> np.ndarray:
    """Crop the centre of an image as in validation, (size, size, 3) uint8.

    Raises:
        BadImage: The image cannot be decoded.
    """
    height, width = decoding.size_of(encoded)
    zero = np.zeros(1, np.int64)
    source = EncodedImages(lambda rows: [encoded], zero, np.array([width]), np.array([height]))
    return _cropper(source, frame, CENTRE[None])(zero)[0]


def _cropper(source: EncodedImages, frame: Frame, jitter: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a thread-safe function from rows (n,) to crops (n, size, size, 3) uint8.

    Reading, decoding and resizing release the GIL; little Python code runs per image.
    """
    sizes = decode_sizes(source, frame)
    shape = (frame.size, frame.size, 3)

    def crop(rows: np.ndarray) -> np.ndarray:
        crops = np.empty((len(rows), *shape), np.uint8)
        resize = decoding.resizer(frame.size)
        files = zip(source.read(rows.tolist()), sizes[rows].tolist(), jitter[rows].tolist(), strict=True)
        for square, (encoded, size, (down, right, mirror)) in zip(crops, files, strict=True):
            image = decoding.decode(encoded, size)
            resized = resize(decoding.cut(image, frame.size / frame.resize, (down, right)))
            if mirror >= 0.5:
                decoding.copy_mirrored(resized, square)
            else:
                square[...] = resized
        return crops

    return crop


def decode_sizes(source: EncodedImages, frame: Frame) -> np.ndarray:
    """Return the minimum height and width at which to decode each image, (images, 2); 0 for the full size."""
    ratios = np.array(RATIOS)[decode_ratios(source.widths, source.heights, frame)][:, None]
    sizes = np.stack([source.heights, source.widths], axis=1)
    return np.where(ratios > 1, -(-sizes // ratios), 0)


def unreadable(error: tf.errors.OpError, source: str) -> ConvRNNError | None:
    """Return the ConvRNNError for a TensorFlow error caused by reading or decoding an image; None for other errors."""
    # TensorFlow passes on Python exceptions as text only.
    if found := re.search(r"ConvRNNError: (.+)", error.message):
        return ConvRNNError(found[1])
    if found := re.search(r"BadImage: (.+)", error.message):
        way_out = "Prepare the set again with --check decode, which rejects damaged images"
        return ConvRNNError(f"cannot decode an image of {source}: {found[1]}. {way_out}")
    return None


def decode_ratios(widths: np.ndarray, heights: np.ndarray, frame: Frame) -> np.ndarray:
    """Return the index into `RATIOS` of the smallest decoded size that still has a pixel per pixel of the crop."""
    side = np.minimum(widths, heights) * (frame.size / frame.resize)
    spare = np.maximum(side / frame.size, 1.0)
    return np.minimum(np.floor(np.log2(spare)), len(RATIOS) - 1).astype(np.int32)
