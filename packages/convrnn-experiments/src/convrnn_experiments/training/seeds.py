"""Training of one configuration with several seeds, in a run for each."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.plan import IN_PROCESS, Executor
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import Run, require_startable
from convrnn_experiments.runtime.process_group import ProcessGroup
from convrnn_experiments.training.launch import (
    ALONE,
    Echo,
    Progress,
    checked_with_data,
    no_echo,
    no_progress,
    train,
)

MOST = 1000
"""Largest number of seeds, so that a mistyped range fails."""
# Of up to 18 digits, so that every seed fits 64 bits.
_PART = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse seeds and ranges of seeds separated by commas, such as `0-4` or `0,2,7`.

    Raises:
        ValueError: The text has another form, a range is empty, a seed is repeated, or there are too many.
    """
    seeds: list[int] = []
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise ValueError(
                f"must be seeds or ranges separated by commas, such as 0-4 or 0,2,7, got {text!r}"
            )
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise ValueError(f"must have ranges from the smaller seed to the larger one, got {part!r}")
        if len(seeds) + last - first + 1 > MOST:
            raise ValueError(f"must be at most {MOST} seeds, got {text!r}")
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"must name each seed once, got {text!r}")
    return tuple(seeds)


def seed_folder(folder: Path, seed: int) -> Path:
    """Return the folder of the run of a seed: `runs/noise-seed3` for `runs/noise` and seed 3."""
    return folder.parent / f"{folder.name}-seed{seed}"


def train_seeds(
    config: Config,
    folder: Path,
    seeds: Sequence[int],
    *,
    features: Path | None = None,
    executor: Executor = IN_PROCESS,
    group: ProcessGroup = ALONE,
    resume: bool = False,
    force: bool = False,
    echo: Echo = no_echo,
    progress: Progress = no_progress,
) -> list[Run]:
    """Train a network once per seed, one run after the other; see `launch.train`.

    Finished runs of the same configuration are not trained again, even without `resume`. All folders are checked before
    the first run.

    Args:
        config: Configuration of the runs; its seed is replaced.
        folder: Folder of the runs, without the seed; see `seed_folder`.
        seeds: Seeds, in the order of training.
        features: Folder of cached features; by default, `features` next to the runs.
        executor: Processes that compute cached features.
        group: A single process.
        resume: Resume unfinished runs.
        force: Replace existing runs.
        echo: Prints the seed, the weights loaded and the results of each epoch.
        progress: Shows progress.

    Raises:
        ConvRNNError: As for `launch.train`, with the seed; or the training would be over several processes.
    """
    if group.processes > 1:
        raise ConvRNNError(
            f"cannot train several seeds: --seeds needs a single process, got --processes {group.processes}. Omit "
            "--processes, or train each seed with --seed"
        )
    checked = checked_with_data(config, progress)[0]
    for seed in seeds:
        with _naming(seed):
            path = seed_folder(folder, seed)
            require_startable(path, checked.replace(seed=seed), resume=resume or _finished(path), force=force)
    runs = []
    for seed in seeds:
        echo(f"seed {seed}")
        with _naming(seed):
            path = seed_folder(folder, seed)
            run = train(
                config.replace(seed=seed),
                path,
                features=features,
                executor=executor,
                resume=resume or (_finished(path) and not force),
                force=force,
                echo=echo,
                progress=progress,
            )
            runs.append(run)
    return runs


def _finished(path: Path) -> bool:
    return Run(path).weights.is_file()


@contextmanager
def _naming(seed: int) -> Iterator[None]:
    """Begin error messages with the seed."""
    try:
        yield
    except ConvRNNError as error:
        raise ConvRNNError(f"seed {seed}: {error}") from error
