"""Evaluation of a run or of a weights file on test sets, as in `convrnn evaluate`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from convrnn_data.base.console import Report
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.measures import Measures
from convrnn_experiments.observers.stimulus_checks import missing_stimuli
from convrnn_experiments.runs.config import EngineName, Precision
from convrnn_experiments.runs.folder import Run
from convrnn_experiments.runs.untrained import UntrainedConfig, UntrainedOptions, untrained_config
from convrnn_experiments.runtime.tensorflow import quiet_import
from convrnn_model.weights.pretrained import PRETRAINED

FOR_RUNS = UntrainedOptions()
"""Options that are not given."""


def evaluate(
    target: Path | str,
    testset: Path,
    *,
    regimes: Sequence[Regime],
    split: str,
    name: str | None,
    precision: Precision,
    inference: EngineName,
    out: Path | None = None,
    untrained: UntrainedOptions = FOR_RUNS,
    echo: Callable[[str], None],
    warn: Callable[[str], None],
    progress: Callable[[], AbstractContextManager[Report]],
) -> None:
    """Evaluate a finished run or a weights file on a test set under each regime, and print its accuracies.

    Args:
        target: Folder of the run, or published name or path of the weights.
        testset: Human stimuli or a prepared set.
        regimes: Regimes to test under; that of the run, or those of the test set for weights, if empty.
        split: Split of a prepared set.
        name: Prefix of the name of the results.
        precision: Precision of the inference engine.
        inference: Engine that computes the network.
        out: Folder of the results of weights, by default runs/NAME.
        untrained: Options for weights.
        echo: Prints results.
        warn: Prints what human stimuli lack.
        progress: Shows progress in images.

    Raises:
        ConvRNNError: The run is not finished, the test set does not have images of a regime, or the engine or the
            precision is not available.
    """
    settings = _weights_settings(str(target), untrained, progress)
    run = Run(Path(target) if settings is None else out or Path("runs") / Path(target).stem)
    if settings is None:
        _require_options_of_runs(run, out, untrained)
        config = run.config()
    else:
        config = settings.as_run()
    with quiet_import():
        from convrnn_experiments.evaluation import predict
        from convrnn_experiments.evaluation.trials import find_trials, regimes_in
        from convrnn_experiments.runtime.devices import idle_gpu
    tested = regimes or ([config.perturb] if settings is None else regimes_in(testset))
    test_sets = [find_trials(testset, regime, config, split=split, name=name) for regime in tested]
    if notice := idle_gpu():
        echo(notice)
    if settings is None:
        network = predict.trained_network(run, precision=precision, inference=inference)
    else:
        from convrnn_experiments.evaluation.untrained import results_folder, untrained_network

        run = results_folder(run.path, settings)
        network = untrained_network(run, settings, precision=precision, inference=inference)
    echo(f"network: {network.plan}")
    for trials in test_sets:
        for problem in missing_stimuli(testset, trials.regime) if trials.perturbed else ():
            warn(f"{testset}, {trials.regime}: {problem}")
        with progress() as report:
            measures = predict.evaluate(network, trials, report=report)
        echo(f"{run.path} on {trials.name}, {measures.images} images: accuracy % by time step")
        if trials.origin is not None:
            echo(f"  images: {trials.origin}")
        for line in _accuracy_lines(measures):
            echo(line)


def _weights_settings(
    target: str, options: UntrainedOptions, progress: Callable[[], AbstractContextManager[Report]]
) -> UntrainedConfig | None:
    """Return the settings of a weights file; None if the target is a folder."""
    if target not in PRETRAINED and not Path(target).is_file():
        return None
    with progress() as report:
        return untrained_config(target, options, report)


def _require_options_of_runs(run: Run, out: Path | None, options: UntrainedOptions) -> None:
    """Raise ConvRNNError if a run is not finished, or is given options for weights."""
    run.require_finished()
    if out is not None or options != FOR_RUNS:
        raise ConvRNNError(
            f"cannot evaluate {run.path}: --out, --rule, --timesteps, --image-size and --stimulus-size are for a "
            "weights file, got a run, whose folder and configuration decide. Omit them"
        )


def _accuracy_lines(measures: Measures) -> Iterator[str]:
    levels = measures.accuracy_by_level
    for level, accuracy in {"all": measures.accuracy, **(levels if len(levels) > 1 else {})}.items():
        steps = " ".join(f"{estimate.value:5.1f}" for estimate in accuracy.estimates)
        yield f"  {level:>6}  {steps}"
