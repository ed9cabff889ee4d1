"""A run's folder: what was asked for, what made it, how it went, where it stands."""

import csv
import io
import json
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import convrnn_model
from convrnn_data.base import advice
from convrnn_data.base.atomic import atomic_file, remove_dead_temporaries
from convrnn_data.base.schema import misfit
from convrnn_data.base.locking import LOCK, locked
from convrnn_data.shards.workspace import contents
from convrnn_experiments.runs.config import Config
from convrnn_experiments.errors import ConvRNNError
from convrnn_model.weights.opening import READ_ERRORS, open_hdf5, unreadable

REPORTED = ("convrnn-data", "convrnn-model", "convrnn-experiments", "keras", "tensorflow", "numpy", "h5py")

START_OVER = "Start the run over with --force"


@dataclass(frozen=True)
class Run:
    """The files of `runs/<name>/`."""

    path: Path

    @property
    def weights(self) -> Path:
        """The best weights by balanced validation accuracy; written last, so it says that the run is finished."""
        return self.path / "weights.h5"

    @property
    def checkpoint(self) -> Path:
        """Where training stands, as of the last whole epoch."""
        return self.path / "checkpoint" / "state.h5"

    @property
    def best(self) -> Path:
        """The best weights so far, published layout."""
        return self.path / "checkpoint" / "best.h5"

    def config(self) -> Config:
        """Reads `config.json`.

        Raises:
            ConvRNNError: the folder is no run.
        """
        path = self.path / "config.json"
        if not path.is_file():
            found = "a folder without it" if self.path.is_dir() else "a file"
            raise ConvRNNError(
                f"cannot read the run {self.path}: it must be a folder with config.json, got "
                f"{found if self.path.exists() else 'no such folder'}. Give a folder that `convrnn train` made"
            )
        return Config.from_json(read_json(path, {}, START_OVER), path)

    def require_finished(self) -> None:
        """Raises ConvRNNError where training has not ended."""
        self.config()
        if not self.weights.is_file():
            raise ConvRNNError(
                f"cannot use the run {self.path}: it must be finished, got no weights.h5. Finish it with "
                "`convrnn train --resume`"
            )

    def history(self) -> list[dict[str, float]]:
        """The rows of `history.csv`, one per epoch.

        Raises:
            ConvRNNError: it holds something else than numbers.
        """
        path = self.path / "history.csv"
        if not path.is_file():
            return []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = csv.DictReader(file, strict=True)
                names = rows.fieldnames or ()
                if len(set(names)) < len(names):
                    raise ValueError(f"column names must be unique, got {', '.join(names)}")
                return [{key: _number(key, value) for key, value in row.items()} for row in rows]
        except OSError as error:
            raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path, START_OVER)}") from error
        except (ValueError, TypeError, csv.Error) as error:
            raise ConvRNNError(
                f"cannot read {path}: it must be a table of numbers, got a damaged one ({error}). {START_OVER}"
            ) from error

    def write_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Replaces `history.csv`.

        Raises:
            ConvRNNError: rows that were read have other columns than those of this version.
        """
        names, now = list(rows[0]), list(rows[-1])
        if any(set(row) != set(now) for row in rows):
            raise ConvRNNError(
                f"cannot continue {self.path / 'history.csv'}: its columns must be {', '.join(now)}, got "
                f"{', '.join(names)}. {START_OVER}"
            )
        with written(self.path / "history.csv") as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)


def require_startable(path: Path, config: Config, *, resume: bool, force: bool) -> Run:
    """Whether `start` would make, or go on with, a run here; nothing is written.

    Raises:
        ConvRNNError: there is a run already and neither `resume` nor `force` was said; or the one to be resumed
            was made with another configuration; or there is something else.
    """
    run = Run(path)
    if path.exists() and not path.is_dir():
        raise ConvRNNError(
            f"cannot start a run in {path}: it must be a folder, got a file. Choose another name (--out)"
        )
    if (path / "config.json").is_file():
        if not force:
            _require_same(run, config, resume)
    elif path.is_dir() and contents(path):
        raise ConvRNNError(
            f"cannot start a run in {path}: the folder must be empty or a run, got one with other files. "
            "Choose another folder (--out)"
        )
    return run


def start(
    path: Path, config: Config, *, resume: bool, force: bool, facts: Mapping[str, Any] | None = None
) -> Run:
    """Make a run's folder, or find the one to resume; raises as `require_startable` does.

    Args:
        path: the folder.
        config: the run's.
        resume: whether an unfinished run is resumed.
        force: whether a run is replaced.
        facts: further entries of `environment.json`.
    """
    run = require_startable(path, config, resume=resume, force=force)
    if path.is_dir():
        remove_dead_temporaries(path)
    if force and path.is_dir():
        _clear(path)
    # The configuration comes first: whatever is killed after it leaves a run that can be gone on with.
    if not (path / "config.json").is_file():
        write_json(path / "config.json", config.to_json())
    if not (path / "environment.json").is_file():
        write_json(path / "environment.json", environment() | dict(facts or {}))
    run.checkpoint.parent.mkdir(exist_ok=True)
    return run


def remove_leftovers(path: Path) -> None:
    """Remove from a finished run what a process that was killed after its last file has left: its lock.

    Where another process is at work, or nothing can be written, everything stays as it is.
    """
    if (path / LOCK).exists():
        # Whoever gets the lock and lets it go removes it.
        with suppress(ConvRNNError), locked(path):
            remove_dead_temporaries(path)


def _clear(path: Path) -> None:
    """Empty a run's folder, but for its lock; the configuration goes last, so that what is killed stays a run."""
    names = {entry.name for entry in path.iterdir()} - {LOCK}
    for name in sorted(names, key=lambda name: (name == "config.json", name)):
        entry = path / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _require_same(run: Run, config: Config, resume: bool) -> None:
    if not resume:
        done = (
            "a finished run. Replace"
            if run.weights.is_file()
            else "an unfinished run. Continue with --resume, replace"
        )
        raise ConvRNNError(
            f"cannot start a run in {run.path}: the folder must be empty, got {done} the run with --force, or choose "
            "another folder with --out"
        )
    before, now = run.config().to_json(), config.to_json()
    differing = [f"{key} {now[key]!r} instead of {before[key]!r}" for key in now if before[key] != now[key]]
    if differing:
        raise ConvRNNError(
            f"cannot resume {run.path}: the configuration must be the one that it was started with, got "
            f"{'; '.join(differing)}. Restore these values, replace the run with --force, or "
            "choose another folder with --out"
        )


