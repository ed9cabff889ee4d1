"""Commands that are interrupted, wherever the interruption falls, end in one line and the code that says so."""

import subprocess
import sys
from pathlib import Path

import pytest

from convrnn_data import prepare, verify
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.sample.sample import draw_sample
from convrnn_data.base.atomic import remove_dead_temporaries_of, temporary_name

COMMAND = """
import signal, typer
from convrnn_data.base.console import run

app = typer.Typer()


@app.command()
def work():
{work}

run(app, "it")
"""
PLAINLY = "    signal.raise_signal(signal.{name})"
INTO_A_CALLBACK = """
    class Held:
        def __del__(self):
            signal.raise_signal(signal.{name})

    held = Held()
    del held
    for _ in range(2000):
        signal.sigtimedwait([], 0.01)
    print("went on")
"""
INTO_A_LIBRARY = """
    try:
        signal.raise_signal(signal.{name})
    except KeyboardInterrupt:
        raise ValueError("no such matrix") from None
"""
INTO_A_CONSTRUCTOR = """
    import sys

    class Half:
        def __del__(self):
            try:
                raise KeyError(0)
            except KeyError as error:  # As Cython's destructors report it, before it is unraisable here.
                sys.excepthook(type(error), error, error.__traceback__)
                raise

    half = Half()
    signal.raise_signal(signal.{name})
"""
AT_THE_END = """
    class Held:
        def __del__(self):
            signal.raise_signal(signal.{name})

    held = Held()
"""


def run(work: str, name: str) -> "subprocess.CompletedProcess[str]":
    script = COMMAND.format(work=work.format(name=name))
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.parametrize("work", [PLAINLY, INTO_A_CALLBACK, INTO_A_LIBRARY, INTO_A_CONSTRUCTOR])
@pytest.mark.parametrize(
    ("name", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "ended")]
)
def test_an_interruption_is_never_lost(work: str, name: str, code: int, word: str) -> None:
    done = run(work, name)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == f"it: error: {word}; run the same command again; prepare resumes where it stopped\n"


def test_what_was_done_before_the_interruption_came_through_is_done() -> None:
    done = run(AT_THE_END, "SIGTERM")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_of_a_library_that_nobody_interrupted_is_shown() -> None:
    done = run("    raise ValueError('no such matrix')", "")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_error_with_two_workers_is_one_line(own_folders: Path, tmp_path: Path) -> None:
    for path in sorted(own_folders.rglob("*.JPEG"))[::3]:
        path.write_bytes(path.read_bytes()[:-20])
    words = f"prepare {own_folders} set --images all --shard-size 4 --strict --workers 2"
    command = [str(Path(sys.executable).with_name("convrnn-data")), *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("convrnn-data: error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_task_that_fails_leaves_the_plan_to_the_others(own_folders: Path, tmp_path: Path, digests) -> None:
    settings = {"images": "all", "shard_size": 20, "workers": 1, "strict": True}
    prepare(own_folders, tmp_path / "whole", **settings)
    out = tmp_path / "set"
    hidden = own_folders.rename(tmp_path / "hidden")

    def fail() -> None:
        # The images go between listing and copying.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("convrnn_data.imagenet.preparing._refuse_full_disk", lambda *_: own_folders.rename(hidden))
            with pytest.raises(ConvRNNError, match="Do not change the source while it is copied"):
                prepare(own_folders, out, task="1/2", **settings)
        hidden.rename(own_folders)

    hidden.rename(own_folders)
    fail()
    assert (out / "plan.json").is_file()
    prepare(own_folders, out, task="2/2", **settings)
    fail()
    assert any("is not written yet" in problem for problem in verify(out).problems)
    prepare(own_folders, out, task="1/2", **settings)
    assert verify(out).completed
    assert digests(out) == digests(tmp_path / "whole")


def dead_name(path: Path) -> Path:
    """The temporary name of a process that is no more."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return path.with_name(f"{temporary_name(path).name.rsplit('.', 2)[0]}.{ended.pid}.tmp")


def test_what_killed_processes_began_is_removed_for_one_file_alone(tmp_path: Path) -> None:
    dead, other = dead_name(tmp_path / "table[1].csv"), dead_name(tmp_path / "table.csv")
    alive = temporary_name(tmp_path / "table[1].csv")
    for path in (dead, other, alive):
        path.touch()
    remove_dead_temporaries_of(tmp_path / "table[1].csv")
    assert sorted(tmp_path.iterdir()) == sorted([other, alive])


def test_a_sample_takes_the_place_of_what_a_killed_one_began(tmp_path: Path) -> None:
    begun = dead_name(tmp_path / "sample") / "imagenet"
    begun.mkdir(parents=True)
    (begun / "half.JPEG").touch()
    draw_sample(tmp_path / "sample", images_per_category=1, trials=16, observers=1)
    assert list(tmp_path.iterdir()) == [tmp_path / "sample"]
