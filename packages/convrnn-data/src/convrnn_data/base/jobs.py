"""Execution of independent jobs in local processes, on a Ray cluster (through joblib) or on a Dask cluster."""

import contextlib
import importlib.util
import itertools
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.process_pool import available_cores as available_cores
from convrnn_data.base.process_pool import map_in_processes

ENGINES = ("local", "ray", "dask")

_PACKAGES = {"ray": "ray", "dask": "distributed"}

WAVE = 4
"""Jobs per worker that are submitted to Ray at once."""
CONNECT_TIMEOUT = 20
"""Seconds within which a Dask cluster must answer and have a worker."""
WORKER_TIMEOUT = 60
"""Seconds that a Dask cluster may be without workers while jobs are pending."""

Job = TypeVar("Job")
Result = TypeVar("Result")


def check_engine(engine: str, workers: int | None, address: str | None = None) -> None:
    """Fail early if an engine is unknown or not installed, or does not take an address.

    Raises:
        ConvRNNError: With the way out.
    """
    if engine not in ENGINES:
        raise ConvRNNError(f"--engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if workers is not None and workers < 1:
        raise ConvRNNError(f"--workers must be at least 1, got {workers}. Remove it to use one per core")
    if address is not None and engine == "local":
        raise ConvRNNError(
            f"--address cannot be used with --engine local, which runs on this machine only, got {address!r}. Pass "
            "--engine ray or --engine dask, or remove --address"
        )
    package = _PACKAGES.get(engine)
    if package and importlib.util.find_spec(package) is None:
        raise ConvRNNError(
            f"--engine {engine} needs the package {package}, which is not installed. Run "
            f"`pip install 'convrnn-data[{engine}]'`"
        )


def parse_task(task: str | None) -> tuple[int, int] | None:
    """Parse `--task I/N`, the I-th of N parts, such as the tasks of a job array.

    Returns:
        (I, N); None if `task` is None.

    Raises:
        ConvRNNError: `task` has another form.
    """
    if task is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", task)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConvRNNError(f"--task must be I/N with I from 1 to N, such as 3/8, got {task!r}")
    return int(match[1]), int(match[2])


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    total: int,
    *,
    engine: str = "local",
    workers: int | None = None,
    address: str | None = None,
    resumes: bool = True,
) -> Generator[Result, None, None]:
    """Run every job and yield the results in order of completion.

    Args:
        function: Function of a job, importable on every worker.
        jobs: Jobs, consumed a few at a time, so that they can be generated lazily.
        total: Number of jobs, which limits the number of local processes.
        engine: "local" for processes of this machine, "ray" or "dask".
        workers: Number of concurrent jobs; one per core by default, or all of the cluster.
        address: Address of a Ray or Dask cluster; RAY_ADDRESS or DASK_SCHEDULER_ADDRESS by default, or a local cluster
            if they are not set.
        resumes: Whether the command that runs the jobs resumes after those that are finished, for the error message of
            a local process that ended.

    Raises:
        ConvRNNError: No cluster answers, a Dask worker has another version, or a worker died.
    """
    if engine == "local":
        workers = max(1, min(workers or available_cores(), total))
        if workers == 1:
            yield from map(function, jobs)
            return
    if engine == "dask":
        with _dask_logging_off(), _dask(workers, address) as client, _lost_workers_reported(engine):
            _require_package(client, function.__module__.partition(".")[0].replace("_", "-"))
            yield from _by_dask(client, function, jobs, workers if address else None)
        return
    if engine == "ray":
        with _ray(workers, address), _lost_workers_reported(engine):
            yield from _by_ray(function, jobs, workers)
        return
    assert workers is not None
    yield from map_in_processes(function, jobs, workers, resumes=resumes)


@contextlib.contextmanager
def _lost_workers_reported(engine: str) -> Iterator[None]:
    """Convert the errors with which each engine reports a lost worker into ConvRNNError."""
    try:
        yield
    except _lost_worker_errors(engine) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ConvRNNError(
            f"a worker of --engine {engine} ended before it finished its job ({reason}). Finished files are kept, so "
            "run the same command again to resume. If memory was short, lower --workers"
        ) from error


def _lost_worker_errors(engine: str) -> tuple[type[BaseException], ...]:
    if engine == "ray":
        from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, WorkerCrashedError

        return RayActorError, WorkerCrashedError, OutOfMemoryError, NodeDiedError
    from distributed import KilledWorker

    return (KilledWorker,)


def _by_ray(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int | None) -> Iterator[Result]:
    """Submit a few jobs per worker at a time, since joblib's Ray backend returns all results at once."""
    import joblib

    calls = (joblib.delayed(function)(job) for job in jobs)
    with joblib.parallel_config(backend="ray"):
        size = WAVE * joblib.effective_n_jobs(workers or -1)
        with joblib.Parallel(n_jobs=workers or -1, batch_size=1) as parallel:
            while wave := list(itertools.islice(calls, size)):
                yield from parallel(wave)


