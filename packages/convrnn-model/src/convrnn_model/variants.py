"""Table of the networks: the five of Spoerer et al. (2020), and others of the same family."""

import math
from dataclasses import dataclass

from convrnn_model.errors import ConvRNNError

FILTERS = (96, 128, 192, 256, 512, 1024, 2048)
KERNELS = (7, 5, 3, 3, 3, 3, 1)


@dataclass(frozen=True)
class Convolution:
    """Bottom-up convolution: number of filters, side of the kernel, and whether pooling precedes it."""

    filters: int
    kernel: int
    pool: bool


@dataclass(frozen=True)
class Variant:
    """Row of the table: the differences of a network from B.

    Args:
        name: The key in `VARIANTS`, and the name of the function that builds it.
        filters: Number of filters per stage, from the image up.
        kernels: Side of the square kernel per stage, in px of the layer's input.
        repeats: Convolutions per stage; pooling only precedes the first.
        lateral: Give each layer a convolution of its own output at the previous time step.
        top_down: Give each layer but the last a transposed convolution of the output of the layer above at the previous
            time step.
        shared: Share kernels and readout over time. Otherwise, each time step has its own, and the network is a
            feedforward network with the graph of the recurrent one.
    """

    name: str
    filters: tuple[int, ...] = FILTERS
    kernels: tuple[int, ...] = KERNELS
    repeats: int = 1
    lateral: bool = False
    top_down: bool = False
    shared: bool = True

    @property
    def recurrent(self) -> bool:
        """Whether the network is unrolled over time steps."""
        return self.lateral or self.top_down

    def convolutions(self, width: float = 1.0) -> tuple[Convolution, ...]:
        """Return the bottom-up convolutions in order, with `width` times the filters, at least one each."""
        return tuple(
            Convolution(max(1, round(filters * width)), kernel, pool=repeat == 0 and stage > 0)
            for stage, (filters, kernel) in enumerate(zip(self.filters, self.kernels, strict=True))
            for repeat in range(self.repeats)
        )

    @property
    def smallest_side(self) -> int:
        """Smallest side of an image, in px, that is not pooled to zero."""
        return 2 ** sum(convolution.pool for convolution in self.convolutions())


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("bl_net", lateral=True),
        Variant("b_net"),
        Variant("b_k_net", kernels=(11, 7, 5, 5, 5, 5, 3)),
        Variant("b_f_net", filters=(192, 256, 384, 512, 1024, 2048, 4096)),
        Variant("b_d_net", repeats=2),
        Variant("b_u_net", lateral=True, shared=False),
        Variant("bt_net", top_down=True),
        Variant("blt_net", lateral=True, top_down=True),
    )
}


def variant_named(name: str) -> Variant:
    """Return the variant called `name`, with or without `_net`.

    Raises:
        ConvRNNError: The name is unknown.
    """
    key = name.lower().replace("-", "_")
    for candidate in (key, f"{key}_net"):
        if candidate in VARIANTS:
            return VARIANTS[candidate]
    raise ConvRNNError(f"unknown network {name!r}: choose one of {', '.join(VARIANTS)}.")


def top_down_margins(kernel: int) -> tuple[int, int]:
    """Return the rows before and after twice the input that a transposed convolution with stride 2 computes.

    They are cropped, as for the padding "same" of Keras.

    Args:
        kernel: Side of the kernel, px, at least 2.
    """
    return (kernel - 2) // 2, (kernel - 1) // 2


def require_positive_integer(name: str, value: int) -> None:
    """Raise ConvRNNError unless the argument `name` is a positive integer."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ConvRNNError(f"{name} must be a positive integer, got {value!r}.")


def require_width(width: float) -> None:
    """Raise ConvRNNError unless `width` is a positive, finite factor."""
    if not (math.isfinite(width) and width > 0):
        raise ConvRNNError(f"width must be a positive factor on the filters, got {width!r}.")
