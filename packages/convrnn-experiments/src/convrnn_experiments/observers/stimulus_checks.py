"""Checks that a set of human stimuli is complete: images of each block, and images with answers."""

from pathlib import Path

from convrnn_data.human.stimuli import incomplete_blocks, list_stimuli
from convrnn_data.observers.table import read_observers, scored_trials
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.errors import ConvRNNError


def missing_stimuli(folder: Path, regime: Regime) -> list[str]:
    """Describe the stimuli of a regime that a test set lacks, as far as this can be determined.

    Args:
        folder: Human stimuli in any layout; answers in the same folder name the images that observers saw.
        regime: Regime of the stimuli.

    Returns:
        Sentences; empty if nothing is missing.

    Raises:
        ConvRNNError: The stimuli cannot be listed.
    """
    stimuli = list_stimuli(folder)
    experiment = CONDITIONS[regime].experiment
    problems = [
        f"incomplete: {block}" for block in incomplete_blocks(stimuli) if block.startswith(experiment)
    ]
    try:
        table = scored_trials(read_observers(folder, all_trials=True, max_unreadable=1))
    except ConvRNNError:
        return problems  # without readable answers; `compare` reports why
    levels = {stimulus.level for stimulus in stimuli if stimulus.regime == regime}
    table = table[(table["experiment"] == experiment) & table["level"].isin(levels)]
    present = {(stimulus.block, stimulus.name) for stimulus in stimuli}
    missing = [key not in present for key in zip(table["block"], table["file_name"], strict=True)]
    if any(missing):
        images = table[missing][["block", "file_name"]].drop_duplicates()
        problems.append(
            f"missing: {len(images):,} images, which observers were shown in {sum(missing):,} of {len(table):,} trials"
        )
    return problems
