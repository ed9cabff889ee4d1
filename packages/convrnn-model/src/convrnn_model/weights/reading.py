"""Strict reading of a weights file for a network given by the names and shapes of its weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from convrnn_model.errors import ConvRNNError
from convrnn_model.weights import hdf5, safetensors
from convrnn_model.weights.assignment import Assignment, ExtraTimesteps, require_extra_timesteps
from convrnn_model.weights.inspection import Shape
from convrnn_model.weights.safetensors import Read

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
        path: HDF5 in the layout of the published files, or `.safetensors` with the names of `convrnn_model.torch`.
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
    with _open(path) as (stored, read):
        assignment = Assignment(path, expected, stored)
        sources = assignment.sources(skip_readout=readout == "skip", extra_timesteps=extra_timesteps)
        values = read(sorted(set(sources.values())))
    report = LoadReport(
        path,
        loaded=tuple(sources),
        kept=tuple(name for name in expected if name not in sources),
        repeated=tuple(name for name, source in sources.items() if name != source),
        unused=tuple(assignment.unused()),
    )
    return report, {name: values[source] for name, source in sources.items()}


@contextmanager
def _open(path: Path) -> Iterator[tuple[Mapping[str, Shape], Read]]:
    """Open a file by its suffix; see `safetensors.open_tensors`."""
    if path.suffix == safetensors.SUFFIX:
        with safetensors.open_tensors(path) as opened:
            yield opened
    else:
        with hdf5.open_weights(path) as stored:
            shapes = {name: dataset.shape for name, dataset in stored.items()}
            yield shapes, partial(hdf5.read_all, path, stored)


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConvRNNError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")
