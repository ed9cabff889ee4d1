"""From a configuration to a training or to kept features: what cannot work is refused before any slow import."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from convrnn_data import PreparedSet
from convrnn_data.base.console import Report, silent
from convrnn_data.base.jobs import parse_task
from convrnn_data.shards.workspace import held
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.plan import HERE, Where
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runs.folder import Run, remove_leftovers, require_startable, start
from convrnn_experiments.runs.provenance import describe_images
from convrnn_experiments.runtime.tensorflow import quiet_import

if TYPE_CHECKING:
    from convrnn_experiments.features.store import Kept
    from convrnn_experiments.runtime.processes import Processes

Say = Callable[[str], None]
Progress = Callable[[], AbstractContextManager[Report]]
"""Shows progress as long as the context is; opened where something takes long, and closed around slow imports."""


class Place(NamedTuple):
    """This process among those that train together.

    Attributes:
        coordinator: HOST:PORT of the first of them; None for a process alone.
        processes: how many there are.
        process: this one's number, from 0.
    """

    coordinator: str | None = None
    processes: int = 1
    process: int = 0


ALONE = Place()


def mute(line: str) -> None:
    """Says nothing: the first of several processes speaks for all."""


def unseen() -> AbstractContextManager[Report]:
    """Shows no progress."""
    return nullcontext(silent)


def train(
    config: Config,
    folder: Path,
    *,
    kept: Path | None = None,
    where: Where = HERE,
    place: Place = ALONE,
    resume: bool = False,
    force: bool = False,
    say: Say = mute,
    progress: Progress = unseen,
) -> Run:
    """Train what a configuration asks for, or go on with it, in a run's folder.

    Args:
        config: as asked for; see `config.from_options`.
        folder: the run's.
        kept: folder of kept features; beside the run where not given.
        where: where kept features are computed.
        place: of this process among those that train together.
        resume: go on with an unfinished run.
        force: replace a run that is there.
        say: told what was loaded and each epoch's figures.
        progress: shown while weights come, features are computed and epochs pass.

    Raises:
        ConvRNNError: options that do not go together, a set or weights that do not fit, another run in the folder.
    """
    _require_fitting(config, where, place)
    config, data = _checked(config, progress)
    run = require_startable(folder, config, resume=resume, force=force)
    if run.weights.is_file() and not force:
        remove_leftovers(folder)
        say(f"{folder} is finished already; nothing to do")
        return run
    # The first of several processes writes for all; one at a time in a folder.
    with held(folder) if place.process == 0 else nullcontext():
        with quiet_import():
            from convrnn_experiments.features import extractor
            from convrnn_experiments.runs import network as run_network
            from convrnn_experiments.runtime import devices
            from convrnn_experiments.training import loop
        if config.trainable == "readout":
            extractor.one_thread_each()
        team = _joined(place)
        said = say if team.writes else mute
        if notice := devices.idle_gpu(devices=config.devices):
            said(notice)
        network = run_network.prepare_network(config, said)
        images = describe_images(data, "val")
        if config.weights != "none":
            said(f"validation images: {images}")
        if team.writes:
            run = start(folder, config, resume=resume, force=force, facts={"validation_images": images})
        team.together("the run's folder is made")
        with progress() as report:
            loop.train(
                network,
                config,
                run,
                data,
                kept=kept or folder.parent / "features",
                say=said,
                report=report,
                processes=team,
                where=where,
            )
    say(f"weights: {run.weights}")
    return run


def keep_features(
    config: Config,
    root: Path,
    *,
    where: Where = HERE,
    task: str | None = None,
    say: Say = mute,
    progress: Progress = unseen,
) -> "Kept":
    """Compute and keep what the readout's training needs, or go on with it; see `features.keep`.

    Raises:
        ConvRNNError: as `train`.
    """
    parse_task(task)
    config, data = _checked(config, progress)
    with quiet_import():
        from convrnn_experiments.features import extractor, store
        from convrnn_experiments.runs import network as run_network
        from convrnn_experiments.runtime import devices
    extractor.one_thread_each()
    if notice := devices.idle_gpu(workers=not where.here):
        say(notice)
    with progress() as report:
        return store.keep(
            lambda: run_network.prepare_network(config, say),
            config,
            data,
            root,
            where=where,
            task=task,
            report=report,
        )


def _checked(config: Config, progress: Progress) -> tuple[Config, PreparedSet]:
    data = PreparedSet(config.data)
    with progress() as report:
        return checked(config, data, report), data


def _require_fitting(config: Config, where: Where, place: Place) -> None:
    """Raises ConvRNNError where processes, or workers, are asked for that this training has no use for."""
    if place.processes > 1 and place.coordinator is None:
        raise ConvRNNError(
            f"cannot train over {place.processes} processes: --processes needs --coordinator, got none. Give every "
            "process the HOST:PORT of the first one"
        )
    if place.processes > 1 and config.trainable == "readout":
        raise ConvRNNError(
            f"cannot train over {place.processes} processes: --processes needs --trainable all, got readout. Omit "
            "--processes, or train the whole network"
        )
    if config.trainable == "all" and not where.here:
        raise ConvRNNError(
            "cannot use workers: --engine and --workers compute cached features, so they need --trainable readout, got "
            "all. Omit both options"
        )


def _joined(place: Place) -> "Processes":
    from convrnn_experiments.runtime import processes as process_group

    if place.coordinator is None:
        return process_group.Processes()
    return process_group.join(place.coordinator, place.process, place.processes)
