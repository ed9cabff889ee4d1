"""The four commands that are put to the test, in a folder of their own, in processes that can be killed.

Processes are forked from one that has imported TensorFlow, so that it is the work that is killed, not the seconds of
an import; everything else is as the command does it.
"""

import atexit
import contextlib
import csv
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

DATA_MODULES = ("convrnn_data.cli", "convrnn_data.sample", "joblib")
NETWORK_MODULES = (
    "convrnn_experiments.cli",
    "convrnn_experiments.evaluation",
    "convrnn_experiments.testsets",
    "convrnn_experiments.training",
)
SAMPLE = "convrnn-data sample sample --images-per-category 3 --trials 16 --observers 1"
PREPARE = "convrnn-data prepare source set --images all --val 0.34"
NETWORK = "--width 0.02 --timesteps 2 --image-size 64 --batch-size 8"
TRAIN = f"convrnn train data --perturb noise {NETWORK} --out run --resume"
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
STEP = 0.02
"""Seconds between two looks at a process."""


@dataclass(frozen=True)
class Job:
    """A command and what it must give.

    Attributes:
        name: as in the table.
        words: the command, run in a folder that `lay_out` has filled.
        result: that folder -> a digest of every file, or part of a file, that must be the same.
        phase: that folder and what the process has said -> how far it was, in words.
    """

    name: str
    words: tuple[str, ...]
    result: Callable[[Path], dict[str, str]]
    phase: Callable[[Path, str], str]


def line(text: str) -> tuple[str, ...]:
    """A command's words."""
    return tuple(text.split())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _files(folder: Path, pattern: str) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): digest(path)
        for path in sorted(folder.rglob(pattern))
        if path.is_file()
    }


def _left_behind(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): "left behind" for path in folder.rglob(".*.tmp")}


def set_result(folder: Path) -> dict[str, str]:
    """Every file of a prepared set."""
    return _files(folder / "set", "*")


def run_result(folder: Path) -> dict[str, str]:
    """Weights, kept features and history of a run; a history's last column is seconds."""
    found = _files(folder, "*.h5")
    kept = {name: value for name, value in found.items() if name.startswith(("features/", "run/weights"))}
    with contextlib.suppress(FileNotFoundError), (folder / "run/history.csv").open(newline="") as file:
        kept["run/history.csv"] = json.dumps([row[:-1] for row in csv.reader(file)])
    return kept | _left_behind(folder)


def evaluation_result(folder: Path) -> dict[str, str]:
    """Answers and measures."""
    return _files(folder / "run/evaluation", "*")


def _set_phase(folder: Path, said: str) -> str:
    if not (folder / "set/plan.json").exists():
        return "completing" if (folder / "set/manifest.json").exists() else "listing and planning"
    return "copying"


def _run_phase(folder: Path, said: str) -> str:
    if "weights:" not in said:
        return "loading"
    if (folder / "run/weights_last.h5").exists():
        return "finishing"
    if (folder / "run/checkpoint/state.h5").exists():
        return "later epochs"
    whole = len(list(folder.glob("features/*/[!.]*.h5")))
    return "computing features" if "start.h5" in said and whole < PARTS else "first epoch"


def _evaluation_phase(folder: Path, said: str) -> str:
    done = folder / "run/evaluation"
    if not done.exists():
        return "loading"
    return "writing measures" if list(done.glob("*/predictions.csv")) else "answering"


SET_JOBS = {"prepare", "prepare, two workers"}
PARTS = 10
"""Files of kept features: two views of four training shards, one of two for validation."""

JOBS = {
    job.name: job
    for job in (
        Job("prepare", line(f"{PREPARE} --shard-size 1 --workers 1"), set_result, _set_phase),
        Job("prepare, two workers", line(f"{PREPARE} --shard-size 8 --workers 2"), set_result, _set_phase),
        Job(
            "kept features",
            line(f"{TRAIN} --weights start.h5 --views 2 --epochs 6 --features features"),
            run_result,
            _run_phase,
        ),
        Job(
            "whole network",
            line(f"{TRAIN} --weights none --trainable all --epochs 4"),
            run_result,
            _run_phase,
        ),
        Job("evaluate", line("convrnn evaluate run human"), evaluation_result, _evaluation_phase),
    )
}


@dataclass
class Place:
    """What all trials share, made once: the drawn sample, a prepared set, weights, a finished run.

    Attributes:
        folder: where it lies.
        reference: of each job, the result of an undisturbed run.
        usual: of each job, the processor seconds of an undisturbed run.
    """

    folder: Path
    reference: dict[str, dict[str, str]] = field(default_factory=dict)
    usual: dict[str, float] = field(default_factory=dict)

    def lay_out(self, name: str, job: str) -> Path:
        """A new folder with everything that a job reads, by links that a fault may replace by copies."""
        folder = self.folder / "trials" / name
        folder.mkdir(parents=True)
        for link, target in (
            ("source", "sample/imagenet"),
            ("human", "sample/human"),
            ("data", "data"),
            ("start.h5", "start.h5"),
        ):
            (folder / link).symlink_to(self.folder / target)
        if job == "evaluate":
            shutil.copytree(self.folder / "run", folder / "run")
        return folder


