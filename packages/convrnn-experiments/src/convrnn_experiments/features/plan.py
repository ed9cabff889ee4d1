"""The parts that kept features are made of, and where they are computed.

A part is one view of one shard, with a random stream and a file of its own, so it does not matter which process
computes it, or when.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convrnn_data.base.jobs import check_engine


@dataclass(frozen=True)
class Part:
    """One file of kept features: one view of one shard.

    Attributes:
        path: the HDF5 file.
        split: "train" or "val".
        shard: number within the split.
        view: which view, from 0.
        rows: (n,) rows of the split's table, in the file's order.
    """

    path: Path
    split: str
    shard: int
    view: int
    rows: np.ndarray


@dataclass(frozen=True)
class Where:
    """Where parts are computed.

    Attributes:
        engine: "local", "ray" or "dask", as for `convrnn_data.base.jobs.run_jobs`.
        workers: how many processes; by default all that a cluster has, and only this one locally.
        address: of a cluster.

    Raises:
        ConvRNNError: an engine that is unknown or not installed, no worker, or an address that no engine needs.
    """

    engine: str = "local"
    workers: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        check_engine(self.engine, self.workers, self.address)

    @property
    def here(self) -> bool:
        """Whether this process does it all, with the devices that it has."""
        return self.engine == "local" and self.workers in (None, 1)


HERE = Where()
