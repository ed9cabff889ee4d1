"""Test sets: human stimuli in any layout, or a split of a prepared set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convrnn_data import PreparedSet, Stimulus, list_stimuli
from convrnn_data.shards.images import BadImage
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.images.batches import EncodedImages, Frame, frame_of, images_of_split
from convrnn_experiments.images.decoding import size_of
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.provenance import describe_images

HUMAN, SPLIT = "human stimuli", "validation images"


@dataclass(frozen=True)
class Trials:
    """Test images and their properties; row i of every sequence belongs to the same image.

    Rows are in order of category, then file name.

    Attributes:
        name: Name of the results, a folder in `RUN/evaluation/`.
        source: Folder of the test set.
        kind: `HUMAN` or `SPLIT`.
        regime: Regime of the images, or regime to apply.
        frame: Crop of each image.
        images: Encoded images and labels.
        paths: File paths; an image inside a tar is `TAR#KEY`.
        names: File names, which are the same in every layout.
        levels: Levels from the file names; None if they are drawn at evaluation.
        blocks: Response-time block 0..4 of a human stimulus, else -1.
        origin: Origin of the images of a split, in words; None for human stimuli.
    """

    name: str
    source: Path
    kind: str
    regime: Regime
    frame: Frame
    images: EncodedImages
    paths: list[str]
    names: list[str]
    levels: list[str] | None
    blocks: np.ndarray
    origin: str | None = None

    @property
    def perturbed(self) -> bool:
        """True if the files are already perturbed, as human stimuli are."""
        return self.levels is not None


def find_trials(
    folder: Path, regime: Regime, config: Config, *, split: str = "val", name: str | None = None
) -> Trials:
    """Find the images of a regime in a folder of human stimuli or in a prepared set.

    Args:
        folder: In any layout of the human test set, or a prepared set of ImageNet.
        regime: Regime of the stimuli, or regime to apply to a split.
        config: Configuration of the run, for its sizes.
        split: Split of a prepared set.
        name: Prefix of the name of the results; by default, derived from the test set.

    Raises:
        ConvRNNError: The folder is neither, or does not have images of the regime or split.
    """
    if not folder.is_dir():
        raise ConvRNNError(
            f"cannot test on {folder}: it must be a folder, got {'a file' if folder.exists() else 'no such folder'}. "
            "Give a prepared set or a folder of human stimuli in any layout"
        )
    prepared = _photographs(folder)
    if prepared is not None:
        return split_trials(prepared, regime, config, split=split, name=name)
    return human_trials(folder, regime, config, name=name)


def regimes_in(folder: Path) -> list[Regime]:
    """Return the regimes of the human stimuli in a folder; of other folders, the regime without perturbation."""
    if not folder.is_dir() or _photographs(folder):
        return [Regime.COLOR]
    found = {stimulus.regime for stimulus in list_stimuli(folder)}
    return [regime for regime in Regime if regime in found]


def _photographs(folder: Path) -> PreparedSet | None:
    """Return the prepared set of photographs in a folder; None if it is none."""
    prepared = PreparedSet(folder) if (folder / "manifest.json").is_file() else None
    return prepared if prepared is not None and prepared.manifest["kind"] != "human" else None


def human_trials(folder: Path, regime: Regime, config: Config, *, name: str | None = None) -> Trials:
    """Return the human stimuli of a regime, which were perturbed at the stimulus size of the run.

    Raises:
        ConvRNNError: The folder does not have stimuli of the regime, or one has another size.
    """
    stimuli = list_stimuli(folder)
    chosen = [stimulus for stimulus in stimuli if stimulus.regime == regime]
    if not chosen:
        others = ", ".join(sorted({stimulus.regime for stimulus in stimuli}))
        raise ConvRNNError(
            f"cannot test on {folder}: it must hold stimuli of the {regime} regime, got {others}. Choose another "
            "regime with --condition"
        )
    chosen.sort(key=lambda stimulus: (stimulus.label, str(stimulus.parsed)))
    _require_size(chosen, config.stimulus_size)
    sides = np.full(len(chosen), config.stimulus_size)
    labels = np.array([stimulus.label for stimulus in chosen])
    return Trials(
        name=f"{name}-{regime}" if name else str(regime),
        source=folder,
        kind=HUMAN,
        regime=regime,
        frame=Frame(config.stimulus_size, config.stimulus_size),
        images=EncodedImages(lambda rows: [chosen[row].read() for row in rows], labels, sides, sides),
        paths=[_path_of(stimulus) for stimulus in chosen],
        names=[str(stimulus.parsed) for stimulus in chosen],
        levels=[stimulus.level for stimulus in chosen],
        blocks=np.array([stimulus.block for stimulus in chosen]),
    )


def _require_size(stimuli: Sequence[Stimulus], side: int) -> None:
    """Raise ConvRNNError if a stimulus does not have the run's stimulus size, since levels are in its pixels."""
    for stimulus in stimuli:
        try:
            height, width = size_of(stimulus.read())
        except (BadImage, OSError):
            continue  # decoding reports damaged images
        if (height, width) != (side, side):
            raise ConvRNNError(
                f"cannot test on {_path_of(stimulus)}: a stimulus must be a square of the run's --stimulus-size "
                f"{side} px, got {width} x {height} px. Train, or evaluate weights, with the --stimulus-size of the "
                f"test set, or make one with `convrnn stimuli --size {side}`"
            )


def _path_of(stimulus: Stimulus) -> str:
    inside = stimulus.size is not None
    return f"{stimulus.path}#{stimulus.parsed}" if inside else str(stimulus.path)


def split_trials(
    data: PreparedSet, regime: Regime, config: Config, *, split: str = "val", name: str | None = None
) -> Trials:
    """Return a split of a prepared set, to be perturbed with fixed draws.

    Raises:
        ConvRNNError: The set does not have the split.
    """
    source, table = images_of_split(data, split), data.table(split)
    order = np.lexsort((table.keys, table.labels))

    def read(rows: Sequence[int]) -> list[bytes]:
        return source.read(order[np.asarray(rows, dtype=np.int64)].tolist())

    keys = table.keys[order].tolist()
    return Trials(
        name=f"{name or split}-{regime}",
        source=data.path,
        kind=SPLIT,
        regime=regime,
        frame=frame_of(config),
        images=EncodedImages(read, source.labels[order], source.widths[order], source.heights[order]),
        paths=[
            f"{table.shards[shard]}#{key}.jpg"
            for shard, key in zip(table.shard_ids[order].tolist(), keys, strict=True)
        ],
        names=[f"{key}.jpg" for key in keys],
        levels=None,
        blocks=np.full(len(keys), -1),
        origin=describe_images(data, split),
    )
