"""Cached features: the same bytes wherever they are computed, resumed, read in order, and corrupt files refused."""

import errno
import fcntl
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_features import PARTS, TWO_WORKERS, command, digests, extract

from convrnn_data import PreparedSet
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features import store
from convrnn_experiments.features.plan import Part
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import written_hdf5


def test_every_image_is_in_one_part_of_each_view(
    config: Config, sharded_set: PreparedSet, tmp_path: Path
) -> None:
    planned = store.plan(sharded_set, config, tmp_path)
    assert len({part.path for part in planned}) == len(planned) == PARTS
    for split, views in (("train", 2), ("val", 1)):
        for view in range(views):
            rows = [row for part in planned if (part.split, part.view) == (split, view) for row in part.rows]
            assert sorted(rows) == list(range(len(sharded_set.table(split))))


def test_array_tasks_compute_disjoint_parts(
    config: Config,
    tmp_path: Path,
    reference_folder: Path,
    reference_digests: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def copied(parts: Sequence[Part], *_: object) -> Iterator[Part]:
        for part in parts:
            shutil.copy2(reference_folder / part.path.relative_to(tmp_path), part.path)
            yield part

    monkeypatch.setattr(store, "compute_in_workers", copied)
    counts = [
        extract(config, tmp_path, executor=TWO_WORKERS, task=f"{task}/3").computed for task in (3, 1, 2)
    ]
    assert counts == [3, 4, 3]
    assert digests(tmp_path) == reference_digests
    assert extract(config, tmp_path).computed == 0


def test_two_processes_compute_only_missing_parts(
    config: Config, tmp_path: Path, reference_folder: Path, reference_digests: dict[str, str]
) -> None:
    shutil.copytree(reference_folder, tmp_path, dirs_exist_ok=True)
    complete = extract(config, tmp_path)
    assert (complete.computed, complete.cached) == (0, PARTS)
    stamps = {
        part.path: part.path.stat().st_mtime_ns for part in (complete.of("train")[1], complete.of("val")[0])
    }
    missing = [part.path for part in complete.parts if part.path not in stamps]
    for path in missing:
        path.unlink()
    reported: list[tuple[str, int, int]] = []
    resumed = extract(config, tmp_path, executor=TWO_WORKERS, report=lambda *words: reported.append(words))
    assert (resumed.computed, resumed.cached) == (PARTS - 2, 2)
    assert digests(tmp_path) == reference_digests
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    assert reported[:2] == [("features, train", 8, 64), ("features, val", 8, 16)]
    assert {("features, train", 64, 64), ("features, val", 16, 16)} <= set(reported)


def test_cores_and_readout_batch_size_do_not_change_features(
    config: Config, tmp_path: Path, reference_digests: dict[str, str]
) -> None:
    train = [word for word in command(config, tmp_path) if word not in ("--out", str(tmp_path))]
    train[1] = "train"
    more = ["--epochs", "1", "--batch-size", "7", "--out", str(tmp_path / "run")]
    subprocess.run([*train, *more, "--features", str(tmp_path / "cached")], check=True, timeout=600)
    assert digests(tmp_path / "cached") == reference_digests


@pytest.fixture
def part(tmp_path: Path) -> Part:
    """A file of features, (2, 3, 4)."""
    path = tmp_path / "train-view0-000000.h5"
    with written_hdf5(path) as file:
        file["features"] = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return Part(path, "train", 0, 0, np.arange(2))


def read(part: Part) -> np.ndarray:
    return store.FeatureStore([part], 2).read(np.arange(2), np.zeros(2, int))


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EAGAIN, errno.ENOSYS])
def test_features_are_read_on_disks_without_locks(
    number: int, part: Part, no_locks: Callable[[int], None]
) -> None:
    no_locks(number)
    np.testing.assert_array_equal(read(part).ravel(), np.arange(24))


