"""Folder of a run: started, resumed or refused, its history, JSON and HDF5 files."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convrnn_data.base.atomic import temporary_name
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs import folder as run_folder
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import Run, read_hdf5, read_json, write_json, written_hdf5

CONFIG = Config(data="data", perturb=Regime.COLOR)


def start(path: Path, config: Config = CONFIG, *, resume: bool = False, force: bool = False) -> Run:
    return run_folder.start(path, config, resume=resume, force=force, validation_images="16 from somewhere")


def test_a_started_run_has_its_configuration_and_environment(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    assert run.config() == CONFIG
    environment = json.loads((run.path / "environment.json").read_text())
    assert environment["validation_images"] == "16 from somewhere"
    assert run.checkpoint.parent.is_dir()
    assert run.history() == []


def test_a_resumed_run_keeps_its_first_environment(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    run.environment.write_text('{"command": "the first"}')
    start(tmp_path / "run", resume=True)
    assert run.environment.read_text() == '{"command": "the first"}'


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    with pytest.raises(ConvRNNError, match=r"got an unfinished run\. Continue with --resume"):
        start(tmp_path / "run")
    run.weights.touch()
    with pytest.raises(ConvRNNError, match=r"got a finished run\. Replace the run with --force"):
        start(tmp_path / "run")
    with pytest.raises(ConvRNNError, match="got seed 5 instead of 0"):
        start(tmp_path / "run", CONFIG.replace(seed=5), resume=True)
    start(tmp_path / "run", CONFIG.replace(seed=5), force=True)
    assert Run(tmp_path / "run").config().seed == 5
    assert not run.weights.exists()


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_other_files_is_refused(force: bool, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConvRNNError, match="must be empty or a run, got one with other files"):
        start(tmp_path / "mine", force=force)
    with pytest.raises(ConvRNNError, match="it must be a folder, got a file"):
        start(tmp_path / "mine" / "thesis.tex", force=force)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_an_unfinished_run_is_not_used(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    with pytest.raises(ConvRNNError, match=r"must be finished, got no weights\.h5"):
        run.require_finished()
    run.weights.touch()
    run.require_finished()


@pytest.mark.parametrize(
    ("name", "found"), [("nowhere", "no such folder"), ("file", "a file"), ("folder", "a folder without it")]
)
def test_paths_without_a_run_are_named(name: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConvRNNError, match=f"must be a folder with config.json, got {found}. Give a folder"):
        Run(tmp_path / name).config()


def test_a_history_round_trips_unchanged(tmp_path: Path) -> None:
    run = run_folder.Run(tmp_path)
    run.write_history(
        [{"epoch": 1, "loss": 0.25, "seconds": 3.0}, {"epoch": 2, "loss": 1e-9, "seconds": 1.5}]
    )
    before = (tmp_path / "history.csv").read_bytes()
    run.write_history(run.history())
    assert (tmp_path / "history.csv").read_bytes() == before
    assert before.splitlines()[1].startswith(b"1,")


def test_a_history_of_other_columns_is_not_continued(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "balanced": 0.5}]
    with pytest.raises(ConvRNNError, match="its columns must be epoch, balanced, got epoch, loss"):
        Run(tmp_path).write_history(rows)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["epoch,loss\n1\n", "epoch,epoch\n1,1\n", "epoch,loss\n1,low\n", 'epoch\n"1'])
def test_a_corrupt_history_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(ConvRNNError, match=r"history\.csv: it must be a table of numbers, got a damaged one"):
        Run(tmp_path).history()


def test_evaluations_are_found_by_name(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for name in ("val-noise", "color"):
        run.evaluation(name).mkdir(parents=True)
        (run.evaluation(name) / "measures.json").touch()
    run.evaluation("unfinished").mkdir()
    assert [path.parent.name for path in run.measures()] == ["color", "val-noise"]


def test_json_of_numpy_values_has_null_for_nan(tmp_path: Path) -> None:
    value = {"a": np.float32([1, np.nan]), "b": (np.int64(3), np.inf), 4: {"c": None, "d": "x"}, "e": True}
    write_json(tmp_path / "new/file.json", value)
    assert json.loads((tmp_path / "new/file.json").read_text()) == {
        "a": [1.0, None],
        "b": [3, None],
        "4": {"c": None, "d": "x"},
        "e": True,
    }


def test_json_is_read_as_its_type(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"a": 1}')
    assert read_json(path, dict[str, int], "Remedy") == {"a": 1}
    with pytest.raises(ConvRNNError, match=f"cannot read {path}: a must be a valid string, got 1. Remedy"):
        read_json(path, dict[str, str], "Remedy")
    path.write_text('{"a": ')
    with pytest.raises(ConvRNNError, match=r"must be valid JSON, got a damaged file .*\. Remedy"):
        read_json(path, dict[str, int], "Remedy")
    path.unlink()
    with pytest.raises(ConvRNNError, match=f"cannot read {path}: No such file or directory.*Remedy"):
        read_json(path, dict[str, int], "Remedy")


def test_hdf5_files_appear_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.h5"
    with pytest.raises(KeyboardInterrupt), written_hdf5(path) as file:
        file["a"] = 1
        raise KeyboardInterrupt
    assert not path.exists()
    with written_hdf5(path) as file:
        file["a"] = np.arange(3)
        assert not path.exists()
    with read_hdf5(path, expected="a file", remedy="Remedy") as file:
        assert file["a"][()].tolist() == [0, 1, 2]


def test_errors_while_hdf5_is_read_have_the_remedy(tmp_path: Path) -> None:
    with written_hdf5(tmp_path / "a.h5") as file:
        file.create_group("group")
    with (
        pytest.raises(ConvRNNError, match=r"a\.h5 .*Remedy"),
        read_hdf5(tmp_path / "a.h5", expected="a file", remedy="Remedy") as file,
    ):
        _ = file["group"].shape
    with (
        pytest.raises(ConvRNNError, match=r"a\.h5.*on another disk"),
        read_hdf5(tmp_path / "a.h5", expected="a file", remedy="Remedy"),
    ):
        raise OSError(errno.EIO, "Input/output error")


def dead_name(path: Path) -> Path:
    """Return the temporary name that a dead process would have used."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return path.with_name(temporary_name(path).name.replace(str(os.getpid()), str(ended.pid)))


def test_a_run_killed_while_writing_its_first_file_is_resumed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    partial = dead_name(run / "config.json")
    partial.write_text("{")
    run_folder.start(run, CONFIG, resume=True, force=False)
    assert not partial.exists()
    assert run_folder.Run(run).config() == CONFIG


def test_a_run_killed_after_its_first_file_is_resumed(tmp_path: Path) -> None:
    run = run_folder.start(tmp_path / "run", CONFIG, resume=False, force=False)
    (run.path / "environment.json").unlink()
    run.checkpoint.parent.rmdir()
    run_folder.start(run.path, CONFIG, resume=True, force=False)
    assert (run.path / "environment.json").is_file()
    assert run.checkpoint.parent.is_dir()


def test_force_keeps_the_lock_and_nothing_else(tmp_path: Path) -> None:
    run = run_folder.start(tmp_path / "run", CONFIG, resume=False, force=False)
    for name in (".lock", "weights.h5", "checkpoint/state.h5"):
        (run.path / name).write_bytes(b"old")
    run_folder.start(run.path, CONFIG, resume=False, force=True)
    files = {path.name for path in run.path.rglob("*") if path.is_file()}
    assert files == {".lock", "config.json", "environment.json"}
