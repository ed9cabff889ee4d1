"""Local worker processes: results, order, bounded memory, and the death of workers and parents."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from convrnn_data.base import process_pool
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.process_pool import map_in_processes

pytestmark = pytest.mark.together

GENEROUS = 600
"""Timeout in seconds, reached only by a process that never ends."""


def double(number):
    return 2 * number


def pid(number):
    return os.getpid()


def kill_itself(number):
    os.kill(os.getpid(), number)


def exit_at_once(number):
    os._exit(number)


def refuse(number):
    if number == 3:
        raise ConvRNNError("job 3 is refused")
    return number


def wait_forever(folder):
    """Create a file named after the process, to show that the job runs."""
    (Path(folder) / str(os.getpid())).touch()
    while True:
        time.sleep(GENEROUS)


def limits(number):
    return os.environ.get("OMP_NUM_THREADS"), os.environ.get("NUMBA_NUM_THREADS")


class NeverReturns:
    """Result that can be pickled but not unpickled."""

    def __reduce__(self):
        return int, ("no number",)


def unreadable(number):
    return NeverReturns()


def test_every_job_is_done_once():
    assert sorted(map_in_processes(double, range(20), 3)) == [2 * number for number in range(20)]
    assert list(map_in_processes(double, [], 3)) == []


def test_results_in_order_and_jobs_consumed_a_few_ahead():
    taken = []

    def jobs():
        for number in range(100):
            taken.append(number)
            yield number

    with contextlib.closing(map_in_processes(double, jobs(), 2, ordered=True)) as results:
        for count, result in enumerate(results):
            assert result == 2 * count
            assert len(taken) <= count + 2 * process_pool.SUBMITTED


def test_exceptions_of_jobs_are_raised():
    with pytest.raises(ConvRNNError, match="job 3 is refused"):
        list(map_in_processes(refuse, range(9), 2))


@pytest.mark.parametrize(
    ("function", "job", "cause"),
    [
        (kill_itself, signal.SIGKILL, "killed by SIGKILL"),
        (kill_itself, signal.SIGTERM, "killed by SIGTERM"),
        (kill_itself, signal.SIGSEGV, "killed by SIGSEGV"),
        (exit_at_once, 7, "exit code 7"),
        (unreadable, 0, "invalid literal for int"),
    ],
)
def test_a_dead_worker_is_a_one_line_error(function, job, cause):
    with pytest.raises(ConvRNNError, match="ended before it finished its job") as caught:
        list(map_in_processes(function, [job] * 4, 2))
    assert cause in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_worker_dies_while_large_jobs_are_pending():
    """The pending data exceeds the capacity of a pipe."""
    jobs = [(signal.SIGKILL, bytes(1 << 20)) for _ in range(8)]
    with pytest.raises(ConvRNNError, match="killed by SIGKILL"):
        list(map_in_processes(kill_by_first, jobs, 2))


def kill_by_first(job):
    os.kill(os.getpid(), job[0])


def test_closing_kills_busy_workers(tmp_path):
    with contextlib.closing(map_in_processes(wait_or_return, [None, tmp_path, tmp_path], 2)) as results:
        assert next(results) is None
        running = started(tmp_path, 2)
    assert not alive(running)


def wait_or_return(folder):
    if folder is not None:
        wait_forever(folder)


def test_workers_end_after_the_last_result():
    ends = set(map_in_processes(pid, range(6), 2))
    assert os.getpid() not in ends
    assert not alive(ends)


def test_libraries_in_workers_share_the_cores(monkeypatch):
    monkeypatch.setattr(process_pool, "available_cores", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    assert list(map_in_processes(limits, range(1), 2)) == [("3", "1")]
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(
    "error", [OSError(11, "Resource temporarily unavailable"), NotImplementedError("no sem_open")]
)
def test_a_system_without_queues_is_an_error(error, monkeypatch):
    def none(*args, **how):
        raise error

    monkeypatch.setattr(process_pool, "ProcessPoolExecutor", none)
    with pytest.raises(ConvRNNError, match="Use --workers 1"):
        list(map_in_processes(double, range(3), 2))


def test_a_worker_that_cannot_be_started_is_an_error(monkeypatch):
    def none(*args, **how):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(process_pool.SpawnProcess, "start", none)
    with pytest.raises(
        ConvRNNError,
        match=r"cannot start a local worker process: Resource temporarily unavailable. Lower --workers",
    ):
        list(map_in_processes(double, range(3), 2))


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from test_process_pool import double, wait_forever
from convrnn_data.base.process_pool import map_in_processes
{body}
"""


def script(body, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(folder=str(Path(__file__).parent), body=body))
    return [sys.executable, str(path)]


def test_an_unguarded_script_is_not_run_by_workers(tmp_path):
    words = script("print(list(map_in_processes(double, range(4), 2, ordered=True)))", tmp_path)
    done = subprocess.run(words, capture_output=True, text=True, timeout=GENEROUS, check=False)
    assert (done.stdout, done.stderr) == ("[0, 2, 4, 6]\n", "")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(number, tmp_path):
    folder = tmp_path / "running"
    folder.mkdir()
    words = script(f"list(map_in_processes(wait_forever, [{str(folder)!r}] * 4, 2))", tmp_path)
    parent = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        running = started(folder, 2)
        # A terminal sends Ctrl-C to the whole group.
        (os.killpg if number == signal.SIGINT else os.kill)(parent.pid, number)
        errors = parent.communicate(timeout=GENEROUS)[1]
        assert not remain_alive(running)
        assert parent.returncode == -number
        assert errors.count("Traceback") == (number == signal.SIGINT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)


def started(folder, count):
    """Wait for a number of processes to create their files in a folder, and return the process ids."""
    end = time.monotonic() + GENEROUS
    while time.monotonic() < end:
        if len(found := [int(path.name) for path in folder.iterdir()]) == count:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{count} workers did not begin")


def alive(numbers):
    return [number for number in numbers if runs(number)]


def remain_alive(numbers):
    end = time.monotonic() + GENEROUS
    while time.monotonic() < end and alive(numbers):
        time.sleep(0.01)
    return alive(numbers)


def runs(number):
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
