"""Stimuli of SATBench in answers: experiment, level and category by the file name."""

from functools import cache
from typing import NamedTuple

from convrnn_data.human.stimuli import parse_name


class NamedStimulus(NamedTuple):
    """Stimulus by its file name.

    Attributes:
        experiment: One of `human.stimuli.EXPERIMENTS`.
        level: In its shortest form; see `plain_level`.
        category: One of the 16.
        name: File name without the block, as in the human test set.
        block: Block in the file name; None without one.
    """

    experiment: str
    level: str
    category: str
    name: str
    block: int | None

    def in_block(self, block: int) -> str:
        """Return the file name in a block: with `_exit{block}`, as `convrnn-data reformat` writes it."""
        return f"{self.name.removesuffix('.JPEG')}_exit{block}.JPEG"


@cache
def named_stimulus(name: str) -> NamedStimulus | None:
    """Parse the file name of a stimulus; None if it is not one of SATBench's."""
    parsed = parse_name(name)
    if parsed is None:
        return None
    return NamedStimulus(
        parsed.experiment, plain_level(parsed.level), parsed.category, f"{parsed.stem}.JPEG", parsed.block
    )


def plain_level(level: object) -> str:
    """Format a level as in the names of the stimuli: 0.0, "0.0" and 0 are all "0"."""
    try:
        return f"{float(str(level)):g}"
    except ValueError:
        return str(level).strip().lower()
