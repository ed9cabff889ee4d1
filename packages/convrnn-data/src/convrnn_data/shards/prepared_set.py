"""Reader for prepared sets: keys, labels and images, in any order and from any number of threads."""

import os
import threading
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_data.base import advice
from convrnn_data.base.checksummed_json import unseal, validated
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import most_open, pread_fully, require_posix
from convrnn_data.categories import CATEGORIES
from convrnn_data.shards.formats import FileEntry, Manifest, ShardIndex
from convrnn_data.shards.shard import read_index
from convrnn_data.shards.splits import SPLITS, advise_share

MANIFEST, PLAN, SPLIT, REJECTED = "manifest.json", "plan.json", "split.json", "rejected.csv"


class PreparedSet:
    """Complete prepared set, written by `convrnn-data prepare` or `reformat --layout shards`.

    Attributes:
        path: The folder.
        manifest: Content of `manifest.json`.
        plan_hash: Identifies settings and content, wherever the set is located.
        splits: Names of the splits, such as ("train", "val").
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a set.

        Raises:
            ConvRNNError: The folder is not a complete set.
        """
        require_posix("convrnn-data")
        self.path = Path(path)
        manifest = self.path / MANIFEST
        if not manifest.is_file():
            raise ConvRNNError(_explain_missing(self.path))
        self.manifest: dict[str, Any] = unseal(manifest)
        self._checked = validated(self.manifest, Manifest, manifest)
        self.plan_hash: str = self._checked.plan
        self.splits: tuple[str, ...] = tuple(self._checked.counts)

    def origins(self, split: str) -> dict[str, int]:
        """Count the images of a split from each of ILSVRC's sets, "training" and "validation"."""
        if split in self._checked.origins:
            return {str(origin): count for origin, count in self._checked.origins[split].items()}
        return {"training": sum(self.counts.get(split, {}).values())}

    @property
    def near_duplicates(self) -> dict[str, int] | None:
        """Counts of near-duplicates, see `formats.NearDuplicates`; None without a comparison."""
        counts = self._checked.near_duplicates
        return None if counts is None else counts.model_dump()

    @property
    def files(self) -> dict[str, FileEntry]:
        """Size and SHA-256 of every file except the manifest, by path within the set."""
        return self._checked.files

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Images per split and category."""
        return self._checked.counts

    def table(self, split: str) -> "SampleTable":
        """Return the samples of one split.

        Raises:
            ConvRNNError: The split does not exist, or an index is missing or damaged.
        """
        if split not in self.splits:
            raise ConvRNNError(
                f"{self.path} has no split {split!r}; it has {', '.join(self.splits)}{self._explain_empty(split)}"
            )
        shards = [self.path / f"{name}.tar" for name in self._checked.shards if name.startswith(f"{split}/")]
        return SampleTable(shards, [read_index(shard, self.plan_hash) for shard in shards])

    def why_empty(self, split: str) -> str:
        """Explain why a split is empty, and how to fill it."""
        return f"{self.path} has no images in its {split!r} split{self._explain_empty(split)}"

    def _explain_empty(self, split: str) -> str:
        settings = self._checked.settings
        if split not in SPLITS or split not in settings:
            return ""
        if settings.get("split_file") is not None:
            return f": its split file names no images of {split!r}. Prepare the set again with another split file"
        totals = [sum(row[category] for row in self.counts.values()) for category in CATEGORIES]
        share = settings[split]
        if not share:
            why = f"it was prepared with --{split} 0"
        else:
            why = f"--{split} {share:g} of the largest category's {max(totals):,} images rounds to none"
        return f": {why}. Prepare the set again in another folder: {advise_share(split, totals)}"


def open_set(path: str | os.PathLike[str]) -> PreparedSet:
    """Open a prepared set; see `PreparedSet`."""
    return PreparedSet(path)


def _explain_missing(path: Path) -> str:
    if not path.exists():
        return (
            f"{path} does not exist. Check the path, or make a prepared set there with `convrnn-data prepare IMAGENET "
            f"{path}`"
        )
    if not path.is_dir():
        return (
            f"{path} is a file: a prepared set is a folder. Make one with `convrnn-data prepare IMAGENET OUT`"
        )
    if (path / PLAN).is_file():
        return f"{path} is not complete: it has no {MANIFEST}. Run the same `convrnn-data prepare` command to resume"
    return f"{path} is not a prepared set: it has no {MANIFEST}. Make one with `convrnn-data prepare IMAGENET OUT`"


class SampleTable:
    """Samples of one split as columns, in the (shuffled) order of the shards.

    Attributes:
        keys: (samples,) str.
        labels: (samples,) int64, 0..15.
        widths: (samples,) int32, pixels.
        heights: (samples,) int32, pixels.
        shard_ids: (samples,) int64, positions in `shards`.
        offsets: (samples,) int64, first byte of each JPEG in the shard.
        sizes: (samples,) int64, bytes.
        shards: The tars.
    """

    def __init__(self, shards: list[Path], indexes: list[ShardIndex]) -> None:
        """Join the indexes of shards."""
        self.shards = shards
        self.keys = _column(indexes, "keys", np.str_)
        self.labels = _column(indexes, "labels", np.int64)
        self.widths = _column(indexes, "widths", np.int32)
        self.heights = _column(indexes, "heights", np.int32)
        self.offsets = _column(indexes, "offsets", np.int64)
        self.sizes = _column(indexes, "sizes", np.int64)
        self.shard_ids = np.repeat(np.arange(len(shards), dtype=np.int64), [index.count for index in indexes])
        self._files: dict[int, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.keys)

    def __getstate__(self) -> dict[str, Any]:
        """Exclude open files and locks, which another process cannot use."""
        return {name: value for name, value in vars(self).items() if name not in ("_files", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _files={}, _lock=threading.Lock())

    def read(self, indices: Iterable[int] | np.ndarray) -> list[bytes]:
        """Read images.

        Args:
            indices: (n,) positions in this table, in any order; negative ones count from the end.

        Returns:
            The JPEGs' bytes, in the order of `indices`.

        Raises:
            ConvRNNError: A shard is missing or truncated.
            IndexError: A position is out of range.
        """
        rows = np.asarray(indices if isinstance(indices, np.ndarray) else list(indices), dtype=np.int64)
        locations = zip(
            self.shard_ids[rows].tolist(), self.offsets[rows].tolist(), self.sizes[rows].tolist(), strict=True
        )
        return [self._read(*location) for location in locations]

    def _read(self, shard: int, offset: int, size: int) -> bytes:
        file = self._files.get(shard)
        data = self._read_first(shard, offset, size) if file is None else pread_fully(file, size, offset)
        if len(data) != size:
            raise ConvRNNError(
                f"{self.shards[shard]} is shorter than its index says: {size:,} bytes expected at {offset:,}, "
                f"got {len(data):,}. Run `convrnn-data verify` to find every damaged file"
            )
        return data

    def _read_first(self, shard: int, offset: int, size: int) -> bytes:
        """Read from a shard that is not open yet; keep it open if the limit on open files allows."""
        try:
            file = os.open(self.shards[shard], os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            otherwise = "Run `convrnn-data verify` to find every missing file"
            raise ConvRNNError(
                f"cannot read {self.shards[shard]}: {advice.describe(error, self.shards[shard], otherwise)}"
            ) from error
        with self._lock:
            # Beyond the limit on open files, shards are opened for each read.
            kept = len(self._files) < most_open() and self._files.setdefault(shard, file) == file
        try:
            return pread_fully(file, size, offset)
        finally:
            if not kept:
                os.close(file)

    def close(self) -> None:
        """Close the shards; reading opens them again."""
        with self._lock:
            files, self._files = list(self._files.values()), {}
        for file in files:
            os.close(file)

    def __del__(self) -> None:
        if "_files" in vars(self):
            self.close()

    @cached_property
    def nbytes(self) -> int:
        """Total size of the images in bytes."""
        return int(self.sizes.sum())


def _column(indexes: list[ShardIndex], name: str, kind: type) -> np.ndarray:
    parts: list[np.ndarray] = [np.array(getattr(index.samples, name), dtype=kind) for index in indexes]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
