"""Start of training runs and of feature extraction; wrong options fail before any slow import."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from convrnn_data import PreparedSet
from convrnn_data.base.console import Report, silent
from convrnn_data.base.jobs import parse_task
from convrnn_data.shards.workspace import created_and_locked
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.plan import IN_PROCESS, Executor
from convrnn_experiments.runs.config import Config, checked, weights_file
from convrnn_experiments.runs.folder import Run, remove_leftovers, require_startable, start
from convrnn_experiments.runs.provenance import describe_images
from convrnn_experiments.runtime.process_group import ProcessGroup
from convrnn_experiments.runtime.tensorflow import quiet_import

if TYPE_CHECKING:
    import keras

    from convrnn_experiments.features.store import ExtractionResult
    from convrnn_experiments.runs.environment import Inference

ALONE = ProcessGroup()
Echo = Callable[[str], None]
Progress = Callable[[], AbstractContextManager[Report]]
"""Context manager that shows progress. It is opened around long work only, and closed during slow imports."""


def no_echo(line: str) -> None:
    """Print nothing."""


def no_progress() -> AbstractContextManager[Report]:
    """Show no progress."""
    return nullcontext(silent)


def train(
    config: Config,
    folder: Path,
    *,
    features: Path | None = None,
    executor: Executor = IN_PROCESS,
    group: ProcessGroup = ALONE,
    resume: bool = False,
    force: bool = False,
    echo: Echo = no_echo,
    progress: Progress = no_progress,
) -> Run:
    """Train a network as configured, or resume the run.

    Args:
        config: From the command line; see `config.from_options`.
        folder: Folder of the run.
        features: Folder of cached features; by default, `features` next to the run.
        executor: Processes that compute cached features.
        group: Processes that train together.
        resume: Resume an unfinished run.
        force: Replace an existing run.
        echo: Prints the weights loaded and the results of each epoch.
        progress: Shows the progress of downloads, of the computation of features and of epochs.

    Raises:
        ConvRNNError: Options exclude each other, the prepared set or the weights do not match them, or the folder has
            another run.
    """
    _require_consistent(config, executor, group)
    config, data = checked_with_data(config, progress)
    run = require_startable(folder, config, resume=resume, force=force)
    if run.weights.is_file() and not force:
        remove_leftovers(folder)
        echo(f"{folder} is finished already; nothing to do")
        return run
    root = features or folder.parent / "features"
    # Only the first process of a group writes, so only it locks the folder.
    with created_and_locked(folder) if group.is_writer else nullcontext():
        with quiet_import():
            from convrnn_experiments.features import store
            from convrnn_experiments.training import loop
        echo_once = echo if group.is_writer else no_echo
        network, inference = _prepare_network(config, executor, group, echo_once)
        _start(run, config, data, inference, group, echo_once, resume=resume, force=force)
        with progress() as report:
            cached = None
            if config.trainable == "readout":
                cached = store.extract_features(
                    config, data, root, executor=executor, echo=echo, report=report
                )
            loop.train(
                network, config, run, data, features=cached, echo=echo_once, report=report, group=group
            )
    echo(f"weights: {run.weights}")
    return run


def _start(
    run: Run,
    config: Config,
    data: PreparedSet,
    inference: "Inference | None",
    group: ProcessGroup,
    echo: Echo,
    *,
    resume: bool,
    force: bool,
) -> None:
    """Make the folder of the run, for which the other processes of the group wait."""
    images = describe_images(data, "val")
    if config.weights != "none":
        echo(f"validation images: {images}")
    if group.is_writer:
        start(run.path, config, resume=resume, force=force, validation_images=images, inference=inference)
    group.wait("the run's folder is made")


def _prepare_network(
    config: Config, executor: Executor, group: ProcessGroup, echo: Echo
) -> "tuple[keras.Model, Inference | None]":
    """Import the backend, join the group, and make the network; without frozen features, no engine is chosen."""
    with quiet_import():
        from convrnn_experiments.features import extractor
        from convrnn_experiments.runs import network as networks
        from convrnn_experiments.runtime import devices, processes
    readout = config.trainable == "readout"
    if readout:
        extractor.use_one_thread_per_operation()
    processes.join(group)
    if notice := devices.idle_gpu(devices=config.devices):
        echo(notice)
    network = networks.prepare_network(config, echo)
    if not readout:
        return network, None
    gpu = executor.in_process and devices.uses_gpu()
    inference = networks.choose_inference(
        config.precision, config.inference, gpu=gpu, top_down=config.variant.top_down
    )
    return network, inference


def extract_features(
    config: Config,
    folder: Path,
    *,
    executor: Executor = IN_PROCESS,
    task: str | None = None,
    echo: Echo = no_echo,
    progress: Progress = no_progress,
) -> "ExtractionResult":
    """Compute the features for training the readout that are not cached; see `store.extract_features`.

    Raises:
        ConvRNNError: As for `train`.
    """
    parse_task(task)
    config, data = checked_with_data(config, progress)
    with quiet_import():
        from convrnn_experiments.features import extractor, store
        from convrnn_experiments.runs import network as networks
        from convrnn_experiments.runtime import devices
    extractor.use_one_thread_per_operation()
    if notice := devices.idle_gpu(workers=not executor.in_process):
        echo(notice)
    echo(networks.describe_weights(weights_file(config.weights)))
    with progress() as report:
        return store.extract_features(
            config, data, folder, executor=executor, task=task, echo=echo, report=report
        )


def checked_with_data(config: Config, progress: Progress) -> tuple[Config, PreparedSet]:
    """Return the configuration with the hashes of its data and weights, and the prepared set; see `config.checked`."""
    data = PreparedSet(config.data)
    with progress() as report:
        return checked(config, data, report), data


def _require_consistent(config: Config, executor: Executor, group: ProcessGroup) -> None:
    """Raise ConvRNNError if the configured training cannot use the process group or the workers."""
    if group.processes > 1 and group.coordinator is None:
        raise ConvRNNError(
            f"cannot train over {group.processes} processes: --processes needs --coordinator, got none. Give every "
            "process the HOST:PORT of the first one"
        )
    if group.processes > 1 and config.trainable == "readout":
        raise ConvRNNError(
            f"cannot train over {group.processes} processes: --processes needs --trainable all, got readout. Omit "
            "--processes, or train the whole network"
        )
    if config.trainable == "all" and (config.precision, config.inference) != ("float32", "auto"):
        raise ConvRNNError(
            "cannot use an inference engine: --precision and --inference compute frozen features, so they need "
            "--trainable readout, got all. Omit both options, or use --mixed-precision"
        )
    if config.trainable == "all" and not executor.in_process:
        raise ConvRNNError(
            "cannot use workers: --engine and --workers compute cached features, so they need --trainable readout, got "
            "all. Omit both options"
        )
