"""The frozen network's pooled features: computed once per image and view, kept, and read back as batches.

A frozen network answers the same to the same picture in every epoch, so training its readout needs the network
once per view, not once per epoch. What is kept lies in a folder named by everything that it depends on.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_data.base.atomic import remove_dead_temporaries
from convrnn_data.base.console import Report, silent
from convrnn_data.base.jobs import parse_task
from convrnn_data.base.random_streams import Stream, generator
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.extractor import Extractor
from convrnn_experiments.features.fingerprint import folder_of
from convrnn_experiments.features.plan import HERE, Part, Where
from convrnn_experiments.features.workers import spread
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import read_hdf5
from convrnn_experiments.runtime.datasets import without_autotuning
from convrnn_experiments.runtime.devices import computing_device, processor
from convrnn_model.backend import keras

REMEDY = "Delete it to compute it again"


@dataclass(frozen=True)
class Kept:
    """What `keep` did.

    Attributes:
        folder: where the parts lie.
        parts: all of them, those of other tasks too.
        computed: how many parts were computed by this call.
        there: how many of its parts were there before.
    """

    folder: Path
    parts: tuple[Part, ...]
    computed: int
    there: int

    def of(self, split: str) -> list[Part]:
        """The parts of one split."""
        return [part for part in self.parts if part.split == split]


def plan(data: PreparedSet, config: Config, folder: Path) -> tuple[Part, ...]:
    """Every part of the training split's views and of the validation split: a file for each shard and view."""
    found = []
    for split, views in (("train", config.views), ("val", 1)):
        ids = data.table(split).shard_ids
        rows = {int(shard): np.flatnonzero(ids == shard) for shard in np.unique(ids)}
        for view in range(views):
            for shard, mine in rows.items():
                path = folder / f"{split}-view{view}-{shard:06d}.h5"
                found.append(Part(path, split, shard, view, mine))
    return tuple(found)


def keep(
    network: Callable[[], keras.Model],
    config: Config,
    data: PreparedSet,
    root: Path,
    *,
    where: Where = HERE,
    task: str | None = None,
    report: Report = silent,
) -> Kept:
    """Compute what is not kept yet; a file that is there is whole.

    On processors of one kind the bytes are the same wherever it is done, if this process began as the `convrnn`
    command does, with `quiet_import` and `one_thread_each`; workers always do.

    Args:
        network: gives the frozen network, and is called only where this process computes something.
        config: from `checked`: perturbation, framing, views and seed. The training split gets a fresh crop, flip
            and perturbation in every view; the validation split the centre and fixed draws.
        data: the prepared set.
        root: the folder of kept features; see `folder_of`.
        where: this process, or workers.
        task: "I/N" computes the I-th of N shares only, 1 <= I <= N.
        report: progress in images.

    Raises:
        ConvRNNError: an image cannot be decoded, a worker failed, or no cluster answers.
    """
    share = parse_task(task)
    # Workers compute on processor cores.
    device = computing_device() if where.here else processor()
    folder = folder_of(root, config, config.weights_sha256, device)
    remove_dead_temporaries(folder)
    parts = plan(data, config, folder)
    mine = parts if share is None else parts[share[0] - 1 :: share[1]]
    missing = [part for part in mine if not part.path.is_file()]
    count = _Counting(mine, missing, report)
    for part in _computed(missing, network, config, data, where):
        count(part)
    return Kept(folder, parts, len(missing), len(mine) - len(missing))


def _computed(
    missing: Sequence[Part],
    network: Callable[[], keras.Model],
    config: Config,
    data: PreparedSet,
    where: Where,
) -> Iterator[Part]:
    if not missing:
        return
    one_here = where.engine == "local" and len(missing) == 1 and computing_device() == processor()
    if not where.here and not one_here:
        yield from spread(missing, config, where)
        return
    extractor = Extractor(network(), config, data)
    for part in missing:
        extractor.write(part)
        yield part


class _Counting:
    """Reports images of each split as its parts are done."""

    def __init__(self, parts: Sequence[Part], missing: Sequence[Part], report: Report) -> None:
        self._report, self._total, self._done = report, Counter[str](), Counter[str]()
        for part in parts:
            self._total[part.split] += len(part.rows)
        self._done.update(self._total)
        for part in missing:
            self._done[part.split] -= len(part.rows)
        for split in self._total:
            self._say(split)

    def __call__(self, part: Part) -> None:
        self._done[part.split] += len(part.rows)
        self._say(part.split)

    def _say(self, split: str) -> None:
        self._report(f"features, {split}", self._done[split], self._total[split])


class KeptFeatures:
    """Kept features of a split, any row of any view, through the operating system's page cache.

    Args:
        parts: from `keep`.
        count: rows in the split.

    Raises:
        ConvRNNError: a file cannot be read, or is damaged.
    """

    def __init__(self, parts: Sequence[Part], count: int) -> None:
        self.views = 1 + max(part.view for part in parts)
        self._maps = [_mapped(part) for part in parts]
        self.shape: tuple[int, int] = self._maps[0].shape[1:]
        self._part = np.full((self.views, count), -1, np.int32)
        self._place = np.zeros((self.views, count), np.int64)
        for index, part in enumerate(parts):
            self._part[part.view, part.rows] = index
            self._place[part.view, part.rows] = np.arange(len(part.rows))

    def read(self, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        """(n,) rows and their views -> (n, time, channels) float32."""
        found = np.empty((len(rows), *self.shape), np.float32)
        owners, places = self._part[views, rows], self._place[views, rows]
        for owner in np.unique(owners):
            chosen = owners == owner
            found[chosen] = self._maps[owner][places[chosen]]
        return found

    def batches(
        self, rows: np.ndarray, views: np.ndarray, labels: np.ndarray, batch_size: int
    ) -> tf.data.Dataset:
        """Batches of `(features, labels, rows)` in the given order; `views` is per row of the split."""

        def read(chunk: np.ndarray) -> np.ndarray:
            return self.read(chunk, views[chunk])

        def load(chunk: tf.Tensor, chunk_labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            features = tf.numpy_function(read, [chunk], tf.float32, stateful=False)
            return tf.ensure_shape(features, (None, *self.shape)), chunk_labels, chunk

        columns = (rows.astype(np.int64), labels[rows].astype(np.int32))
        dataset = tf.data.Dataset.from_tensor_slices(columns).batch(batch_size)
        dataset = dataset.map(load, num_parallel_calls=2, deterministic=True).prefetch(4)
        return without_autotuning(dataset)


def _mapped(part: Part) -> np.ndarray:
    with read_hdf5(part.path, what="a file of cached features", remedy=REMEDY) as file:
        stored = file["features"]
        shape, offset = stored.shape, stored.id.get_offset()
        if shape[0] != len(part.rows):
            raise ConvRNNError(
                f"cannot use the features {part.path}: they must have {len(part.rows)} rows, one per image, got "
                f"{shape[0]}. {REMEDY}"
            )
        return np.memmap(part.path, np.float32, "r", offset, shape)


def view_order(count: int, views: int, *, seed: int, epoch: int) -> np.ndarray:
    """Which view of each row an epoch shows: (count,); each image goes through all its views in turn."""
    start = generator(seed, Stream.VIEW_ORDER).integers(views, size=count)
    return (start + epoch) % views
