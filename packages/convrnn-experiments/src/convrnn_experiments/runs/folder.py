"""Folder of a training run: configuration, environment, history, checkpoint and weights."""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from pydantic import TypeAdapter, ValidationError

import convrnn_model
from convrnn_data.base import advice
from convrnn_data.base.atomic import remove_dead_temporaries, write_file
from convrnn_data.base.validation import first_problem
from convrnn_data.base.locking import LOCK, locked
from convrnn_data.shards.workspace import contents
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.environment import Environment, Inference
from convrnn_experiments.runs.untrained import UntrainedConfig
from convrnn_experiments.errors import ConvRNNError
from convrnn_model.weights.opening import READ_ERRORS, open_hdf5, unreadable

MEASURES = "measures.json"
START_OVER = "Start the run over with --force"

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """Files of a run, in `runs/<name>/`."""

    path: Path

    @property
    def weights(self) -> Path:
        """Best weights by balanced validation accuracy; written last, so the file marks the run as finished."""
        return self.path / "weights.h5"

    @property
    def checkpoint(self) -> Path:
        """Training state after the last complete epoch."""
        return self.path / "checkpoint" / "state.h5"

    @property
    def best(self) -> Path:
        """Best weights so far, in the published layout."""
        return self.path / "checkpoint" / "best.h5"

    @property
    def environment(self) -> Path:
        """Command, versions and machine of the training."""
        return self.path / "environment.json"

    def evaluation(self, name: str) -> Path:
        """Return the folder of the results with a name."""
        return self.path / "evaluation" / name

    def measures(self) -> list[Path]:
        """Return the `measures.json` of every evaluation, by name."""
        return sorted(self.path.glob(f"evaluation/*/{MEASURES}"))

    def config(self) -> Config:
        """Read the configuration of a training run.

        Raises:
            ConvRNNError: The folder is not a training run.
        """
        settings = self.settings()
        if isinstance(settings, UntrainedConfig):
            raise ConvRNNError(
                f"cannot read the run {self.path}: it must be a training run, got the results of the weights "
                f"{settings.weights}. Give these weights, or a folder that `convrnn train` made"
            )
        return settings

    def settings(self) -> Config | UntrainedConfig:
        """Read `config.json`, of a training run or of the results of a weights file.

        Raises:
            ConvRNNError: The folder is neither.
        """
        path = self.path / "config.json"
        if not path.is_file():
            found = "a folder without it" if self.path.is_dir() else "a file"
            raise ConvRNNError(
                f"cannot read the run {self.path}: it must be a folder with config.json, got "
                f"{found if self.path.exists() else 'no such folder'}. Give a folder that `convrnn train` made"
            )
        values = read_json(path, dict[str, Any], START_OVER)
        if "training" in values:
            return read_json(path, UntrainedConfig, "Delete the folder and run `convrnn evaluate` again")
        return Config.from_json(values, path)

    def require_finished(self) -> None:
        """Raise ConvRNNError if the folder is a training run that has not finished."""
        if isinstance(self.settings(), Config) and not self.weights.is_file():
            raise ConvRNNError(
                f"cannot use the run {self.path}: it must be finished, got no weights.h5. Finish it with "
                "`convrnn train --resume`"
            )

    def history(self) -> list[dict[str, float]]:
        """Read the rows of `history.csv`, one per epoch.

        Raises:
            ConvRNNError: The file cannot be read, or is not a table of numbers.
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
        """Replace `history.csv`.

        Raises:
            ConvRNNError: Rows of an earlier version have other columns than those of this version.
        """
        names, now = list(rows[0]), list(rows[-1])
        if any(set(row) != set(now) for row in rows):
            raise ConvRNNError(
                f"cannot continue {self.path / 'history.csv'}: its columns must be {', '.join(now)}, got "
                f"{', '.join(names)}. {START_OVER}"
            )
        table = io.StringIO()
        writer = csv.DictWriter(table, names)
        writer.writeheader()
        writer.writerows(rows)
        write_file(self.path / "history.csv", table.getvalue().encode(), make_folder=True)


def require_startable(path: Path, config: Config, *, resume: bool, force: bool) -> Run:
    """Check that `start` can create or resume a run in a folder; writes nothing.

    Raises:
        ConvRNNError: The folder has a run and neither `resume` nor `force` is set, the run to resume has another
            configuration, or the folder has other files.
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
    path: Path,
    config: Config,
    *,
    resume: bool,
    force: bool,
    validation_images: str | None = None,
    inference: Inference | None = None,
) -> Run:
    """Create the folder of a run, or open the one to resume; raises as `require_startable` does.

    Args:
        path: Folder of the run.
        config: Configuration of the run.
        resume: Resume an unfinished run.
        force: Replace an existing run.
        validation_images: Origin of the validation images, in words, for `environment.json`.
        inference: Computation of the frozen network, for `environment.json`.
    """
    run = require_startable(path, config, resume=resume, force=force)
    if path.is_dir():
        remove_dead_temporaries(path)
    if force and path.is_dir():
        _clear(path)
    # The configuration is written first, so that a run that is killed later can be resumed.
    if not (path / "config.json").is_file():
        write_json(path / "config.json", config.to_json())
    if not run.environment.is_file():
        write_json(run.environment, Environment.current(validation_images=validation_images, inference=inference).to_json())
    run.checkpoint.parent.mkdir(exist_ok=True)
    return run


