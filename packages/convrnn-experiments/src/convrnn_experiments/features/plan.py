"""Parts of the cached features, and the processes that compute them.

A part is one view of one shard. It has its own random stream and file, so its content does not depend on which process
computes it, or when.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from convrnn_data.base.jobs import check_engine
from convrnn_data.base.options import Option
from convrnn_experiments.runs.config import Config
from convrnn_model.variants import VARIANTS


@dataclass(frozen=True)
class Part:
    """One file of cached features: one view of one shard.

    Attributes:
        path: HDF5 file.
        split: "train" or "val".
        shard: Number within the split.
        view: Number of the view, from 0.
        rows: (n,) rows of the split's table, in the order of the file.
    """

    path: Path
    split: str
    shard: int
    view: int
    rows: np.ndarray


def feature_bytes(config: Config) -> int:
    """Return the bytes that the cached features of an image take in each view."""
    channels = VARIANTS[f"{config.network}_net"].convolutions(config.width)[-1].filters
    return config.exits * channels * np.dtype(config.feature_dtype).itemsize


@dataclass(frozen=True)
class Executor:
    """Processes that compute parts: by default this process, on its devices.

    Attributes:
        engine: As for `convrnn_data.base.jobs.run_jobs`.
        workers: Number of processes; by default, all workers of a cluster, or locally this process only.
        address: Address of a cluster.

    Raises:
        ConvRNNError: The engine is unknown or not installed, no worker is connected, or the engine needs no address.
    """

    engine: Annotated[Literal["local", "ray", "dask"], Option("Engine that computes cached features.")] = (
        "local"
    )
    workers: Annotated[
        int | None,
        Option("Number of processes, each with a core or more.", show_default="this one; all of a cluster"),
    ] = None
    address: Annotated[str | None, Option("Address of a Ray or Dask cluster.")] = None

    def __post_init__(self) -> None:
        check_engine(self.engine, self.workers, self.address)

    @property
    def in_process(self) -> bool:
        """True if this process computes all parts itself."""
        return self.engine == "local" and self.workers in (None, 1)


IN_PROCESS = Executor()
