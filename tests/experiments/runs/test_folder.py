"""Checkpoints and kept features on disks without locks, while they are written, and damaged."""

import errno
import fcntl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.plan import Part
from convrnn_experiments.features.store import FeatureStore
from convrnn_experiments.runs.folder import Run, written_hdf5
from convrnn_experiments.training.checkpoint import load_state, save_state

STATE = [np.float32([1, 2]), np.float32(3)]


def variables() -> list[keras.Variable]:
    return [keras.Variable(np.zeros_like(value), dtype="float32") for value in STATE]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Run:
    """A run with a checkpoint of two variables."""
    run = Run(tmp_path / "run")
    save_state(run, [keras.Variable(value, dtype="float32") for value in STATE], epoch=3, best=0.5)
    return run


@pytest.fixture
def part(tmp_path: Path) -> Part:
    """A file of features, (2, 3, 4)."""
    path = tmp_path / "train-view0-000000.h5"
    with written_hdf5(path) as file:
        file["features"] = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return Part(path, "train", 0, 0, np.arange(2))


def read(part: Part) -> np.ndarray:
    return FeatureStore([part], 2).read(np.arange(2), np.zeros(2, int))


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EAGAIN, errno.ENOSYS])
def test_disks_without_locks(
    number: int, checkpoint: Run, part: Part, no_locks: Callable[[int], None]
) -> None:
    no_locks(number)
    found = variables()
    save_state(checkpoint, found, epoch=4, best=0.25)
    assert load_state(checkpoint, found) == {"epoch": 4, "best": 0.25}
    np.testing.assert_array_equal(read(part).ravel(), np.arange(24))


def test_files_that_are_being_written(checkpoint: Run, part: Part) -> None:
    for path, reads in (
        (checkpoint.checkpoint, lambda: load_state(checkpoint, variables())),
        (part.path, lambda: read(part)),
    ):
        with path.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with pytest.raises(ConvRNNError, match=f"cannot read {path}: another process is writing it"):
                reads()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def other_arrays(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["other"] = 1
        file.attrs.update({"count": 1, "epoch": 1})


@pytest.mark.parametrize("spoil", [cut, other_arrays, lambda path: path.write_bytes(b"PK\3\4")])
def test_damage_has_its_own_way_out(spoil: Callable[[Path], None], checkpoint: Run, part: Part) -> None:
    spoil(checkpoint.checkpoint)
    spoil(part.path)
    with pytest.raises(ConvRNNError, match=r"state.h5 is (damaged.*with --force|a zip archive)"):
        load_state(checkpoint, variables())
    with pytest.raises(ConvRNNError, match=r"train-view0-000000.h5 is (damaged.*Delete it|a zip archive)"):
        read(part)


@pytest.mark.parametrize(
    ("number", "says"), [(errno.EMFILE, "ulimit -n"), (errno.EIO, "copy on another disk")]
)
def test_errors_of_the_system(
    number: int, says: str, checkpoint: Run, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "as the system says")

    monkeypatch.setattr(np, "memmap", fail)
    with pytest.raises(ConvRNNError, match=f"cannot read {part.path}: .*{says}"):
        read(part)
    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(ConvRNNError, match=f"cannot read {checkpoint.checkpoint}: .*{says}"):
        load_state(checkpoint, variables())


def test_another_networks_checkpoint(checkpoint: Run) -> None:
    with pytest.raises(
        ConvRNNError,
        match=r"shapes of this network's variables, got others\. Start the run over",
    ):
        load_state(checkpoint, variables()[:1])


def test_features_of_another_set(part: Part) -> None:
    with pytest.raises(ConvRNNError, match=r"must have 3 rows, one per image, got 2. Delete it"):
        FeatureStore([replace(part, rows=np.arange(3))], 3)
