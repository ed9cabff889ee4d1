"""What a weights file holds, from its names and shapes alone: no network is built, no backend imported."""

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
    """What the names and shapes of weights say of their network.

    Args:
        variant: A key of `VARIANTS`.
        filters: Filters of each convolution, from the image up.
        classes: Width of the readout.
        n_timesteps: Time steps that batch normalisation has; 1 for the feedforward networks.
    """

    variant: str
    filters: tuple[int, ...]
    classes: int
    n_timesteps: int

    @property
    def dataset(self) -> str | None:
        """The data set with so many classes, "imagenet" or "ecoset"; None for any other number."""
        return DATASETS.get(self.classes)


@dataclass(frozen=True)
class WeightsInfo(Identity):
    """What a weights file holds, by its content; its name tells nothing.

    Args:
        sha256: Of the file's bytes, hexadecimal.
    """

    sha256: str


def inspect_weights(path: PathLike) -> WeightsInfo:
    """What a weights file holds, without building a network.

    Raises:
        ConvRNNError: The file cannot be read, or holds none of the networks.
    """
    path = Path(path)
    with hdf5.open_weights(path) as stored:
        identity = identify({name: dataset.shape for name, dataset in stored.items()})
    if identity is None:
        raise ConvRNNError(
            f"{path} holds none of {', '.join(VARIANTS)}: its weights have other names or kernel sizes. Give a "
            "weights file of one of them."
        )
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return WeightsInfo(
        identity.variant, identity.filters, identity.classes, identity.n_timesteps, sha256=sha256
    )


def identify(shapes: Mapping[str, Shape]) -> Identity | None:
    """The network that weights belong to, from their names and shapes; None where they fit none."""
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
    fitting = {
        variant.name: tuple(c.filters for c in variant.convolutions())
        for variant in VARIANTS.values()
        if variant.recurrent == recurrent and tuple(c.kernel for c in variant.convolutions()) == sides
    }
    if not fitting:
        return None
    # B and B-F differ in filters alone: another `width` of either is called by the first row that fits.
    variant = next((name for name, published in fitting.items() if published == filters), next(iter(fitting)))
    return Identity(variant, filters, readout[1], n_timesteps(shapes) or 1)


def n_timesteps(shapes: Mapping[str, Shape]) -> int:
    """Time steps for which at least half of the layers have normalisation: one stray weight makes none."""
    times = [names.split_time(name.split("/")[0])[1] for name in shapes]
    counts = Counter(time for time in times if time is not None)
    if not counts:
        return 0
    return 1 + max(time for time, count in counts.items() if 2 * count >= counts.most_common(1)[0][1])
