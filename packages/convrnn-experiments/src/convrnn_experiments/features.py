"""The frozen network's pooled features: computed once per image and view, kept, and read back as batches.

A frozen network answers the same to the same picture in every epoch, so training its readout needs the network
once per view, not once per epoch. What is kept lies in a folder named by everything that it depends on.
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_data.beside import remove_dead_temporaries
from convrnn_data.console import Report, silent
from convrnn_data.engine import available_cores, parse_task
from convrnn_experiments.config import Config
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.parts import HERE, Part, Where, spread
from convrnn_experiments.perturbations import Perturb
from convrnn_experiments.pipeline import Frame, batches, epoch_jitter, pictures_of, unreadable
from convrnn_experiments.runs import write_json, written_hdf5
from convrnn_experiments.squares import libraries
from convrnn_model import activations

DEPENDS_ON = "depends_on.json"
TRAINING, VALIDATION = 2, 3  # streams of the perturbation's draws


BATCH = 16
"""Images that the network sees together: what is drawn depends on it, so it is not the readout's batch size."""


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


def pooled_names(network: str, timesteps: int) -> list[str]:
    """The layers that a readout reads, one per time step."""
    return [f"GlobalAvgPool_Time_{t}" for t in range(timesteps)] if network == "bl" else ["GlobalAvgPool"]


def pooled_model(network: keras.Model, config: Config) -> tuple[keras.Model, Perturb]:
    """uint8 pictures -> perturbed -> pooled features (batch, time, channels); no readout is computed."""
    perturbation = Perturb(config.condition, seed=config.seed, name="perturbation", dtype="float32")
    images = keras.Input((config.image_size, config.image_size, 3), dtype="uint8", name="pictures")
    return keras.Model(images, _pooled(network, config, perturbation(images))), perturbation


def _pooled(network: keras.Model, config: Config, images: Any) -> Any:
    names = pooled_names(config.network, config.timesteps)
    pooled = activations(network, names)(images)
    return keras.ops.stack([pooled[name] for name in names], axis=1)


def dependencies(config: Config, weights_sha256: str) -> dict[str, Any]:
    """Everything that the kept features are a function of; the views themselves are counted in the file names."""
    levels = config.condition.levels
    names = ("network", "width", "timesteps", "image_size", "resize", "seed", "mixed_precision", "data_plan")
    versions = {
        name: version(name)
        for name in ("convrnn-model", "convrnn-experiments", "keras", "tensorflow", "numba")
    }
    return {
        **{name: getattr(config, name) for name in names},
        "perturb": str(config.perturb),
        "levels": list(levels),
        "weights_sha256": weights_sha256,
        "batch": BATCH,
        "backend": keras.backend.backend(),
        "versions": versions | libraries(),
    }


def folder_of(root: Path, config: Config, weights_sha256: str) -> Path:
    """The folder below `root` whose name is a hash of all that the features depend on; says so in a file within."""
    depends = dependencies(config, weights_sha256)
    name = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]
    folder = root / name
    if not (folder / DEPENDS_ON).is_file():
        write_json(folder / DEPENDS_ON, depends)
    return folder


