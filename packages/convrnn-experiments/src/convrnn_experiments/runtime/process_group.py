"""Processes that train a network together."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from convrnn_data.base.options import Option


@dataclass(frozen=True)
class ProcessGroup:
    """Group of processes that split every batch, and this process's number; by default, a single process.

    Attributes:
        coordinator: HOST:PORT of the first process.
        processes: Number of processes.
        process: Number of this process, from 0.
    """

    coordinator: Annotated[
        str | None,
        Option("HOST:PORT of the first of several processes (KERAS_BACKEND=jax).", after="devices"),
    ] = None
    processes: Annotated[
        int, Field(ge=1), Option("Number of processes that share every batch.", after="coordinator")
    ] = 1
    process: Annotated[int, Field(ge=0), Option("Number of this process, from 0.", after="processes")] = 0

    @property
    def is_writer(self) -> bool:
        """True if this process writes the files of the run."""
        return self.process == 0

    def wait(self, event: str) -> None:
        """Block until every process has made the same call, identified by `event`."""
        if self.processes > 1:
            from jax.experimental import multihost_utils

            multihost_utils.sync_global_devices(event)
