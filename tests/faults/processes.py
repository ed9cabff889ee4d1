"""Commands in separate processes, with a fault before a chosen file operation.

Processes are forked from a server that has imported everything, so that a fault hits the work and not the seconds of an
import.
"""

import atexit
import contextlib
import itertools
import multiprocessing
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

PRELOADED = (
    *("convrnn_data.cli", "convrnn_data.sample.sample", "numpy.ma", "convrnn_experiments.cli"),
    *("convrnn_experiments.evaluation.predict", "convrnn_experiments.evaluation.trials"),
    *(
        "convrnn_experiments.report.build",
        "convrnn_experiments.training.loop",
        "faults.processes",
        "faults.warm",
    ),
)
ENVIRONMENT = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", ""))),
}
LIMIT = 600
"""Seconds after which a command counts as hung and is killed."""

STEP = 0.004
"""Polling interval in seconds."""

PATH_ARGUMENT = {
    "open": 0,
    "os.mkdir": 0,
    "os.rename": 1,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.link": 1,
    "os.symlink": 1,
}
"""Audit events of file operations, each with the index of its path. HDF5 and TensorFlow open files without events."""

REMOVALS = ("os.remove", "os.rmdir")


@dataclass(frozen=True)
class Fault:
    """Fault to inject.

    Attributes:
        number: the file operation before which it happens, from 1: a write (a file opened for writing, renamed, linked
            or removed, a folder made or removed), or with `reads` a file opened for reading.
        signal: sent to the process itself.
        error: error number of this operation, and of all later writes that need space.
        reads: count and break reads.
        file_size: bytes after which a write to a file fails, whoever writes.
    """

    number: int = 0
    signal: int = 0
    error: int = 0
    reads: bool = False
    file_size: int = resource.RLIM_INFINITY


NONE = Fault()


@dataclass(frozen=True)
class Ended:
    """Command that has ended.

    Attributes:
        code: the exit code, negative for a signal, or None if it hung.
        error: standard error.
        operations: the file operations seen, "write" or "read" and a path.
    """

    code: int | None
    error: str
    operations: tuple[str, ...]

    def count(self, kind: str) -> int:
        """Return the number of operations of one kind."""
        return sum(operation.startswith(kind) for operation in self.operations)


class Process:
    """Running command.

    Args:
        words: the command.
        folder: where it runs.
        fault: what goes wrong.
    """

    def __init__(self, words: Sequence[str], folder: Path, fault: Fault = NONE) -> None:
        number = next(_NUMBERS)
        self._logs = {
            name: folder.with_name(f"{folder.name}-{number}.{name}") for name in ("out", "err", "did")
        }
        self._process = _CONTEXT.Process(target=_enter, args=(tuple(words), folder, fault, self._logs))
        self._process.start()
        self.pid: int = self._process.pid

    def wait(self, seconds: float | None = LIMIT) -> int | None:
        """Return the exit code, negative for a signal; None if it still runs after `seconds`."""
        connection.wait([self._process.sentinel], seconds)
        return self._process.exitcode

    def wait_for_work(self, seconds: float) -> int | None:
        """Wait as `wait` does until the command has used `seconds` of processor time."""
        while self.wait(STEP) is None and self.worked() < seconds:
            pass
        return self.wait(0)

    def signal(self, number: int, *, group: bool = True) -> None:
        """Send a signal to the command, by default also to its workers."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def worked(self) -> float:
        """Return the processor seconds of the command and its present workers, which do not depend on other load."""
        total = 0.0
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            for process in (str(self.pid), *children):
                numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                total += (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
        return total

    def ended(self) -> Ended:
        """Wait for the end."""
        code = self.wait()
        texts = {name: path.read_text(errors="replace") for name, path in self._logs.items() if path.exists()}
        return Ended(code, texts.get("err", ""), tuple(texts.get("did", "").splitlines()))


@contextlib.contextmanager
def running(words: Sequence[str], folder: Path, fault: Fault = NONE) -> Iterator[Process]:
    """Start a command, and kill it and its workers at the end of the block."""
    process = Process(words, folder, fault)
    try:
        yield process
    finally:
        process.signal(signal.SIGKILL)
        process.wait()


def run(words: Sequence[str], folder: Path, fault: Fault = NONE) -> Ended:
    """Run a command, and return how it ended."""
    with running(words, folder, fault) as process:
        return process.ended()


def start_server() -> None:
    """Start the process from which commands are forked, if it is not running."""
    _CONTEXT.set_forkserver_preload(list(PRELOADED))
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)


_CONTEXT = multiprocessing.get_context("forkserver")
_NUMBERS = itertools.count()


def main_of(command: str) -> Callable[[], Any]:
    """Return the function of a command."""
    if command == "convrnn-data":
        from convrnn_data.cli import main
    else:
        from convrnn_experiments.cli import main
    return main


def _enter(words: tuple[str, ...], folder: Path, fault: Fault, logs: dict[str, Path]) -> None:
    """Become the command."""
    os.setsid()
    os.chdir(folder)
    files = {name: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name, path in logs.items()}
    os.dup2(files["out"], 1)
    os.dup2(files["err"], 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (fault.file_size, resource.RLIM_INFINITY))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # The server ignores it.
    sys.argv = list(words)
    main = main_of(words[0])
    sys.addaudithook(_hook(folder, files["did"], fault))
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    # A forked child skips these at exit, unlike an interpreter.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


def _hook(folder: Path, log: int, fault: Fault) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that logs the file operations below a folder, and causes the fault."""
    numbers = {kind: itertools.count(1) for kind in ("read", "write")}
    broken = "read" if fault.reads else "write"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in PATH_ARGUMENT:
            return
        path = arguments[PATH_ARGUMENT[event]]
        if path is None or isinstance(path, int):
            return
        path = os.path.abspath(os.fsdecode(path))
        if not path.startswith(f"{folder}/"):
            return
        reads = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)
        kind = "read" if reads else "write"
        number = next(numbers[kind])
        os.write(log, f"{kind} {event} {os.path.relpath(path, folder)}\n".encode())
        if kind != broken or number < fault.number:
            return
        if fault.signal and number == fault.number:
            os.kill(os.getpid(), fault.signal)
        if fault.error and event not in REMOVALS and (number == fault.number or not reads):
            raise OSError(fault.error, os.strerror(fault.error), path)

    return hook
