"""What a set of human stimuli lacks: images of a block, and images that people answered."""

from pathlib import Path

from convrnn_data.human.stimuli import incomplete_blocks, list_stimuli
from convrnn_experiments.comparison.observer_group import EXPERIMENTS
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.observers.table import read_observers, scored_trials


def missing_stimuli(folder: Path, regime: Regime) -> list[str]:
    """Say which stimuli of a regime are missing in a test set, as far as it shows.

    Args:
        folder: human stimuli in any layout; answers beside them tell which images people saw.
        regime: whose stimuli.

    Returns:
        Sentences; none if nothing is missing.

    Raises:
        ConvRNNError: the stimuli cannot be listed.
    """
    stimuli = list_stimuli(folder)
    experiment = EXPERIMENTS[regime]
    said = [f"incomplete: {block}" for block in incomplete_blocks(stimuli) if block.startswith(experiment)]
    try:
        table = scored_trials(read_observers(folder, all_trials=True, max_unreadable=1))
    except ConvRNNError:
        return said  # no answers here, or none to go by: `compare` says why
    levels = {one.level for one in stimuli if one.regime == regime}
    table = table[(table["experiment"] == experiment) & table["level"].isin(levels)]
    here = {(one.block, one.name) for one in stimuli}
    lacking = [key not in here for key in zip(table["block"], table["file_name"], strict=True)]
    if any(lacking):
        images = table[lacking][["block", "file_name"]].drop_duplicates()
        said.append(
            f"missing: {len(images):,} images, which people were shown in {sum(lacking):,} of {len(table):,} trials"
        )
    return said