@contextlib.contextmanager
def _ray(workers: int | None, address: str | None) -> Iterator[None]:
    # Ray reports lost workers on standard output, which is reserved for the command.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "worker died or was killed")
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS")
    try:
        _require_listener(address)
        local: dict[str, Any] = {"include_dashboard": False, "num_cpus": workers or available_cores()}
        ray.init(
            address=address, log_to_driver=False, logging_level=logging.ERROR, **({} if address else local)
        )
    except (OSError, RuntimeError, ValueError) as error:
        if address is None:
            raise ConvRNNError(f"cannot start Ray on this machine: {error}. Use --engine local") from error
        raise ConvRNNError(
            f"no Ray cluster answers at {address}: {error}. Start the cluster, or correct --address"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_listener(address: str | None) -> None:
    """Fail early if nothing listens at an address: Ray itself would retry for minutes."""
    match = re.fullmatch(r"(?:ray://)?(.+):(\d+)", address or "")
    if match:
        socket.create_connection((match[1], int(match[2])), timeout=10).close()


def _require_package(client: Any, package: str) -> None:
    """Check that every worker has the same version of a package: Dask would retry unreadable jobs forever.

    Raises:
        ConvRNNError: A worker lacks it, or has another version.
    """
    try:
        own = version(package)
    except PackageNotFoundError:  # The function is not part of an installed package.
        return
    for worker, other in _versions(client, package).items():
        if other != own:
            has = f"has {package} {other}" if isinstance(other, str) else f"lacks {package}"
            raise ConvRNNError(
                f"the Dask worker {worker} {has}: every worker must have version {own}. Install {package} {own} on it"
            )


def _versions(client: Any, package: str) -> dict[str, Any]:
    """Return worker address -> version of the package, or the error raised there."""
    try:
        # `client.run` itself would wait forever for a worker that does not answer.
        return client.sync(client._run, version, package, on_error="return", callback_timeout=WORKER_TIMEOUT)
    except TimeoutError as error:
        raise ConvRNNError(
            f"a Dask worker does not answer: every worker must answer within {WORKER_TIMEOUT} s. Restart "
            "the cluster's workers"
        ) from error


def _by_dask(
    client: Any, function: Callable[[Job], Result], jobs: Iterable[Job], most: int | None
) -> Iterator[Result]:
    """Submit a few jobs per worker at a time, `most` at most; joblib's Dask backend would hang if a worker died."""
    jobs = iter(jobs)
    pending: list[Any] = []
    try:
        while True:
            allowed = most or 2 * max(1, sum(_threads(client).values()))
            free = max(0, allowed - len(pending))
            # Not pure: a repeated job must run again, since its file may have been removed.
            pending += [client.submit(function, job, pure=False) for job in itertools.islice(jobs, free)]
            if not pending:
                return
            future, result = _first_done(client, pending)
            pending.remove(future)
            yield result
    finally:
        with contextlib.suppress(OSError, CancelledError):  # The scheduler has exited.
            client.cancel(pending)


def _first_done(client: Any, pending: list[Any]) -> tuple[Any, Any]:
    """Return the first finished future and its result.

    Raises:
        ConvRNNError: The cluster has had no workers for `WORKER_TIMEOUT` seconds.
    """
    from distributed import wait

    since = None
    while True:
        try:
            done = wait(pending, timeout=WORKER_TIMEOUT / 10, return_when="FIRST_COMPLETED").done
            future = next(future for future in pending if future in done)
            # If a worker is lost, its finished results are computed again.
            return future, future.result(timeout=WORKER_TIMEOUT / 10)
        except TimeoutError:
            if any(future.status == "error" for future in pending):
                raise  # The job itself raised TimeoutError.
        except CancelledError as error:
            raise _no_scheduler(client) from error
        if _threads(client):
            since = None
        elif since is None:
            since = time.monotonic()
        elif time.monotonic() - since > WORKER_TIMEOUT:
            raise ConvRNNError(
                f"the Dask cluster has lost all workers: none has joined within {WORKER_TIMEOUT} s. Finished files are "
                "kept. Start workers, and run the same command again to resume"
            )


def _threads(client: Any) -> dict[str, int]:
    """Return worker address -> number of threads."""
    try:
        return dict(client.nthreads())
    except (OSError, CancelledError) as error:
        raise _no_scheduler(client) from error


def _no_scheduler(client: Any) -> ConvRNNError:
    return ConvRNNError(
        f"the Dask scheduler at {client.scheduler.address} no longer answers. Finished files are kept. Restart the "
        "cluster, and run the same command again to resume"
    )


@contextlib.contextmanager
def _dask_logging_off() -> Iterator[None]:
    """Suppress the traceback that Dask logs for a lost connection, which is reported as ConvRNNError."""
    import distributed  # noqa: F401 - configures the loggers

    logger = logging.getLogger("distributed.client")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _dask(workers: int | None, address: str | None) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    address = address or os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address is None:
        with (
            LocalCluster(
                n_workers=workers or available_cores(), threads_per_worker=1, dashboard_address=":0"
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT)
    except (OSError, ValueError) as error:
        raise ConvRNNError(
            f"no Dask scheduler answers at {address}: {error}. Start the scheduler, or correct --address"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
        except TimeoutError as error:
            raise ConvRNNError(
                f"the Dask scheduler at {address} has no workers. Start one with `dask worker {address}`"
            ) from error
        yield client
