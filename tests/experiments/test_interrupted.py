"""What is killed at an awkward moment can be gone on with, and what is spoilt is said in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convrnn_data.sealed import remove_dead_temporaries, temporary_name
from convrnn_experiments import runs
from convrnn_experiments.conditions import Regime
from convrnn_experiments.config import Config
from convrnn_experiments.errors import ConvRNNError

CONFIG = Config(data="data", perturb=Regime.COLOR)


def dead_name(path: Path) -> Path:
    """The temporary name of a process that is no more."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return path.with_name(temporary_name(path).name.replace(str(os.getpid()), str(ended.pid)))


def test_a_run_killed_before_its_first_file_was_whole(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    begun = dead_name(run / "config.json")
    begun.write_text("{")
    runs.start(run, CONFIG, resume=True, force=False)
    assert not begun.exists()
    assert runs.Run(run).config() == CONFIG


def test_a_run_killed_after_its_first_file(tmp_path: Path) -> None:
    run = runs.start(tmp_path / "run", CONFIG, resume=False, force=False)
    (run.path / "environment.json").unlink()
    run.checkpoint.parent.rmdir()
    runs.start(run.path, CONFIG, resume=True, force=False)
    assert (run.path / "environment.json").is_file()
    assert run.checkpoint.parent.is_dir()


def test_force_keeps_the_lock_and_nothing_else(tmp_path: Path) -> None:
    run = runs.start(tmp_path / "run", CONFIG, resume=False, force=False)
    for name in (".lock", "weights.h5", "checkpoint/state.h5"):
        (run.path / name).write_bytes(b"old")
    runs.start(run.path, CONFIG, resume=False, force=True)
    files = {path.name for path in run.path.rglob("*") if path.is_file()}
    assert files == {".lock", "config.json", "environment.json"}


def test_only_dead_processes_files_are_removed(tmp_path: Path) -> None:
    alive, dead = temporary_name(tmp_path / "a.h5"), dead_name(tmp_path / "b.h5")
    elsewhere, forgotten = tmp_path / ".c.h5.elsewhere.1.tmp", tmp_path / ".d.h5.elsewhere.1.tmp"
    for path in (alive, dead, elsewhere, forgotten):
        path.write_bytes(b"half")
    os.utime(forgotten, (0, 0))
    remove_dead_temporaries(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, elsewhere])


def test_a_cut_shard_is_named(prepared, tmp_path: Path) -> None:
    import shutil

    import tensorflow as tf

    from convrnn_data import PreparedSet
    from convrnn_experiments.pipeline import Frame, batches, pictures_of, unreadable

    cut = Path(shutil.copytree(prepared.path, tmp_path / "cut"))
    shard = next((cut / "train").glob("*.tar"))
    with shard.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(tf.errors.OpError) as caught:
        list(batches(pictures_of(PreparedSet(cut), "train"), Frame(16, 16), 4))
    said = unreadable(caught.value, "data")
    assert isinstance(said, ConvRNNError)
    assert str(shard) in str(said)
    assert len(str(said).splitlines()) == 1