def require_folder(folder: Path, config: Config) -> None:
    """Whether a process would compute what this folder, made by another one, is for.

    Raises:
        ConvRNNError: the folder is not seen from here, or versions differ.
    """
    try:
        asked = json.loads((folder / DEPENDS_ON).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConvRNNError(
            f"{folder} cannot be read: {error}; the set, the weights and the features have to lie on a disk that "
            "every worker sees"
        ) from error
    own = json.loads(json.dumps(dependencies(config, config.weights_sha256)))
    versions = asked.pop("versions", {}), own.pop("versions")
    differing = [
        f"{name} is {mine.get(name)}, not {value}"
        for given, mine in ((asked, own), versions)
        for name, value in given.items()
        if mine.get(name) != value
    ]
    if differing:
        raise ConvRNNError(
            f"features of {folder} cannot be computed here: {'; '.join(differing)}. Give every worker the same "
            "versions and settings"
        )


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
    folder = folder_of(root, config, config.weights_sha256)
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
    if not where.here and (where.engine != "local" or len(missing) > 1):
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


def one_thread_each() -> None:
    """Let TensorFlow compute every operation on one thread; to be called before it computes anything.

    How an operation's sums are shared by threads decides their last bits, so that features would depend on the
    machine's number of processors. `Extractor` computes several batches side by side instead.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)


def side_by_side() -> int:
    """How many batches this process computes at once: one on each core, where it computes on cores."""
    on_cores = keras.backend.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")
    return available_cores() if on_cores else 1


class Extractor:
    """A frozen network that writes parts, one after another.

    Args:
        network: in inference mode whatever it is trainable for.
        config: from `checked`.
        data: the prepared set that it names.
        threads: at most so many batches are computed side by side; as `side_by_side` says where not given.
    """

    def __init__(
        self, network: keras.Model, config: Config, data: PreparedSet, threads: int | None = None
    ) -> None:
        shape = (config.image_size, config.image_size, 3)
        pictures, perturbed = keras.Input(shape, dtype="uint8"), keras.Input(shape)
        self._perturbation = Perturb(config.condition, seed=config.seed, dtype="float32")
        # What draws is a model of its own, since its batches have to come one after another.
        self._perturb = keras.Model(pictures, self._perturbation(pictures))
        self._network = keras.Model(perturbed, _pooled(network, config, perturbed))
        self._network.make_predict_function()  # once, before threads ask for it
        self._threads = min(threads or side_by_side(), side_by_side())
        self._config = config
        self._pictures = {split: pictures_of(data, split) for split in ("train", "val")}

    def write(self, part: Part) -> None:
        """Compute a part and write its file.

        Raises:
            ConvRNNError: an image cannot be read, or the file cannot be written.
        """
        config, pictures = self._config, self._pictures[part.split]
        training = part.split == "train"
        # Each part has a stream of its own, so it does not matter which were computed before it.
        self._perturbation.restart(TRAINING if training else VALIDATION, part.view, part.shard)
        jitter = epoch_jitter(len(pictures), seed=config.seed, epoch=part.view) if training else None
        shown = batches(
            pictures, Frame(config.image_size, config.resize), BATCH, rows=part.rows, jitter=jitter
        )
        try:
            perturbed = (self._perturb.predict_on_batch(images) for images, _, _ in shown)
            computed = list(_in_turn(self._network.predict_on_batch, perturbed, self._threads))
        except tf.errors.OpError as error:
            if found := unreadable(error, config.data):
                raise found from error
            raise
        with written_hdf5(part.path) as file:
            # Contiguous and uncompressed: any row is then one read at a known place.
            file["features"] = np.concatenate(computed).astype(np.float32)


def _in_turn(function: Callable[[Any], Any], batches: Iterable[Any], threads: int) -> Iterator[Any]:
    """`map`, with so many calls at once and no more batches waiting."""
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[Any]] = deque()
        for batch in batches:
            if len(begun) == threads:
                yield begun.popleft().result()
            begun.append(pool.submit(function, batch))
        for future in begun:
            yield future.result()


class KeptFeatures:
    """Kept features of a split, any row of any view, through the operating system's page cache.

    Args:
        parts: from `keep`.
        count: rows in the split.

    Raises:
        ConvRNNError: a file is damaged.
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
        return dataset.map(load, num_parallel_calls=2, deterministic=True).prefetch(4)


def _mapped(part: Part) -> np.ndarray:
    try:
        with h5py.File(part.path, "r") as file:
            stored = file["features"]
            shape, offset = stored.shape, stored.id.get_offset()
        if shape[0] != len(part.rows):
            raise ConvRNNError(f"{part.path} holds {shape[0]} rows where {len(part.rows)} belong; delete it")
        return np.memmap(part.path, np.float32, "r", offset, shape)
    except (OSError, KeyError, ValueError) as error:
        raise ConvRNNError(
            f"{part.path} is damaged ({error}); delete it, and it is computed again"
        ) from error


def view_order(count: int, views: int, *, seed: int, epoch: int) -> np.ndarray:
    """Which view of each row an epoch shows: (count,); each image goes through all its views in turn."""
    start = np.random.default_rng([seed, 2]).integers(views, size=count)
    return (start + epoch) % views
