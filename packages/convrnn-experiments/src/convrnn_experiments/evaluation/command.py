"""Evaluation of a run on test sets, as in `convrnn evaluate`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from convrnn_data.base.console import Report
from convrnn_experiments.conditions import Regime
from convrnn_experiments.evaluation.measures import Measures
from convrnn_experiments.observers.stimulus_checks import missing_stimuli
from convrnn_experiments.runs.config import EngineName, Precision
from convrnn_experiments.runs.folder import Run
from convrnn_experiments.runtime.tensorflow import quiet_import


def evaluate(
    folder: Path,
    testset: Path,
    *,
    regimes: Sequence[Regime],
    split: str,
    name: str | None,
    precision: Precision,
    inference: EngineName,
    echo: Callable[[str], None],
    warn: Callable[[str], None],
    progress: Callable[[], AbstractContextManager[Report]],
) -> None:
    """Evaluate a finished run on a test set under each regime, and print its accuracies.

    Args:
        folder: Folder of the run.
        testset: Human stimuli or a prepared set.
        regimes: Regimes to test under; that of the run if empty.
        split: Split of a prepared set.
        name: Prefix of the name of the results.
        precision: Precision of the inference engine.
        inference: Engine that computes the network.
        echo: Prints results.
        warn: Prints what human stimuli lack.
        progress: Shows progress in images.

    Raises:
        ConvRNNError: The run is not finished, the test set does not have images of a regime, or the engine or the
            precision is not available.
    """
    run = Run(folder)
    run.require_finished()
    config = run.config()
    with quiet_import():
        from convrnn_experiments.evaluation import predict
        from convrnn_experiments.evaluation.trials import find_trials
        from convrnn_experiments.runtime.devices import idle_gpu
    test_sets = [
        find_trials(testset, regime, config, split=split, name=name) for regime in regimes or [config.perturb]
    ]
    if notice := idle_gpu():
        echo(notice)
    network = predict.trained_network(run, precision=precision, inference=inference)
    echo(f"network: {network.plan}")
    for trials in test_sets:
        for problem in missing_stimuli(testset, trials.regime) if trials.perturbed else ():
            warn(f"{testset}, {trials.regime}: {problem}")
        with progress() as report:
            measures = predict.evaluate(network, trials, report=report)
        echo(f"{folder} on {trials.name}, {measures.images} images: accuracy % by time step")
        if trials.origin is not None:
            echo(f"  images: {trials.origin}")
        for line in _accuracy_lines(measures):
            echo(line)


def _accuracy_lines(measures: Measures) -> Iterator[str]:
    levels = measures.accuracy_by_level
    for level, accuracy in {"all": measures.accuracy, **(levels if len(levels) > 1 else {})}.items():
        steps = " ".join(f"{estimate.value:5.1f}" for estimate in accuracy.estimates)
        yield f"  {level:>6}  {steps}"
