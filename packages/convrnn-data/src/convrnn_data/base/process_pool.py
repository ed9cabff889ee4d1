"""Pools of local worker processes, which end with the call and with the parent process."""

import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

from convrnn_data.base.errors import ConvRNNError

SUBMITTED = 2
"""Jobs submitted ahead per worker; limited so that memory does not grow with the number of jobs."""
EXIT_TIMEOUT = 5.0
"""Seconds that idle workers have to exit before they are killed."""
KILL_TIMEOUT = 10.0
"""Seconds to wait for killed workers to end."""

_THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)

Job = TypeVar("Job")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_processes(
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    workers: int,
    *,
    ordered: bool = False,
    resumes: bool = True,
) -> Generator[Result, None, None]:
    """Yield `function(job)` for every job, computed by `workers` processes.

    The processes end with the generator: after the last result, when it is closed, and on any exception. They also
    end when this process is killed.

    Args:
        function: Function that is importable by name; a script without `if __name__ == "__main__"` may pass one that
            it does not define itself.
        jobs: Jobs, consumed a few ahead of the results.
        workers: Number of processes.
        ordered: Whether to yield results in the order of the jobs instead of the order of completion.
        resumes: Whether the command that runs the jobs resumes after those that are finished, for the error message.

    Raises:
        ConvRNNError: A worker cannot be started, or died before it finished its job.
    """
    context = _Context(workers, keep_main=function.__module__ == "__main__")
    executor = _executor(workers, context)
    finished, lost, cause = False, None, ""
    try:
        yield from _results(executor, function, iter(jobs), SUBMITTED * workers, ordered)
        finished = True
    except BrokenProcessPool as error:
        lost, cause = error, _cause(error, context.started)
    finally:
        _shut_down(executor, context.started, kill=not finished)
    if lost is not None:
        # A signal to the whole process group may reach a worker before it reaches this process.
        time.sleep(0.1)
        way_out = (
            "Finished files are kept, so run the same command again to resume. If memory was short, lower --workers"
            if resumes
            else "Nothing was written. Run the same command again; if memory was short, with --workers 1"
        )
        raise ConvRNNError(
            f"a local worker process ended before it finished its job ({cause}). {way_out}"
        ) from lost


def _results(
    executor: ProcessPoolExecutor,
    function: Callable[[Job], Result],
    jobs: Iterator[Job],
    window: int,
    ordered: bool,
) -> Iterator[Result]:
    pending: deque[Future[Result]] = deque()
    while True:
        for job in itertools.islice(jobs, window - len(pending)):
            pending.append(_submit(executor, function, job))
        if not pending:
            return
        if not ordered:
            done = wait(pending, return_when=FIRST_COMPLETED).done
            pending.rotate(-next(index for index, future in enumerate(pending) if future in done))
        yield pending.popleft().result()


class _Worker(SpawnProcess):
    """Process that starts with SIGINT blocked and without importing the parent's script."""

    threads: int
    keep_main: bool

    def start(self) -> None:
        with _interrupts_blocked(), _threads_limited(self.threads):
            if self.keep_main:
                super().start()
            else:
                with _main_hidden():
                    super().start()


class _Context(SpawnContext):
    """Context that records its processes, because an executor has no public way to kill them."""

    def __init__(self, workers: int, *, keep_main: bool) -> None:
        self._threads = max(1, available_cores() // workers)
        self._keep_main = keep_main
        self.started: list[_Worker] = []

    def Process(self, *args: Any, **kwargs: Any) -> _Worker:  # type: ignore[override]
        """Create a worker without starting it."""
        worker = _Worker(*args, **kwargs)
        worker.threads, worker.keep_main = self._threads, self._keep_main
        self.started.append(worker)
        return worker


def _executor(workers: int, context: _Context) -> ProcessPoolExecutor:
    try:
        # Start it first, because its start unblocks the signals that are blocked while a worker starts.
        resource_tracker.ensure_running()
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)
    except (OSError, NotImplementedError, ImportError) as error:  # The system lacks semaphores or /dev/shm.
        raise ConvRNNError(
            f"cannot start local worker processes: the system refused a queue ({error}). Use --workers 1"
        ) from error


def _submit(executor: ProcessPoolExecutor, function: Callable[[Job], Result], job: Job) -> Future[Result]:
    try:
        return executor.submit(function, job)
    except OSError as error:
        raise ConvRNNError(
            f"cannot start a local worker process: {error.strerror or error}. Lower --workers, or raise the limits on "
            "processes and open files (`ulimit -u`, `ulimit -n`)"
        ) from error


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT in processes started within: a terminal sends it to the group, but the parent ends its workers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _threads_limited(threads: int) -> Iterator[None]:
    """Limit library threads in processes started within, unless the user has set a number of threads."""
    added = {name: str(threads) for name in _THREAD_LIMITS if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _main_hidden() -> Iterator[None]:
    """Prevent processes started within from importing the script: an unguarded script would start more workers."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _end_with_parent() -> None:
    """Make a worker exit when the parent dies, which the executor's queues do not signal."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _shut_down(executor: ProcessPoolExecutor, started: list[_Worker], *, kill: bool) -> None:
    """Stop every worker and the executor's thread within a bounded time."""
    manager = getattr(executor, "_executor_manager_thread", None)
    if not kill:
        executor.shutdown(wait=False)
        _wait_for_exit(started, EXIT_TIMEOUT)
    for worker in started:
        # ValueError and AttributeError: the start was interrupted, and the worker exits by itself.
        with contextlib.suppress(AttributeError, ValueError, OSError):
            worker.kill()
    _wait_for_exit(started, KILL_TIMEOUT)
    executor.shutdown(wait=False, cancel_futures=True)
    if manager is None:
        return
    manager.join(KILL_TIMEOUT)
    if manager.is_alive():
        # CPython before 3.11.5 hangs while writing a job to dead workers (gh-94777).
        with contextlib.suppress(AttributeError, OSError):
            executor._call_queue._reader.close()  # type: ignore[attr-defined]


def _wait_for_exit(started: list[_Worker], seconds: float) -> None:
    """Wait until every worker has exited, at most `seconds`."""
    end = time.monotonic() + seconds
    sentinels = []
    for worker in started:
        with contextlib.suppress(ValueError, AttributeError):  # The worker was not started.
            sentinels.append(worker.sentinel)
    while sentinels and (left := end - time.monotonic()) > 0:
        ended = connection.wait(sentinels, left)
        sentinels = [sentinel for sentinel in sentinels if sentinel not in ended]


def _cause(error: BrokenProcessPool, started: list[_Worker]) -> str:
    """Describe why the pool broke: the error that broke it, or how the first worker ended."""
    if error.__cause__ is not None:
        return str(error.__cause__).strip(" \n'").splitlines()[-1]
    code = _first_exit_code(started)
    if code is None:
        return "reason unknown"
    return f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"


def _first_exit_code(started: list[_Worker]) -> int | None:
    """Return the exit code of the worker that ended first; the executor sends SIGTERM to the others."""
    end = time.monotonic() + EXIT_TIMEOUT
    while True:
        codes = [worker.exitcode for worker in started]
        found = next((code for code in codes if code and code != -signal.SIGTERM), None)
        if found or None not in codes or time.monotonic() > end:
            return found or next((code for code in codes if code), None)
        time.sleep(0.01)  # A process closes its pipes slightly before its exit code is available.
