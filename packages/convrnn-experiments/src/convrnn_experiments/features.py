"""The frozen network's pooled features: computed once per image and view, kept, and read back as batches.

A frozen network answers the same to the same picture in every epoch, so training its readout needs the network
once per view, not once per epoch. What is kept lies in a folder named by everything that it depends on.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf

from convrnn_data.console import Report, silent
from convrnn_data.sealed import remove_dead_temporaries
from convrnn_experiments.config import Config
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.perturbations import Perturb
from convrnn_experiments.pipeline import Frame, Pictures, batches, epoch_jitter, unreadable
from convrnn_experiments.runs import write_json, written
from convrnn_experiments.squares import libraries
from convrnn_model import activations

TRAINING, VALIDATION = 2, 3  # streams of the perturbation's draws


@dataclass(frozen=True)
class Part:
    """One file of kept features: one view of one shard.

    Attributes:
        path: the HDF5 file.
        rows: (n,) rows of the split's table, in the file's order.
        view: which view, from 0.
    """

    path: Path
    rows: np.ndarray
    view: int


def pooled_names(network: str, timesteps: int) -> list[str]:
    """The layers that a readout reads, one per time step."""
    return [f"GlobalAvgPool_Time_{t}" for t in range(timesteps)] if network == "bl" else ["GlobalAvgPool"]


def pooled_model(network: keras.Model, config: Config) -> tuple[keras.Model, Perturb]:
    """uint8 pictures -> perturbed -> pooled features (batch, time, channels); no readout is computed."""
    perturbation = Perturb(config.condition, seed=config.seed, name="perturbation", dtype="float32")
    images = keras.Input((config.image_size, config.image_size, 3), dtype="uint8", name="pictures")
    names = pooled_names(config.network, config.timesteps)
    pooled = activations(network, names)(perturbation(images))
    return keras.Model(images, keras.ops.stack([pooled[name] for name in names], axis=1)), perturbation


def dependencies(config: Config, weights_sha256: str) -> dict[str, Any]:
    """Everything that the kept features are a function of; the views themselves are counted in the file names."""
    levels = config.condition.levels
    names = ("network", "width", "timesteps", "image_size", "resize", "seed", "mixed_precision", "data_plan")
    versions = {
        name: version(name) for name in ("convrnn-model", "convrnn-experiments", "keras", "tensorflow")
    }
    return {
        **{name: getattr(config, name) for name in names},
        "perturb": str(config.perturb),
        "levels": list(levels),
        "weights_sha256": weights_sha256,
        "backend": keras.backend.backend(),
        "versions": versions | libraries(),
    }


def folder_of(root: Path, config: Config, weights_sha256: str) -> Path:
    """The folder below `root` whose name is a hash of all that the features depend on; says so in a file within."""
    depends = dependencies(config, weights_sha256)
    name = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]
    folder = root / name
    if not (folder / "depends_on.json").is_file():
        write_json(folder / "depends_on.json", depends)
    return folder


def compute(
    network: keras.Model,
    config: Config,
    pictures: Pictures,
    shard_ids: np.ndarray,
    folder: Path,
    *,
    split: str,
    views: int,
    report: Report = silent,
) -> list[Part]:
    """Compute what is not kept yet; a file that is there is whole.

    Args:
        network: frozen; used in inference mode.
        config: its perturbation, framing, batch size and seed.
        pictures: the split's images.
        shard_ids: (n,) the shard of each row: one file for each shard and view.
        folder: from `folder_of`.
        split: "train" gets a fresh crop, flip and perturbation in every view; "val" the centre and fixed draws.
        views: how many views of each image.
        report: progress in images.

    Returns:
        Every part, kept before or computed now.
    """
    model, perturbation = pooled_model(network, config)
    remove_dead_temporaries(folder)
    parts, done = [], 0
    for view in range(views):
        jitter = epoch_jitter(len(pictures), seed=config.seed, epoch=view) if split == "train" else None
        for shard in np.unique(shard_ids):
            rows = np.flatnonzero(shard_ids == shard)
            part = Part(folder / f"{split}-view{view}-{shard:06d}.h5", rows, view)
            if not part.path.is_file():
                # Each part has a stream of its own, so it does not matter which were computed before it.
                perturbation.restart(TRAINING if split == "train" else VALIDATION, view, int(shard))
                _compute_part(model, config, pictures, part, jitter)
            parts.append(part)
            done += len(rows)
            report(f"features, {split}", done, views * len(pictures))
    return parts


def _compute_part(
    model: keras.Model, config: Config, pictures: Pictures, part: Part, jitter: np.ndarray | None
) -> None:
    frame = Frame(config.image_size, config.resize)
    shown = batches(pictures, frame, config.batch_size, rows=part.rows, jitter=jitter)
    try:
        computed = [model.predict_on_batch(images) for images, _, _ in shown]
    except tf.errors.OpError as error:
        if found := unreadable(error, config.data):
            raise found from error
        raise
    with written(part.path) as path, h5py.File(path, "w") as file:
        # Contiguous and uncompressed: any row is then one read at a known place.
        file["features"] = np.concatenate(computed).astype(np.float32)


class KeptFeatures:
    """Kept features of a split, any row of any view, through the operating system's page cache.

    Args:
        parts: from `compute`.
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
