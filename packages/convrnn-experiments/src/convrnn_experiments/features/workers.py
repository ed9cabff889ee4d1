"""Worker processes that compute parts of the cached features, on this machine or on others.

Nothing slow is imported here, because a job sets the environment in which a worker imports TensorFlow.
"""

import contextlib
import os
import platform
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import convrnn_model
from convrnn_data import PreparedSet
from convrnn_data.base.jobs import available_cores, run_jobs
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.plan import Executor, Part
from convrnn_experiments.runs.config import Config, checked, weights_file
from convrnn_experiments.runtime.tensorflow import SETTINGS, quiet_import

if TYPE_CHECKING:
    from convrnn_experiments.features.extractor import Extractor


class Job(NamedTuple):
    """Input of a worker for one part.

    Attributes:
        part: Part to compute.
        config: Configuration with absolute paths.
        environment: Variables that Keras and TensorFlow read at import.
        threads: Number of threads of the worker.
    """

    part: Part
    config: Config
    environment: dict[str, str]
    threads: int


class Outcome(NamedTuple):
    """Result of a job. An error is passed as text, because not every engine transmits exceptions unchanged."""

    part: Part
    error: str | None


def compute_in_workers(parts: Sequence[Part], config: Config, executor: Executor) -> Iterator[Part]:
    """Compute parts in other processes, and yield each part once its file exists.

    Args:
        parts: Parts that are not cached.
        config: Configuration from `checked`. Every worker must see its prepared set, its weights and the cache folder.
        executor: Engine, workers and cluster.

    Raises:
        ConvRNNError: A worker failed, or the cluster does not answer.
    """
    config = config.replace(
        data=str(Path(config.data).absolute()),
        weights=str(weights_file(config.weights).absolute()),
        devices=(),
    )
    environment = _environment()
    # A cluster gives each worker a core; local workers share the cores of this machine.
    threads = max(1, available_cores() // (executor.workers or 1)) if executor.engine == "local" else 1
    jobs = (Job(replace(part, path=part.path.absolute()), config, environment, threads) for part in parts)
    outcomes = run_jobs(
        compute_part,
        jobs,
        len(parts),
        engine=executor.engine,
        workers=executor.workers,
        address=executor.address,
    )
    with contextlib.closing(outcomes):  # stops all workers immediately after an error
        for outcome in outcomes:
            if outcome.error:
                raise ConvRNNError(outcome.error)
            yield outcome.part


def _environment() -> dict[str, str]:
    """Return the variables with which a worker computes the same bytes as this process.

    A worker has one core of a machine, so the GPU is hidden from it.
    """
    from convrnn_experiments.runtime.devices import VARIABLES
    from convrnn_model.backend import keras
    from convrnn_model.inference.processor import VARIABLE

    names = dict.fromkeys((*SETTINGS, *VARIABLES, VARIABLE))
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    return {**inherited, "KERAS_BACKEND": keras.config.backend(), "CUDA_VISIBLE_DEVICES": ""}


_JOB_LOCK = threading.Lock()
"""Serialises the jobs that a Dask worker runs in threads of one process, which share a network and a random stream."""


def compute_part(job: Job) -> Outcome:
    """Compute one part in a worker; its file is written atomically, and the network is reused by the next job."""
    try:
        with _JOB_LOCK:
            _set_up(job)
            from convrnn_experiments.features.fingerprint import require_same_dependencies
            from convrnn_experiments.runs.network import choose_inference

            inference = choose_inference(
                job.config.precision, job.config.inference, top_down=job.config.variant.top_down
            )
            require_same_dependencies(job.part.path.parent, job.config, inference)
            if not job.part.path.is_file():  # another run may have written it
                _extractor(job.config, max(job.threads, _dask_threads())).write(job.part)
    except (ConvRNNError, convrnn_model.ConvRNNError) as error:
        return Outcome(job.part, f"{error} (on {platform.node()})")
    return Outcome(job.part, None)


def _set_up(job: Job) -> None:
    """Import Keras with the settings of the process that sent the job, unless it is imported already."""
    os.environ.update(job.environment)
    with quiet_import():
        from convrnn_experiments.features.extractor import use_one_thread_per_operation
    with contextlib.suppress(RuntimeError):  # an earlier job has initialised TensorFlow
        use_one_thread_per_operation()


def _dask_threads() -> int:
    """Return the number of threads of this Dask worker, which `_JOB_LOCK` serialises; 1 in any other process."""
    if "distributed" in sys.modules:
        from distributed import get_worker

        with contextlib.suppress(ValueError):  # not in a worker
            return int(get_worker().state.nthreads)
    return 1


@lru_cache(maxsize=1)
def _extractor(config: Config, threads: int) -> "Extractor":
    """Return the extractor of a configuration, built once in a process.

    Raises:
        ConvRNNError: This worker does not see the files of the job.
    """
    from convrnn_experiments.features.extractor import Extractor
    from convrnn_experiments.runs.network import feature_predictor

    data = PreparedSet(config.data)
    here = dict(checked(config, data))
    for name, sent in config:
        if here[name] != sent:
            path = config.weights if name == "weights_sha256" else config.data
            raise ConvRNNError(
                f"cannot use {path} on this worker: its {name} must be {sent}, got {here[name]}. Put it on a disk "
                "that every worker sees"
            )
    return Extractor(feature_predictor(config, threads), config, data, threads)
