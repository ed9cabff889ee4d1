"""What is killed at an awkward moment can be gone on with, and what is spoilt is said in one line."""

import csv
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convrnn_data.base.atomic import temporary_name
from convrnn_data.base.locking import LOCK, locked
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation import results
from convrnn_experiments.report import build
from convrnn_experiments.runs import folder as run_folder
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.training import launch
from convrnn_model.weights import hdf5

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
    run_folder.start(run, CONFIG, resume=True, force=False)
    assert not begun.exists()
    assert run_folder.Run(run).config() == CONFIG


def test_a_run_killed_after_its_first_file(tmp_path: Path) -> None:
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


KILLED_AFTER_ITS_LAST_FILE = """
import os, signal, sys
from pathlib import Path
from convrnn_data.shards.workspace import created_and_locked
folder = Path(sys.argv[1])
with created_and_locked(folder):
    (folder / "weights.h5").write_bytes(b"whole")
    (folder / f".history.csv.{os.uname().nodename}.{os.getpid()}.tmp").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed_at_its_end(prepared, tmp_path: Path) -> tuple[Config, Path]:
    """A run whose process was killed between its last file and letting go of the folder."""
    config = checked(CONFIG.replace(data=str(prepared.path), trainable="all", weights="none"), prepared)
    run = run_folder.start(tmp_path / "run", config, resume=False, force=False)
    done = subprocess.run([sys.executable, "-c", KILLED_AFTER_ITS_LAST_FILE, run.path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert {path.name for path in run.path.glob(".*")} > {LOCK}
    return config, run.path


def test_a_run_killed_at_its_very_end_is_found_finished_and_nothing_stays(killed_at_its_end) -> None:
    config, folder = killed_at_its_end
    said = []
    launch.train(config, folder, resume=True, echo=said.append)
    assert said == [f"{folder} is finished already; nothing to do"]
    assert not list(folder.rglob(".*"))


def test_the_lock_of_a_process_at_work_stays(killed_at_its_end) -> None:
    config, folder = killed_at_its_end
    with locked(folder):
        launch.train(config, folder, resume=True)
        assert (folder / LOCK).exists()


def test_a_cut_shard_is_named(prepared, tmp_path: Path) -> None:
    import shutil

    import tensorflow as tf

    from convrnn_data import PreparedSet
    from convrnn_experiments.images.batches import Frame, batches, images_of_split, unreadable

    cut = Path(shutil.copytree(prepared.path, tmp_path / "cut"))
    shard = next((cut / "train").glob("*.tar"))
    with shard.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(tf.errors.OpError) as caught:
        list(batches(images_of_split(PreparedSet(cut), "train"), Frame(16, 16), 4))
    said = unreadable(caught.value, "data")
    assert isinstance(said, ConvRNNError)
    assert str(shard) in str(said)
    assert len(str(said).splitlines()) == 1


def test_weights_are_begun_under_a_name_that_is_known_as_dead_later(tmp_path: Path, monkeypatch) -> None:
    begun = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, target: begun.append(path) or replace(path, target))
    hdf5.write(tmp_path / "weights.h5", {"layer": {"kernel": np.ones((2, 2), np.float32)}})
    assert begun == [temporary_name(tmp_path / "weights.h5")]


ON_A_FULL_DISK = """
import sys
from pathlib import Path
import numpy as np
from convrnn_experiments.runs import folder as run_folder
from convrnn_model.weights import hdf5

many = np.ones(250_000, np.float32)
path = Path(sys.argv[2])
try:
    if sys.argv[1] == "weights":
        hdf5.write(path, {"layer": {"kernel": many}})
    else:
        with run_folder.written_hdf5(path) as file:
            file["many"] = many
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("what", ["weights", "checkpoint"])
def test_a_full_disk_is_one_error_of_hdf5_files_too(what: str, tmp_path: Path) -> None:
    """The system's limit on the size of a file stands for the disk's end: both make write() fail halfway."""
    path = tmp_path / "a.h5"
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, what, str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.stderr == ""
    assert done.stdout.startswith("ConvRNNError ")
    assert f"{path}" in done.stdout
    assert "File too large" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_history_that_is_gone_on_with_stays_as_it_was_written(tmp_path: Path) -> None:
    run = run_folder.Run(tmp_path)
    run.write_history(
        [{"epoch": 1, "loss": 0.25, "seconds": 3.0}, {"epoch": 2, "loss": 1e-9, "seconds": 1.5}]
    )
    before = (tmp_path / "history.csv").read_bytes()
    run.write_history(run.history())
    assert (tmp_path / "history.csv").read_bytes() == before
    assert before.splitlines()[1].startswith(b"1,")


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda data: data[:-4], "its last line must end in a line break, got one that is cut short"),
        (lambda data: data[: data.rindex(b"\n", 0, -1) + 1], "images"),
    ],
)
def test_predictions_that_were_cut_are_not_taken_for_whole(
    tmp_path: Path, seen, make_run, keep, said
) -> None:
    path = make_run(tmp_path / "blur", "blur", seen)
    file = next(path.glob("evaluation/*/predictions.csv"))
    file.write_bytes(keep(file.read_bytes()))
    with pytest.raises(ConvRNNError, match=said):
        results.read_evaluations([path])


@pytest.mark.usefixtures("figures_undrawn")
def test_a_report_leaves_no_table_of_an_earlier_one(tmp_path: Path, seen, make_run) -> None:
    path = make_run(tmp_path / "blur", "blur", seen)
    human = tmp_path / "human"
    human.mkdir()
    answers = seen / "jatos_results_blur.txt"
    (human / answers.name).write_bytes(answers.read_bytes()[:-400])
    page = build.write_report([path], tmp_path / "page/index.html", human=human, max_unreadable=1.0)
    with (page.parent / "tables/observer_problems.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1
    (human / answers.name).write_bytes(answers.read_bytes())
    build.write_report([path], page, human=human)
    assert not (page.parent / "tables/observer_problems.csv").exists()
