"""Strict reading of a weights file for a network given by the names and shapes of its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from convrnn_model.errors import ConvRNNError
from convrnn_model.weights import hdf5
from convrnn_model.weights.assignment import Assignment, ExtraTimesteps, require_extra_timesteps
from convrnn_model.weights.inspection import Shape

Readout = Literal["strict", "skip"]


@dataclass(frozen=True)
class LoadReport:
    """Result of `load_weights`, by weight name, `{layer}/{weight}`.

    Args:
        path: The file.
        loaded: Weights of the network set from the file.
        kept: Weights of the network left unchanged (`readout="skip"`).
        repeated: Weights in `loaded` of time steps that the file lacks, loaded from another one (`extra_timesteps`).
        unused: Weights of the file for time steps that the network lacks.
    """

    path: Path
    loaded: tuple[str, ...]
    kept: tuple[str, ...]
    repeated: tuple[str, ...]
    unused: tuple[str, ...]


def read_weights(
    path: Path, expected: Mapping[str, Shape], readout: Readout, extra_timesteps: ExtraTimesteps
) -> tuple[LoadReport, dict[str, np.ndarray]]:
    """Read the weights of a network.

    Args:
        path: HDF5 in the layout of the published files.
        expected: Shape of each weight of the network, in that layout.
        readout: "skip" omits the readout.
        extra_timesteps: Read the file's last normalisation, "repeat-last", or that of a time step for further ones.

    Returns:
        The report, and the float32 values by the network's names.

    Raises:
        ConvRNNError: Weights are missing, unexpected, mismatched in shape or not finite, or an option is unknown.
    """
    _require_choice("readout", readout, ("strict", "skip"))
    require_extra_timesteps(extra_timesteps)
    with hdf5.open_weights(path) as stored:
        assignment = Assignment(path, expected, {name: dataset.shape for name, dataset in stored.items()})
        sources = assignment.sources(skip_readout=readout == "skip", extra_timesteps=extra_timesteps)
        values = hdf5.read_all(path, stored, sorted(set(sources.values())))
    report = LoadReport(
        path,
        loaded=tuple(sources),
        kept=tuple(name for name in expected if name not in sources),
        repeated=tuple(name for name, source in sources.items() if name != source),
        unused=tuple(assignment.unused()),
    )
    return report, {name: values[source] for name, source in sources.items()}


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConvRNNError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")
