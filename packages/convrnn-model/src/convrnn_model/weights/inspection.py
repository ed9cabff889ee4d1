"""Identification of weights files from names and shapes, without building a network or importing a backend."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from convrnn_model import names
from convrnn_model.errors import ConvRNNError
from convrnn_model.variants import VARIANTS
from convrnn_model.weights import hdf5

Shape = tuple[int, ...]
PathLike = str | os.PathLike[str]
DATASETS = {1000: "imagenet", 565: "ecoset"}


@dataclass(frozen=True)
class Identity:
    """Network that weights belong to, by their names and shapes.

    Args:
        variant: A key of `VARIANTS`.
        filters: Number of filters of each convolution, from the image up.
        classes: Number of classes of the readout.
        n_timesteps: Time steps of batch normalisation; 1 for feedforward networks.
    """

    variant: str
    filters: tuple[int, ...]
    classes: int
    n_timesteps: int

    @property
    def dataset(self) -> str | None:
        """Data set with this number of classes, "imagenet" or "ecoset", or None."""
        return DATASETS.get(self.classes)


@dataclass(frozen=True)
class WeightsInfo(Identity):
    """Identity and hash of a weights file, independent of its name.

    Args:
        sha256: Hash of the file, hexadecimal.
    """

    sha256: str


def inspect_weights(path: PathLike) -> WeightsInfo:
    """Identify a weights file without building a network.

    Raises:
        ConvRNNError: The file cannot be read, or belongs to none of the networks.
    """
    path = Path(path)
    with hdf5.open_weights(path) as stored:
        identity = require_identity(path, {name: dataset.shape for name, dataset in stored.items()})
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return WeightsInfo(
        identity.variant, identity.filters, identity.classes, identity.n_timesteps, sha256=sha256
    )


def require_identity(path: Path, shapes: Mapping[str, Shape]) -> Identity:
    """Return the network that a file's weights belong to; raise ConvRNNError if there is none."""
    identity = identify(shapes)
    if identity is None:
        raise ConvRNNError(
            f"{path} contains none of {', '.join(VARIANTS)}: its weights have other names or kernel sizes. Give a "
            "weights file of one of them."
        )
    return identity


def identify(shapes: Mapping[str, Shape]) -> Identity | None:
    """Return the network that weights belong to, or None."""
    readout = shapes.get(f"{names.READOUT}/kernel")
    recurrent = f"{names.bottom_up(0)}/kernel" in shapes
    name = names.bottom_up if recurrent else names.conv
    kernels: list[Shape] = []
    while (key := f"{name(len(kernels))}/kernel") in shapes:
        kernels.append(shapes[key])
    if readout is None or len(readout) != 2 or any(len(kernel) != 4 for kernel in kernels):
        return None
    sides = tuple(kernel[0] for kernel in kernels)
    filters = tuple(kernel[3] for kernel in kernels)
    candidates = {
        variant.name: tuple(c.filters for c in variant.convolutions())
        for variant in VARIANTS.values()
        if variant.recurrent == recurrent and tuple(c.kernel for c in variant.convolutions()) == sides
    }
    if not candidates:
        return None
    # B and B-F differ only in filters: another `width` of either is identified as the first candidate.
    exact = (name for name, published in candidates.items() if published == filters)
    variant = next(exact, next(iter(candidates)))
    return Identity(variant, filters, readout[1], n_timesteps(shapes) or 1)


def n_timesteps(shapes: Mapping[str, Shape]) -> int:
    """Return the number of time steps that at least half of the layers normalise; stray weights are ignored."""
    times = [names.split_time(name.split("/")[0])[1] for name in shapes]
    counts = Counter(time for time in times if time is not None)
    if not counts:
        return 0
    return 1 + max(time for time, count in counts.items() if 2 * count >= counts.most_common(1)[0][1])
