"""Computing parts of kept features in other processes, on this machine or on others.

Nothing slow is imported here: a worker reads its job before TensorFlow may be imported.
"""

import contextlib
import os
import platform
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import convrnn_model
from convrnn_data import PreparedSet
from convrnn_data.base.jobs import available_cores, run_jobs
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.plan import Part, Where
from convrnn_experiments.runs.config import Config, checked, weights_file
from convrnn_experiments.runtime.tensorflow import SETTINGS, quiet_import

if TYPE_CHECKING:
    from convrnn_experiments.features.extractor import Extractor


class Job(NamedTuple):
    """All that a worker needs to know to compute one part.

    Attributes:
        part: what to compute.
        config: with paths that hold in any folder.
        environment: variables that are read while Keras and TensorFlow are imported.
        threads: how many batches the worker computes side by side.
    """

    part: Part
    config: Config
    environment: dict[str, str]
    threads: int


class Outcome(NamedTuple):
    """What became of a job. An error is kept as text, because not every engine passes exceptions on as they are."""

    part: Part
    error: str | None


def spread(parts: Sequence[Part], config: Config, where: Where) -> Iterator[Part]:
    """Compute parts in other processes, and yield each when its file is there.

    Args:
        parts: none of them computed yet.
        config: from `checked`; its set, its weights and the parts' folder lie where every worker sees them.
        where: not here.

    Raises:
        ConvRNNError: what a worker ran into, or no cluster answers.
    """
    config = replace(
        config,
        data=str(Path(config.data).absolute()),
        weights=str(weights_file(config.weights).absolute()),
        devices=(),
    )
    environment = _environment()
    # A worker of a cluster is given a core; those of this machine share its cores.
    threads = max(1, available_cores() // (where.workers or 1)) if where.engine == "local" else 1
    jobs = (Job(replace(part, path=part.path.absolute()), config, environment, threads) for part in parts)
    outcomes = run_jobs(
        compute_part, jobs, len(parts), engine=where.engine, workers=where.workers, address=where.address
    )
    with contextlib.closing(outcomes):  # at once after an error, so that no worker goes on
        for outcome in outcomes:
            if outcome.error:
                raise ConvRNNError(outcome.error)
            yield outcome.part


def _environment() -> dict[str, str]:
    """What a worker's Keras has to find so that it computes as this process' would.

    A worker has one core of a machine, so it leaves the GPU to others.
    """
    from convrnn_experiments.runtime.devices import VARIABLES
    from convrnn_model.backend import keras

    names = dict.fromkeys((*SETTINGS, *VARIABLES))
    named = {name: os.environ[name] for name in names if name in os.environ}
    return {**named, "KERAS_BACKEND": keras.config.backend(), "CUDA_VISIBLE_DEVICES": ""}


_ONE_AT_A_TIME = threading.Lock()
"""A Dask worker may run several jobs in threads of one process, which has one network with one random stream."""


def compute_part(job: Job) -> Outcome:
    """Compute one part, whole or not at all; on any worker, which keeps the network for the next one."""
    try:
        with _ONE_AT_A_TIME:
            _make_ready(job)
            from convrnn_experiments.features.fingerprint import require_folder

            require_folder(job.part.path.parent, job.config)
            if not job.part.path.is_file():  # Another run may have been faster.
                _extractor(job.config, max(job.threads, _threads_of_dask())).write(job.part)
    except (ConvRNNError, convrnn_model.ConvRNNError) as error:
        return Outcome(job.part, f"{error} (on {platform.node()})")
    return Outcome(job.part, None)


def _make_ready(job: Job) -> None:
    """Let Keras be imported as the process that sent the job did; without effect where it is imported already."""
    os.environ.update(job.environment)
    with quiet_import():
        from convrnn_experiments.features.extractor import one_thread_each
    with contextlib.suppress(RuntimeError):  # TensorFlow has computed something already: an earlier job
        one_thread_each()


def _threads_of_dask() -> int:
    """The threads of the Dask worker that this is, which come here one at a time; else 1."""
    if "distributed" in sys.modules:
        from distributed import get_worker

        with contextlib.suppress(ValueError):  # no worker
            return int(get_worker().state.nthreads)
    return 1


@lru_cache(maxsize=1)
def _extractor(config: Config, threads: int) -> "Extractor":
    """The frozen network with its pictures, made once in a process.

    Raises:
        ConvRNNError: this worker does not see the files that its job is about.
    """
    from convrnn_experiments.features.extractor import Extractor
    from convrnn_experiments.runs.network import prepare_network

    data = PreparedSet(config.data)
    found = checked(config, data)
    for field in fields(config):
        if (here := getattr(found, field.name)) != (sent := getattr(config, field.name)):
            named = config.weights if field.name == "weights_sha256" else config.data
            raise ConvRNNError(
                f"cannot use {named} on this worker: its {field.name} must be {sent}, got {here}. Put it on a disk "
                "that every worker sees"
            )
    return Extractor(prepare_network(config, lambda line: None), config, data, threads)
