"""Job execution: results, and one-line errors for failures of workers, on every engine."""

import asyncio
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from convrnn_data.base import jobs as jobs_module
from convrnn_data.base.errors import ConvRNNError

pytestmark = pytest.mark.together


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers):
    assert sorted(jobs_module.run_jobs(double, range(7), 7, workers=workers)) == [0, 2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize(("task", "parsed"), [(None, None), ("1/1", (1, 1)), ("3/8", (3, 8))])
def test_tasks(task, parsed):
    assert jobs_module.parse_task(task) == parsed


@pytest.mark.parametrize("task", ["", "0/3", "4/3", "1", "1/0", "-1/3", "1/3/5", "a/b"])
def test_invalid_tasks_are_refused(task):
    with pytest.raises(ConvRNNError, match="I/N"):
        jobs_module.parse_task(task)


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_an_engine_that_is_not_installed_is_refused(name, package, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ConvRNNError,
        match=rf"needs the package {package}, which is not installed. Run `pip install 'convrnn-data\[{name}\]'`",
    ):
        jobs_module.check_engine(name, None)


def test_an_address_for_the_local_engine_is_refused():
    with pytest.raises(
        ConvRNNError, match=r"--address cannot be used with --engine local, .* got 'head:6379'"
    ):
        jobs_module.check_engine("local", None, "head:6379")
    jobs_module.check_engine("local", None)


@pytest.mark.parametrize(
    ("resumes", "way_out"),
    [(True, "again to resume"), (False, "Nothing was written. Run the same command again")],
)
def test_a_killed_local_worker_is_an_error(resumes, way_out):
    with pytest.raises(ConvRNNError, match="ended before it finished its job") as caught:
        list(jobs_module.run_jobs(die, range(4), 4, workers=2, resumes=resumes))
    assert way_out in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def of_the_package(number: int) -> int:
    return number


of_the_package.__module__ = jobs_module.__name__


def refuse(number: int) -> int:
    if number == 3:
        raise ConvRNNError("job 3 cannot be done")
    return number


@pytest.fixture
def dask_address():
    """Return a function that starts a scheduler in this process with a number of workers, and gives its address."""
    distributed = pytest.importorskip("distributed")
    with contextlib.ExitStack() as stack:

        def start(workers: int) -> str:
            cluster = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=":0"
            )
            return stack.enter_context(cluster).scheduler_address

        yield start


def test_every_job_is_done_once_by_dask(dask_address):
    address = dask_address(2)
    for workers in (None, 1):
        done = jobs_module.run_jobs(double, range(9), 9, engine="dask", workers=workers, address=address)
        assert sorted(done) == list(range(0, 18, 2))


def test_dask_raises_the_exceptions_of_jobs(dask_address):
    with pytest.raises(ConvRNNError, match="job 3 cannot be done"):
        list(jobs_module.run_jobs(refuse, range(9), 9, engine="dask", address=dask_address(1)))


def test_a_scheduler_without_workers_is_an_error(dask_address, monkeypatch):
    distributed = pytest.importorskip("distributed")
    wait = distributed.Client.wait_for_workers
    # The timeout for connecting is unchanged, since it may be needed on a busy machine.
    monkeypatch.setattr(
        distributed.Client,
        "wait_for_workers",
        lambda client, count, timeout: wait(client, count, timeout=0.1),
    )
    with pytest.raises(ConvRNNError, match=r"has no workers. Start one with `dask worker"):
        list(jobs_module.run_jobs(double, range(3), 3, engine="dask", address=dask_address(0)))


@pytest.mark.parametrize(
    ("found", "why"), [("0.0.1", "has convrnn-data 0.0.1"), (ImportError(), "lacks convrnn-data")]
)
def test_a_dask_worker_without_the_package_is_an_error(found, why, dask_address, monkeypatch):
    address = dask_address(1)
    distributed = pytest.importorskip("distributed")

    async def run(*args, **how):
        return {"tcp://there:1": found}

    monkeypatch.setattr(distributed.Client, "_run", run)
    jobs = jobs_module.run_jobs(of_the_package, range(3), 3, engine="dask", address=address)
    with pytest.raises(
        ConvRNNError,
        match=f"the Dask worker tcp://there:1 {why}: every worker must have version .* Install convrnn-data",
    ):
        list(jobs)


def test_a_dask_worker_that_does_not_answer_is_an_error(dask_address, monkeypatch):
    address = dask_address(1)
    distributed = pytest.importorskip("distributed")

    async def run(*args, **how):
        await asyncio.Event().wait()

    monkeypatch.setattr(distributed.Client, "_run", run)
    monkeypatch.setattr(jobs_module, "WORKER_TIMEOUT", 0.5)
    with pytest.raises(ConvRNNError, match="a Dask worker does not answer"):
        list(jobs_module.run_jobs(of_the_package, range(3), 3, engine="dask", address=address))


def test_a_cluster_that_loses_its_workers_or_scheduler_is_an_error(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(jobs_module, "WORKER_TIMEOUT", 0.5)
    for lose, message in (
        (lose_workers, "has lost all workers"),
        (lose_scheduler, "scheduler at .* no longer answers"),
    ):
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster:
            jobs = jobs_module.run_jobs(
                slow, range(1000), 1000, engine="dask", address=cluster.scheduler_address
            )
            next(jobs)
            # Timeout for reconnecting; for the first connection it is `jobs_module.CONNECT_TIMEOUT`.
            distributed.default_client()._timeout = 1
            lose(cluster)
            with pytest.raises(ConvRNNError, match=message) as caught:
                list(jobs)
            assert len(str(caught.value).splitlines()) == 1


def slow(number):
    time.sleep(0.01)
    return number


def lose_workers(cluster):
    cluster.scale(0)


def lose_scheduler(cluster):
    cluster.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ray", "dask"])
def test_a_killed_worker_of_a_cluster_is_an_error(name):
    pytest.importorskip(jobs_module._PACKAGES[name])
    script = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_jobs import die\n"
        "from convrnn_data.base import jobs as engine\n"
        "from convrnn_data.base.errors import ConvRNNError\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        f"        list(engine.run_jobs(die, range(4), 4, engine={name!r}, workers=2))\n"
        "    except ConvRNNError as error:\n"
        "        print('said:', error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.startswith("said: a worker of"), done.stderr
