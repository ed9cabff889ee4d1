"""The five networks of Spoerer et al. (2020) as rows of one table."""

from dataclasses import dataclass

from convrnn_model.errors import ConvRNNError

FILTERS = (96, 128, 192, 256, 512, 1024, 2048)
KERNELS = (7, 5, 3, 3, 3, 3, 1)


@dataclass(frozen=True)
class Convolution:
    """One bottom-up convolution: its filters, the side of its kernel, and whether pooling comes before it."""

    filters: int
    kernel: int
    pool: bool


@dataclass(frozen=True)
class Variant:
    """One network: what distinguishes it from B.

    Args:
        name: The key in `VARIANTS`, and the name of the function that builds it.
        filters: Filters of each width, from the image up.
        kernels: Side of the square kernel of each width, in px of that layer's input.
        repeats: Convolutions of each width; pooling comes only on entering a new width.
        recurrent: Whether each layer has a lateral convolution over time.
    """

    name: str
    filters: tuple[int, ...] = FILTERS
    kernels: tuple[int, ...] = KERNELS
    repeats: int = 1
    recurrent: bool = False

    def convolutions(self, width: float = 1.0) -> tuple[Convolution, ...]:
        """The bottom-up convolutions in order, with `width` times the filters, and at least one."""
        return tuple(
            Convolution(max(1, round(filters * width)), kernel, pool=repeat == 0 and stage > 0)
            for stage, (filters, kernel) in enumerate(zip(self.filters, self.kernels, strict=True))
            for repeat in range(self.repeats)
        )

    @property
    def smallest_side(self) -> int:
        """The shortest side of an image, in px, that outlives every 2x2 pooling."""
        return 2 ** sum(convolution.pool for convolution in self.convolutions())


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("bl_net", recurrent=True),
        Variant("b_net"),
        Variant("b_k_net", kernels=(11, 7, 5, 5, 5, 5, 3)),
        Variant("b_f_net", filters=(192, 256, 384, 512, 1024, 2048, 4096)),
        Variant("b_d_net", repeats=2),
    )
}


def variant_named(name: str) -> Variant:
    """The row called `name`, with or without its `_net`.

    Raises:
        ConvRNNError: There is no such row.
    """
    key = name.lower().replace("-", "_")
    for candidate in (key, f"{key}_net"):
        if candidate in VARIANTS:
            return VARIANTS[candidate]
    raise ConvRNNError(f"unknown network {name!r}: choose one of {', '.join(VARIANTS)}.")