def environment() -> dict[str, Any]:
    """What made a run: command, versions, machine."""
    # Importing Keras takes seconds, which a mistyped option should not cost.
    from convrnn_experiments.runtime.devices import computing_device, numerics, processor_model

    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "versions": {name: version(name) for name in REPORTED} | {"python": platform.python_version()},
        **numerics(),
        "device": computing_device(),
        "platform": platform.platform(),
        "processor": processor_model(),
        "processors": os.cpu_count(),
    }


def _number(column: str, text: str) -> float:
    """A figure of the history; epochs are counted, and written again as they were."""
    value = float(text)
    return int(value) if column == "epoch" and value.is_integer() else value


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, renamed to `path` once it is on the disk; on an error nothing stays.

    Raises:
        ConvRNNError: the folder cannot be written to, or the disk is full.
    """
    with atomic_file(path, make_folder=True) as beside:
        yield beside


@contextmanager
def written_hdf5(path: Path) -> Iterator[h5py.File]:
    """As `written`, an HDF5 file; it takes form in memory, since HDF5 itself does not end well on a full disk."""
    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        yield file
    with written(path) as beside:
        beside.write_bytes(whole.getvalue())


@contextmanager
def read_hdf5(path: Path, *, what: str, remedy: str) -> Iterator[h5py.File]:
    """Open an HDF5 file that `written_hdf5` wrote, on any disk.

    Args:
        path: the file.
        what: what it should be, for messages, such as "a training checkpoint".
        remedy: the way out where it is damaged, a sentence without its full stop.

    Raises:
        ConvRNNError: the file cannot be read, is being written, or is damaged, which may show within the context.
    """
    try:
        with open_hdf5(path, what=what, remedy=remedy) as file:
            yield file
    except convrnn_model.ConvRNNError as error:
        raise ConvRNNError(str(error)) from error
    except (*READ_ERRORS, AttributeError) as error:  # a group in place of an array has no shape
        raise ConvRNNError(str(unreadable(path, error, remedy=remedy))) from error


def read_json(path: Path, form: Any, way_out: str) -> Any:
    """What a JSON file of a run holds, once it is found to have the form that `convrnn_data.base.schema` checks.

    Args:
        path: the file.
        form: as `convrnn_data.base.schema.misfit` takes it.
        way_out: for errors whose cause does not decide it; a sentence without its full stop.

    Raises:
        ConvRNNError: the file cannot be read, or has another form.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path, way_out)}") from error
    except (ValueError, RecursionError) as error:
        raise ConvRNNError(
            f"cannot read {path}: it must be valid JSON, got a damaged file ({error}). {way_out}"
        ) from error
    if wrong := misfit(value, form):
        raise ConvRNNError(
            f"cannot read {path}: it must be as this version writes it, but {wrong}. {way_out}"
        )
    return value


def write_json(path: Path, value: Any) -> None:
    """Writes beside and renames; not-a-number becomes null, which every JSON reader takes."""
    with written(path) as beside:
        beside.write_text(json.dumps(_plain(value), indent=2) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