def copy_of(link: Path) -> Path:
    """Replaces a link by what it leads to."""
    target = link.resolve()
    link.unlink()
    if target.is_dir():
        shutil.copytree(target, link)
    else:
        shutil.copy2(target, link)
    return link


class Started:
    """A command at work.

    Args:
        words: the command; forked from the prepared process.
        folder: where it runs; what it says goes into files there.
        limit: bytes that a file may have at most, in place of a small disk.
    """

    def __init__(self, words: Sequence[str], folder: Path, limit: int | None = None) -> None:
        self.folder = folder
        self._process = _CONTEXT.Process(target=_enter, args=(tuple(words), folder, limit))
        self._process.start()
        self.pid: int = self._process.pid
        self._said = [folder / f".said-{name}-{self.pid}" for name in ("out", "err")]

    def wait(self, seconds: float | None = None) -> int | None:
        """The exit code, negative for a signal; None if it is still at work after so many seconds."""
        self._process.join(seconds)
        return self._process.exitcode

    def wait_for_work(self, seconds: float) -> int | None:
        """As `wait`, by the processor seconds that the command has used, which do not depend on who else works."""
        while self.wait(STEP) is None and processor_seconds(self.pid) < seconds:
            pass
        return self.wait(0)

    def signal(self, number: int, *, group: bool = True) -> None:
        """Sends a signal to the command, or to its workers too."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def said(self, which: int) -> str:
        """What came on stdout (0) or stderr (1)."""
        path = self._said[which]
        return path.read_text(errors="replace") if path.exists() else ""


@contextlib.contextmanager
def working(words: Sequence[str], folder: Path, limit: int | None = None) -> Iterator[Started]:
    """A started command that does not outlive the block."""
    started = Started(words, folder, limit)
    try:
        yield started
    finally:
        if started.wait(0) is None:
            started.signal(signal.SIGKILL)
            started.wait()


def processor_seconds(pid: int) -> float:
    """Used by a process and the children that it has now."""
    total = 0.0
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in (str(pid), *children):
            numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
    return total


_CONTEXT = multiprocessing.get_context("forkserver")


def preload(jobs: Sequence[str]) -> None:
    """Say, before the first command, what the process that they are forked from has imported."""
    networks = () if set(jobs) <= SET_JOBS else NETWORK_MODULES
    os.environ.update(ONE_THREAD)  # read when that process starts
    _CONTEXT.set_forkserver_preload([*DATA_MODULES, *networks, __name__])


def _enter(words: tuple[str, ...], folder: Path, limit: int | None) -> None:
    """The child: become the command."""
    os.setsid()
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(f".said-{name}-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server has it ignored
    sys.argv = list(words)
    if words[0] == "convrnn-data":
        from convrnn_data.cli import main
    else:
        from convrnn_experiments.cli import main
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    # As an interpreter ends: a forked child would leave these out, and wait for idle workers instead.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


def run_command(words: Sequence[str], folder: Path, *before: str) -> "subprocess.CompletedProcess[str]":
    """The installed command itself, not forked; `before` is put before it, such as another user's rights."""
    script = str(Path(sys.executable).with_name(words[0]))
    return subprocess.run(
        [*before, script, *words[1:]],
        cwd=folder,
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def make_place(folder: Path, jobs: Sequence[str]) -> Place:
    """Draw, prepare, train what is evaluated."""
    place = Place(folder)
    preload(jobs)
    _must(line(SAMPLE), folder)
    _must(
        ("convrnn-data", "prepare", "sample/imagenet", "data", *JOBS["prepare, two workers"].words[4:]),
        folder,
    )
    if not set(jobs) <= SET_JOBS:
        # One epoch of the whole network: what the frozen network of the other jobs has learnt is of no importance.
        _must((*JOBS["whole network"].words, "--epochs", "1"), folder)
        shutil.copy2(folder / "run/weights.h5", folder / "start.h5")
    return place


def _must(words: Sequence[str], folder: Path) -> None:
    with working(words, folder) as started:
        if started.wait():
            raise RuntimeError(f"{' '.join(words)} ended with {started.wait()}: {started.said(1)}")


def undisturbed(place: Place, name: str) -> None:
    """Run a job that nothing disturbs, and keep its result and its processor seconds."""
    folder = place.lay_out(f"{name}, undisturbed", name)
    used = 0.0
    with working(JOBS[name].words, folder) as started:
        while started.wait(STEP) is None:
            used = max(used, processor_seconds(started.pid))
        if started.wait():
            raise RuntimeError(f"{name} ended with {started.wait()}: {started.said(1)}")
    place.usual[name], place.reference[name] = used, JOBS[name].result(folder)