def remove_leftovers(path: Path) -> None:
    """Remove the lock file of a process that was killed after it had finished a run.

    If another process is active, or the folder is read-only, nothing is removed.
    """
    if (path / LOCK).exists():
        # Releasing the lock removes its file.
        with suppress(ConvRNNError), locked(path):
            remove_dead_temporaries(path)


def _clear(path: Path) -> None:
    """Empty the folder of a run, except for its lock. The configuration goes last, so that a killed clear stays a run."""
    names = {entry.name for entry in path.iterdir()} - {LOCK}
    for name in sorted(names, key=lambda name: (name == "config.json", name)):
        entry = path / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _require_same(run: Run, config: Config, resume: bool) -> None:
    if not resume:
        state = (
            "a finished run. Replace"
            if run.weights.is_file()
            else "an unfinished run. Continue with --resume, replace"
        )
        raise ConvRNNError(
            f"cannot start a run in {run.path}: the folder must be empty, got {state} the run with --force, or choose "
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


def _number(column: str, text: str) -> float:
    """Parse a cell of the history. Epochs are integers, so that they are written back unchanged."""
    value = float(text)
    return int(value) if column == "epoch" and value.is_integer() else value


@contextmanager
def written_hdf5(path: Path) -> Iterator[h5py.File]:
    """Write an HDF5 file atomically; it is built in memory, since libhdf5 does not survive a full disk."""
    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        yield file
    write_file(path, whole.getvalue(), make_folder=True)


@contextmanager
def read_hdf5(path: Path, *, expected: str, remedy: str) -> Iterator[h5py.File]:
    """Open an HDF5 file that `written_hdf5` wrote.

    Args:
        path: The file.
        expected: Expected content, for messages, such as "a training checkpoint".
        remedy: What to do about a damaged file; a sentence without its full stop.

    Raises:
        ConvRNNError: The file cannot be read, is being written, or is damaged, even if that shows within the context.
    """
    try:
        with open_hdf5(path, expected=expected, remedy=remedy) as file:
            yield file
    except convrnn_model.ConvRNNError as error:
        raise ConvRNNError(str(error)) from error
    except (*READ_ERRORS, AttributeError) as error:  # a group where an array should be has no shape
        raise ConvRNNError(str(unreadable(path, error, remedy=remedy))) from error


def read_json(path: Path, kind: type[T], remedy: str) -> T:
    """Read a JSON file and check its content.

    Args:
        path: The file.
        kind: Pydantic model, or any type that Pydantic can check.
        remedy: What to do if the cause of an error does not decide it; a sentence without its full stop.

    Raises:
        ConvRNNError: The file cannot be read, or its content has another form.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path, remedy)}") from error
    except (ValueError, RecursionError) as error:
        raise ConvRNNError(
            f"cannot read {path}: it must be valid JSON, got a damaged file ({error}). {remedy}"
        ) from error
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ConvRNNError(f"cannot read {path}: {first_problem(error)}. {remedy}") from error


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; NaN becomes null, which every JSON reader accepts."""
    write_file(path, (json.dumps(_plain(value), indent=2) + "\n").encode(), make_folder=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