def test_features_being_written_are_refused(part: Part) -> None:
    with part.path.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(ConvRNNError, match=f"cannot read {part.path}: another process is writing it"):
            read(part)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def replace_arrays(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["other"] = 1


def replace_by_zip(path: Path) -> None:
    path.write_bytes(b"PK\3\4")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "train-view0-000000.h5 is damaged.*Delete it"),
        (replace_arrays, "train-view0-000000.h5 is damaged.*Delete it"),
        (replace_by_zip, "train-view0-000000.h5 is a zip archive"),
    ],
)
def test_corrupt_features_are_named(damage: Callable[[Path], None], message: str, part: Part) -> None:
    damage(part.path)
    with pytest.raises(ConvRNNError, match=message):
        read(part)


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.EMFILE, "ulimit -n"), (errno.EIO, "copy on another disk")]
)
def test_system_errors_are_reported_with_a_remedy(
    number: int, advice: str, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "as the system says")

    monkeypatch.setattr(np, "memmap", fail)
    with pytest.raises(ConvRNNError, match=f"cannot read {part.path}: .*{advice}"):
        read(part)


def test_features_of_either_type_are_read_as_float32(part: Part) -> None:
    with written_hdf5(part.path) as file:
        file["features"] = np.linspace(0, 6e4, 24, dtype=np.float16).reshape(2, 3, 4)
    features = read(part)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features.ravel(), np.linspace(0, 6e4, 24, dtype=np.float16))
    with written_hdf5(part.path) as file:
        file["features"] = np.zeros((2, 3, 4), np.int32)
    with pytest.raises(ConvRNNError, match=r"must be float32 or float16, got int32. Delete it"):
        read(part)


@pytest.mark.parametrize(
    ("dtype", "needed", "way_out"),
    [
        ("float32", "0.026 MB", "fewer --views or --feature-dtype float16$"),
        ("float16", "0.013 MB", "fewer --views$"),
    ],
)
def test_insufficient_disk_space_is_an_early_error(
    dtype: str, needed: str, way_out: str, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features of 2 x 32 + 16 images take 2 time steps x 41 channels each."""
    usage = shutil._ntuple_diskusage(10**6, 10**6, 2000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ConvRNNError, match=f"needs {needed} more, and the disk has 0.002 MB left.*{way_out}"):
        extract(config.replace(feature_dtype=dtype), tmp_path)
    assert not list(tmp_path.rglob("*.h5"))


def test_features_of_another_set_are_refused(part: Part) -> None:
    with pytest.raises(ConvRNNError, match=r"must have 3 rows, one per image, got 2. Delete it"):
        store.FeatureStore([replace(part, rows=np.arange(3))], 3)


def test_rows_are_read_in_their_views(tmp_path: Path) -> None:
    """Read two views of four rows, in two shards that interleave: each value is 10 * view + row."""
    parts = []
    for view in range(2):
        for shard, rows in enumerate((np.array([3, 0]), np.array([1, 2]))):
            path = tmp_path / f"train-view{view}-{shard:06d}.h5"
            with written_hdf5(path) as file:
                file["features"] = (10 * view + rows)[:, None, None].astype(np.float32)
            parts.append(Part(path, "train", shard, view, rows))
    features = store.FeatureStore(parts, 4)
    assert (features.views, features.shape) == (2, (1, 1))
    rows, views = np.array([2, 3, 0, 2]), np.array([0, 1, 0, 1])
    assert features.read(rows, views).ravel().tolist() == [2, 13, 0, 12]
    labels = np.array([5, 6, 7, 8])
    found = [
        (values.numpy().ravel().tolist(), classes.numpy().tolist(), indices.numpy().tolist())
        for values, classes, indices in features.batches(rows, np.array([1, 0, 1, 0]), labels, 3)
    ]
    assert found == [([12.0, 3.0, 10.0], [7, 8, 5], [2, 3, 0]), ([12.0], [7], [2])]


def test_every_image_goes_through_all_its_views() -> None:
    views = np.stack([store.view_order(40, 4, seed=1, epoch=epoch) for epoch in range(4)])
    np.testing.assert_array_equal(np.sort(views, axis=0), np.arange(4)[:, None].repeat(40, axis=1))
    assert len(np.unique(views[0])) == 4
