"""What a network is tested on: human stimuli in any layout, or a split of a prepared set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convrnn_data import PreparedSet, Stimulus, list_stimuli
from convrnn_data.shards.images import BadImage
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.images.batches import Frame, Pictures, frame_of, pictures_of
from convrnn_experiments.images.decoding import size_of
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.provenance import describe_images

HUMAN, SPLIT = "human stimuli", "validation images"


@dataclass(frozen=True)
class Trials:
    """Test images with what is known of each; row i of every sequence belongs together.

    Rows are in order of category, then file name.

    Attributes:
        name: the folder of the results below `RUN/evaluation/`.
        source: the folder that they come from.
        kind: `HUMAN` or `SPLIT`.
        regime: under which the images are, or will be, shown.
        frame: the square that is cut from each.
        pictures: the images and labels.
        paths: of the files; an image inside a tar is `TAR#KEY`.
        names: of the files: the same for the same stimulus in every layout.
        levels: as written in the file names; None is drawn when the image is shown.
        blocks: response-time block 0..4 of a human stimulus, else -1.
        origin: where the images of a split come from, in words; None for human stimuli.
    """

    name: str
    source: Path
    kind: str
    regime: Regime
    frame: Frame
    pictures: Pictures
    paths: list[str]
    names: list[str]
    levels: list[str] | None
    blocks: np.ndarray
    origin: str | None = None

    @property
    def perturbed(self) -> bool:
        """Whether the files are perturbed already, as human stimuli are."""
        return self.levels is not None


def find_trials(
    folder: Path, regime: Regime, config: Config, *, split: str = "val", name: str | None = None
) -> Trials:
    """Human stimuli or a split of a prepared set, by looking at what is there.

    Args:
        folder: in any layout of the human test set, or a prepared set of ImageNet.
        regime: whose stimuli, or under which a split is shown.
        config: of the run: its stimulus size, and how photographs are resized.
        split: of a prepared set.
        name: begins the name of the results' folder; the test set's own where not given.

    Raises:
        ConvRNNError: it is neither, or it has nothing of this regime or split.
    """
    if not folder.is_dir():
        raise ConvRNNError(
            f"cannot test on {folder}: it must be a folder, got {'a file' if folder.exists() else 'no such folder'}. "
            "Give a prepared set or a folder of human stimuli in any layout"
        )
    prepared = PreparedSet(folder) if (folder / "manifest.json").is_file() else None
    if prepared is not None and prepared.manifest["kind"] != "human":
        return split_trials(prepared, regime, config, split=split, name=name)
    return human_trials(folder, regime, config, name=name)


def human_trials(folder: Path, regime: Regime, config: Config, *, name: str | None = None) -> Trials:
    """A regime's human stimuli: the pictures as they are, which were perturbed at the run's stimulus size.

    Raises:
        ConvRNNError: there are none of this regime in `folder`, or one has another size.
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
        pictures=Pictures(lambda rows: [chosen[row].read() for row in rows], labels, sides, sides),
        paths=[_path_of(stimulus) for stimulus in chosen],
        names=[str(stimulus.parsed) for stimulus in chosen],
        levels=[stimulus.level for stimulus in chosen],
        blocks=np.array([stimulus.block for stimulus in chosen]),
    )


def _require_size(stimuli: Sequence[Stimulus], side: int) -> None:
    """Raises ConvRNNError where a stimulus is not square or not as large as the run's: levels are in its pixels."""
    for stimulus in stimuli:
        try:
            height, width = size_of(stimulus.read())
        except (BadImage, OSError):
            continue  # a damaged picture is named when it is decoded
        if (height, width) != (side, side):
            raise ConvRNNError(
                f"cannot test on {_path_of(stimulus)}: a stimulus must be a square of the run's --stimulus-size "
                f"{side} px, got {width} x {height} px. Train with the --stimulus-size of the test set, or make one "
                f"with `convrnn stimuli --size {side}`"
            )


def _path_of(stimulus: Stimulus) -> str:
    inside = stimulus.size is not None
    return f"{stimulus.path}#{stimulus.parsed}" if inside else str(stimulus.path)


def split_trials(
    data: PreparedSet, regime: Regime, config: Config, *, split: str = "val", name: str | None = None
) -> Trials:
    """A split of a prepared set, to be shown under a regime with fixed draws.

    Raises:
        ConvRNNError: the set has no such split.
    """
    source, table = pictures_of(data, split), data.table(split)
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
        pictures=Pictures(read, source.labels[order], source.widths[order], source.heights[order]),
        paths=[
            f"{table.shards[shard]}#{key}.jpg"
            for shard, key in zip(table.shard_ids[order].tolist(), keys, strict=True)
        ],
        names=[f"{key}.jpg" for key in keys],
        levels=None,
        blocks=np.full(len(keys), -1),
        origin=describe_images(data, split),
    )
