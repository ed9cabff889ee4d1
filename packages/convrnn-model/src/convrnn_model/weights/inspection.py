"""Identification of weights files from names and shapes, without building a network or importing a backend."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count, takewhile
from pathlib import Path

from convrnn_model import names
from convrnn_model.errors import ConvRNNError
from convrnn_model.variants import VARIANTS, Variant
from convrnn_model.weights import hdf5

Shape = tuple[int, ...]
PathLike = str | os.PathLike[str]
_BOTTOM_UP: tuple[Callable[[int], str], ...] = (
    names.bottom_up,
    lambda n: names.at(names.bottom_up(n), 0),
    names.conv,
)
"""Names of bottom-up convolutions, whose kernels may be shared over time."""
DATASETS = {1000: "imagenet", 565: "ecoset"}


@dataclass(frozen=True)
class Identity:
    """Network that weights belong to, by their names and shapes.

    Args:
        variant: A key of `VARIANTS`.
        filters: Number of filters of each convolution, from the image up.
        classes: Number of classes of the readout.
        n_timesteps: Time steps of batch normalisation; 1 for feedforward networks.
        channels: Channels of the image.
        layer_readouts: Every layer has a readout of its own.
    """

    variant: str
    filters: tuple[int, ...]
    classes: int
    n_timesteps: int
    channels: int = field(default=3, kw_only=True)
    layer_readouts: bool = field(default=False, kw_only=True)

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
    return WeightsInfo(**vars(identity), sha256=sha256)


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
    """Return the network that weights belong to, or None.

    At a single time step, networks that only differ in their connections over time are the same one, identified as BL.
    """
    kernels = {
        name.removesuffix("/kernel"): shape for name, shape in shapes.items() if name.endswith("/kernel")
    }
    layer = next((name for name in _BOTTOM_UP if name(0) in kernels), names.conv)
    bottom_up = [kernels[layer(n)] for n in takewhile(lambda n: layer(n) in kernels, count())]
    readouts = {name: shape for name, shape in kernels.items() if names.is_readout(name)}
    if any(len(kernel) != 4 for kernel in bottom_up) or {len(shape) for shape in readouts.values()} != {2}:
        return None
    sides = tuple(kernel[0] for kernel in bottom_up)
    filters = tuple(kernel[3] for kernel in bottom_up)
    candidates = {
        variant.name: tuple(c.filters for c in variant.convolutions())
        for variant in _connected_alike(kernels, recurrent=layer is not names.conv)
        if tuple(c.kernel for c in variant.convolutions()) == sides
    }
    if not candidates:
        return None
    # B and B-F differ only in filters: another `width` of either is identified as the first candidate.
    exact = (name for name, published in candidates.items() if published == filters)
    return Identity(
        next(exact, next(iter(candidates))),
        filters,
        next(iter(readouts.values()))[1],
        n_timesteps(shapes) or 1,
        channels=bottom_up[0][2],
        layer_readouts=any(names.layer_number(name) is not None for name in readouts),
    )


def _connected_alike(kernels: Mapping[str, Shape], *, recurrent: bool) -> list[Variant]:
    """Return the variants whose connections over time are those of kernels, or all if there are none."""
    shared = not any(names.split_time(name)[1] is not None for name in kernels if names.is_recurrent(name))
    found = any(map(names.is_lateral, kernels)), any(map(names.is_top_down, kernels))
    rows = [row for row in VARIANTS.values() if row.recurrent == recurrent and row.shared == shared]
    return [row for row in rows if (row.lateral, row.top_down) == found] or rows


def n_timesteps(shapes: Mapping[str, Shape]) -> int:
    """Return the number of time steps that at least half of the layers normalise; stray weights are ignored."""
    times = [names.split_time(name.split("/")[0])[1] for name in shapes]
    counts = Counter(time for time in times if time is not None)
    if not counts:
        return 0
    return 1 + max(time for time, count in counts.items() if 2 * count >= counts.most_common(1)[0][1])
