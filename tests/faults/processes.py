"""Commands at work in processes of their own, which can be killed at any moment, or before any file operation.

Processes are forked from one that has done the imports already, so that it is the work that is killed, not the
seconds of an import; everything else is as the command does it.
"""

import atexit
import contextlib
import itertools
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

from jobs import Seen

DATA_MODULES = ("convrnn_data.cli", "convrnn_data.sample.sample", "numpy.ma")
NETWORK_MODULES = (
    "convrnn_experiments.cli",
    "convrnn_experiments.evaluation.predict",
    "convrnn_experiments.report.build",
    "convrnn_experiments.evaluation.trials",
    "convrnn_experiments.training.loop",
)
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
LIMIT = 1800
"""Seconds after which a command is taken to hang: it then has no exit code, and is killed."""
STEP = 0.004
"""Seconds between two looks at a process."""

OPERATIONS = {
    "open": "writing",
    "os.mkdir": "making",
    "os.rename": "renaming to",
    "os.remove": "removing",
    "os.rmdir": "removing",
}
"""What Python tells its audit hooks, and how it is called here. HDF5 and TensorFlow open files past it."""

TEMPORARY = re.compile(r"^\.(.+)\.[^.]+\.\d+\.tmp$")
MANY = re.compile(r"[^ ]+(?=\.JPEG$)|\d{3,}")
"""What tells apart the many files of one kind, shards and pictures."""


@dataclass(frozen=True)
class Crash:
    """A SIGKILL before a file operation.

    Attributes:
        kind: of operation, as `kind_of` says, in the folder in which the command runs.
        number: which one of that kind, from 1.
        group: whether the command's workers are killed too.
    """

    kind: str
    number: int
    group: bool


def kind_of(operation: str) -> str:
    """What it has in common with others: those on 000012.tar and 000013.tar are of one kind."""
    return MANY.sub("#", operation)


class Started:
    """A command at work.

    Args:
        words: the command; forked from the prepared process.
        folder: where it runs; what it says goes into files there.
        limit: bytes that a file may have at most, in place of a small disk.
        crash: where it kills itself.
    """

    def __init__(
        self, words: Sequence[str], folder: Path, limit: int | None = None, crash: Crash | None = None
    ) -> None:
        self.folder, self.since = folder, time.time_ns()
        self._process = _CONTEXT.Process(target=_enter, args=(tuple(words), folder, limit, crash))
        with _ONE_AT_A_TIME:
            self._process.start()
        self.pid: int = self._process.pid

    def wait(self, seconds: float | None = LIMIT) -> int | None:
        """The exit code, negative for a signal; None if it is still at work after so many seconds."""
        connection.wait([self._process.sentinel], seconds)
        with _ONE_AT_A_TIME:
            return self._process.exitcode

    def wait_until(self, reached: Callable[[], bool]) -> int | None:
        """As `wait`, until something is so."""
        while self.wait(STEP) is None and not reached():
            pass
        return self.wait(0)

    def wait_for_work(self, seconds: float) -> int | None:
        """As `wait`, until it has used so many seconds of the processor."""
        return self.wait_until(lambda: self.worked() >= seconds)

    def signal(self, number: int, *, group: bool = True) -> None:
        """Sends a signal to the command, or to its workers too."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def said(self, name: str) -> str:
        """What came as "out" or "err"; or "did", its file operations so far, one a line."""
        path = self.folder / f".said-{name}-{self.pid}"
        return path.read_text(errors="replace") if path.exists() else ""

    def seen(self) -> Seen:
        """How it looks from outside."""
        return Seen(self.folder, self.said("out"), self.since)

    def worked(self) -> float:
        """Processor seconds of the command and of the workers that it has now; they do not depend on who else works."""
        total = 0.0
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            for process in (str(self.pid), *children):
                numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                total += (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
        return total


@contextlib.contextmanager
def working(
    words: Sequence[str], folder: Path, limit: int | None = None, crash: Crash | None = None
) -> Iterator[Started]:
    """A started command that does not outlive the block."""
    started = Started(words, folder, limit, crash)
    try:
        yield started
    finally:
        if started.wait(0) is None:
            started.signal(signal.SIGKILL)
            started.wait()


_CONTEXT = multiprocessing.get_context("forkserver")
_ONE_AT_A_TIME = threading.Lock()
"""Starting a process looks after all others, and an exit code can be read only once."""


def preload(networks: bool) -> None:
    """Say, before the first command, what the process that they are forked from has imported."""
    os.environ.update(ONE_THREAD)  # read when that process starts
    _CONTEXT.set_forkserver_preload([*DATA_MODULES, *(NETWORK_MODULES if networks else ()), __name__, "warm"])


def main_of(command: str) -> Callable[[], Any]:
    """The function that a command is."""
    if command == "convrnn-data":
        from convrnn_data.cli import main
    else:
        from convrnn_experiments.cli import main
    return main


def _enter(words: tuple[str, ...], folder: Path, limit: int | None, crash: Crash | None) -> None:
    """The child: become the command."""
    os.setsid()
    os.chdir(folder)
    files = {
        name: os.open(f".said-{name}-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for name in ("out", "err", "did")
    }
    os.dup2(files["out"], 1)
    os.dup2(files["err"], 2)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server has it ignored
    sys.argv = list(words)
    main = main_of(words[0])
    _watch_operations(folder, files["did"], crash)
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


def _watch_operations(folder: Path, did: int, crash: Crash | None) -> None:
    """Note every file operation in a folder before it is done, and kill the command before the one wanted."""
    numbers = itertools.count(1)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event not in OPERATIONS or (event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        target = args[1 if event == "os.rename" else 0]
        if isinstance(target, int) or target is None:
            return
        path = os.path.abspath(os.fsdecode(target))
        if not path.startswith(f"{folder}/"):
            return
        name = TEMPORARY.sub(r"temporary \1", os.path.basename(path))
        operation = f"{OPERATIONS[event]} {name}"
        os.write(did, f"{operation}\n".encode())
        if crash and kind_of(operation) == crash.kind and next(numbers) == crash.number:
            (os.killpg if crash.group else os.kill)(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


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
