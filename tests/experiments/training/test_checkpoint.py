"""Exact training-state checkpoints: without file locks, during writing, and corrupt."""

import errno
import fcntl
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.folder import Run
from convrnn_experiments.training.checkpoint import Progress, load_state, save_state

PROGRESS = Progress(epoch=3, best_accuracy=0.5, best_loss=0.1)
LATER = Progress(epoch=4, best_accuracy=0.75, best_loss=0.25)

VALUES = [
    np.float32([1, 1e-45]),  # the smallest number above 0
    np.float32(3),
    np.int64(2**53 + 1),
    np.float32([[np.nan, np.inf], [-0.0, 1 / 3]]),
]


def variables(values: list[np.ndarray]) -> list[keras.Variable]:
    return [keras.Variable(value, dtype=str(value.dtype)) for value in values]


def zero_variables() -> list[keras.Variable]:
    return variables([np.zeros_like(value) for value in VALUES])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with a checkpoint of `VALUES`."""
    run = Run(tmp_path / "run")
    save_state(run, variables(VALUES), PROGRESS)
    return run


def test_a_checkpoint_is_exact(run: Run) -> None:
    restored = zero_variables()
    assert load_state(run, restored) == PROGRESS
    for variable, value in zip(restored, VALUES, strict=True):
        assert variable.numpy().tobytes() == value.tobytes()


def test_a_run_without_a_checkpoint_starts_from_the_beginning(tmp_path: Path) -> None:
    restored = variables(VALUES)
    assert load_state(Run(tmp_path), restored) is None
    assert float(restored[1].numpy()) == 3


def test_the_next_checkpoint_replaces_the_last(run: Run) -> None:
    save_state(run, zero_variables(), LATER)
    restored = variables(VALUES)
    assert load_state(run, restored) == LATER
    assert not restored[0].numpy().any()
    assert [path.name for path in run.checkpoint.parent.iterdir()] == ["state.h5"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EAGAIN, errno.ENOSYS])
def test_checkpoints_work_on_disks_without_locks(
    number: int, run: Run, no_locks: Callable[[int], None]
) -> None:
    no_locks(number)
    restored = zero_variables()
    save_state(run, restored, LATER)
    assert load_state(run, restored) == LATER


def test_a_checkpoint_being_written_is_refused(run: Run) -> None:
    with run.checkpoint.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(ConvRNNError, match=f"cannot read {run.checkpoint}: another process is writing"):
            load_state(run, zero_variables())


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def replace_arrays(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["other"] = 1
        file.attrs.update({"count": 1, "epoch": 1})


def replace_by_zip(path: Path) -> None:
    path.write_bytes(b"PK\3\4")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "state.h5 is damaged.*with --force"),
        (replace_arrays, "state.h5 is damaged.*with --force"),
        (replace_by_zip, "state.h5 is a zip archive"),
    ],
)
def test_a_corrupt_checkpoint_is_named(damage: Callable[[Path], None], message: str, run: Run) -> None:
    damage(run.checkpoint)
    restored = variables(VALUES)
    with pytest.raises(ConvRNNError, match=message):
        load_state(run, restored)
    assert float(restored[1].numpy()) == 3


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.EMFILE, "ulimit -n"), (errno.EIO, "copy on another disk")]
)
def test_system_errors_are_reported_with_a_remedy(
    number: int, advice: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "as the system says")

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(ConvRNNError, match=f"cannot read {run.checkpoint}: .*{advice}"):
        load_state(run, zero_variables())


def test_a_checkpoint_of_another_network_is_refused(run: Run) -> None:
    with pytest.raises(
        ConvRNNError, match=r"shapes of this network's variables, got others\. Start the run over"
    ):
        load_state(run, zero_variables()[:2])


@pytest.mark.parametrize("epoch", [2.5, np.nan])
def test_invalid_progress_is_refused(epoch: float, run: Run) -> None:
    with h5py.File(run.checkpoint, "r+") as file:
        file.attrs["epoch"] = epoch
    with pytest.raises(ConvRNNError, match=r"state.h5 is damaged.*epoch.*with --force"):
        load_state(run, zero_variables())
