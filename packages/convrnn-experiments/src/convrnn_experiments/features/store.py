"""Cache of the frozen network's pooled features: computed once for each image and view, and read back as batches.

A frozen network gives the same output for the same image in every epoch, so training its readout needs the network once
per view, not once per epoch. The cache folder is named by a hash of everything that the features depend on.
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
from convrnn_data.base.disk_space import require_space
from convrnn_data.base.jobs import parse_task
from convrnn_data.base.random_streams import Stream, generator
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.extractor import Extractor
from convrnn_experiments.features.fingerprint import cache_folder
from convrnn_experiments.features.plan import IN_PROCESS, Executor, Part, feature_bytes
from convrnn_experiments.features.workers import compute_in_workers
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.environment import Inference
from convrnn_experiments.runs.folder import read_hdf5
from convrnn_experiments.runs.network import choose_inference, feature_predictor
from convrnn_experiments.runtime.datasets import without_autotuning
from convrnn_experiments.runtime.devices import computing_device, processor, uses_gpu

REMEDY = "Delete it to compute it again"


@dataclass(frozen=True)
class ExtractionResult:
    """Files of cached features after `extract_features`.

    Attributes:
        folder: Cache folder.
        parts: All parts, including those of other tasks.
        computed: Number of parts that this call computed.
        cached: Number of this task's parts that were in the cache.
    """

    folder: Path
    parts: tuple[Part, ...]
    computed: int
    cached: int

    def of(self, split: str) -> list[Part]:
        """Return the parts of one split."""
        return [part for part in self.parts if part.split == split]


def plan(data: PreparedSet, config: Config, folder: Path) -> tuple[Part, ...]:
    """Return every part: a file for each shard and view of the training split, and for each shard of validation."""
    parts = []
    for split, views in (("train", config.views), ("val", 1)):
        ids = data.table(split).shard_ids
        shard_rows = {int(shard): np.flatnonzero(ids == shard) for shard in np.unique(ids)}
        for view in range(views):
            for shard, rows in shard_rows.items():
                path = folder / f"{split}-view{view}-{shard:06d}.h5"
                parts.append(Part(path, split, shard, view, rows))
    return tuple(parts)


def extract_features(
    config: Config,
    data: PreparedSet,
    root: Path,
    *,
    executor: Executor = IN_PROCESS,
    task: str | None = None,
    echo: Callable[[str], None] = lambda line: None,
    report: Report = silent,
) -> ExtractionResult:
    """Compute the parts that are not cached. Each file is written atomically, so an existing file is complete.

    Processors of one kind give the same bytes in any process that started like the `convrnn` command, with
    `quiet_import` and `use_one_thread_per_operation`. Workers always do.

    Args:
        config: Configuration from `checked`. Each view of the training split has new crops, flips and perturbations;
            the validation split has centre crops and fixed draws.
        data: Prepared set.
        root: Folder of all caches; see `cache_folder`.
        executor: This process, or workers.
        task: "I/N" computes the I-th of N shares only, 1 <= I <= N.
        echo: Prints how the network is computed.
        report: Progress in images.

    Raises:
        ConvRNNError: The engine or the precision is not available, disk space is insufficient, an image cannot be
            decoded, a worker failed, or the cluster does not answer.
    """
    share = parse_task(task)
    # Workers compute on processor cores.
    device = computing_device() if executor.in_process else processor()
    inference = choose_inference(
        config.precision,
        config.inference,
        gpu=executor.in_process and uses_gpu(),
        top_down=config.variant.top_down,
    )
    folder = cache_folder(root, config, inference, device)
    remove_dead_temporaries(folder)
    parts = plan(data, config, folder)
    own = parts if share is None else parts[share[0] - 1 :: share[1]]
    missing = [part for part in own if not part.path.is_file()]
    _require_space(missing, config, folder)
    progress = _Progress(own, missing, report)
    for part in _compute(missing, config, inference, data, executor, echo):
        progress.add(part)
    return ExtractionResult(folder, parts, len(missing), len(own) - len(missing))


def _require_space(missing: Sequence[Part], config: Config, folder: Path) -> None:
    size = feature_bytes(config) * sum(len(part.rows) for part in missing)
    shrink = "" if config.feature_dtype == "float16" else " or --feature-dtype float16"
    way_out = f"Make room, choose another folder, or use fewer --views{shrink}"
    require_space(folder, size, f"write features to {folder}", way_out)


def _compute(
    missing: Sequence[Part],
    config: Config,
    inference: Inference,
    data: PreparedSet,
    executor: Executor,
    echo: Callable[[str], None],
) -> Iterator[Part]:
    if not missing:
        return
    # Starting a worker for one part takes longer than computing it here on the same processor.
    alone = executor.engine == "local" and len(missing) == 1 and computing_device() == processor()
    if not executor.in_process and not alone:
        echo(
            f"features: engine {inference.engine} in {inference.precision} on {inference.processor}, in workers"
        )
        yield from compute_in_workers(missing, config.replace(inference=inference.engine), executor)
        return
    extractor = Extractor(feature_predictor(config, gpu=uses_gpu()), config, data)
    echo(f"features: {extractor.plan}")
    for part in missing:
        extractor.write(part)
        yield part


class _Progress:
    """Reports the images of each split as parts are completed."""

    def __init__(self, parts: Sequence[Part], missing: Sequence[Part], report: Report) -> None:
        self._report, self._total, self._done = report, Counter[str](), Counter[str]()
        for part in parts:
            self._total[part.split] += len(part.rows)
        self._done.update(self._total)
        for part in missing:
            self._done[part.split] -= len(part.rows)
        for split in self._total:
            self._show(split)

    def add(self, part: Part) -> None:
        self._done[part.split] += len(part.rows)
        self._show(part.split)

    def _show(self, split: str) -> None:
        self._report(f"features, {split}", self._done[split], self._total[split])


class FeatureStore:
    """Random access to the cached features of a split, any row of any view, through the system's page cache.

    Features are returned as float32, which has all values of float16.

    Args:
        parts: Parts of the split, from `extract_features`.
        count: Number of rows of the split.

    Raises:
        ConvRNNError: A file cannot be read, or is corrupt.
    """

    def __init__(self, parts: Sequence[Part], count: int) -> None:
        self.views = 1 + max(part.view for part in parts)
        self._arrays = [_memory_map(part) for part in parts]
        self.shape: tuple[int, int] = self._arrays[0].shape[1:]
        self._part = np.full((self.views, count), -1, np.int32)
        self._position = np.zeros((self.views, count), np.int64)
        for index, part in enumerate(parts):
            self._part[part.view, part.rows] = index
            self._position[part.view, part.rows] = np.arange(len(part.rows))

    def read(self, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        """Return the features of rows (n,) in their views (n,): (n, time, channels) float32."""
        features = np.empty((len(rows), *self.shape), np.float32)
        parts, positions = self._part[views, rows], self._position[views, rows]
        for part in np.unique(parts):
            chosen = parts == part
            features[chosen] = self._arrays[part][positions[chosen]]
        return features

    def batches(
        self, rows: np.ndarray, views: np.ndarray, labels: np.ndarray, batch_size: int
    ) -> tf.data.Dataset:
        """Return batches of `(features, labels, rows)` in the given order, each row in its view of `views`."""

        def read(chunk: np.ndarray) -> np.ndarray:
            return self.read(chunk, views[chunk])

        def load(chunk: tf.Tensor, chunk_labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            features = tf.numpy_function(read, [chunk], tf.float32, stateful=False)
            return tf.ensure_shape(features, (None, *self.shape)), chunk_labels, chunk

        columns = (rows.astype(np.int64), labels[rows].astype(np.int32))
        dataset = tf.data.Dataset.from_tensor_slices(columns).batch(batch_size)
        dataset = dataset.map(load, num_parallel_calls=2, deterministic=True).prefetch(4)
        return without_autotuning(dataset)


def _memory_map(part: Part) -> np.ndarray:
    with read_hdf5(part.path, expected="a file of cached features", remedy=REMEDY) as file:
        stored = file["features"]
        shape, dtype, offset = stored.shape, stored.dtype, stored.id.get_offset()
        if shape[0] != len(part.rows):
            raise ConvRNNError(
                f"cannot use the features {part.path}: they must have {len(part.rows)} rows, one per image, got "
                f"{shape[0]}. {REMEDY}"
            )
        if dtype not in (np.float16, np.float32):
            raise ConvRNNError(
                f"cannot use the features {part.path}: they must be float32 or float16, got {dtype}. {REMEDY}"
            )
        return np.memmap(part.path, dtype, "r", offset, shape)


def view_order(count: int, views: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return the view of each row in an epoch, (count,); each image cycles through all its views."""
    start = generator(seed, Stream.VIEW_ORDER).integers(views, size=count)
    return (start + epoch) % views
