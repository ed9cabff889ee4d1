"""Evaluation of a run under each regime: the test sets evaluated and the lines printed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from convrnn_data.base.console import Report, silent
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation import predict
from convrnn_experiments.evaluation.command import evaluate
from convrnn_experiments.evaluation.measures import Accuracy, Measures
from convrnn_experiments.evaluation.trials import Trials
from convrnn_experiments.runs.environment import Environment
from convrnn_experiments.runs.folder import Run
from convrnn_experiments.runs.untrained import UntrainedOptions
from convrnn_experiments.runtime import devices


def accuracy(*percent: float) -> Accuracy:
    return Accuracy(percent=list(percent), low=list(percent), high=list(percent), images=7)


@contextmanager
def no_progress() -> Iterator[Report]:
    yield silent


class EvaluateCommand:
    """Caller of `evaluate` with a network of known measures; records test sets and output."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tested: list[tuple[Path, str, Regime]] = []
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.compiled: list[dict[str, str]] = []
        monkeypatch.setattr(predict, "trained_network", self.compile)
        monkeypatch.setattr(predict, "evaluate", self.measure)
        monkeypatch.setattr(devices, "idle_gpu", lambda: None)

    def compile(self, run: Run, **options: str) -> SimpleNamespace:
        self.compiled.append(options)
        return SimpleNamespace(run=run, plan="the plan")

    def measure(self, network: SimpleNamespace, trials: Trials, *, report: Report) -> Measures:
        self.tested.append((network.run.path, trials.name, trials.regime))
        levels = sorted(set(trials.levels or ["0"]))
        return Measures(
            regime=trials.regime,
            kind=trials.kind,
            source=str(trials.source),
            network="bl_net",
            parameters=1,
            multiply_adds=[1, 2],
            environment=Environment(command="convrnn train"),
            images=7,
            accuracy=accuracy(12.34, 100.0),
            accuracy_by_level={level: accuracy(1.0, 2.0) for level in levels},
        )

    def __call__(self, run: Path, testset: Path, *regimes: Regime, **more: str) -> None:
        options = {"split": "val", "name": None, "precision": "float32", "inference": "auto"} | more
        evaluate(
            run,
            testset,
            regimes=regimes,
            echo=self.lines.append,
            warn=self.warnings.append,
            progress=no_progress,
            **options,
        )


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> EvaluateCommand:
    return EvaluateCommand(monkeypatch)


@pytest.fixture(scope="module")
def run(tmp_path_factory, drawn_sample, make_run) -> Path:
    """A finished run of the blur regime."""
    return make_run(tmp_path_factory.mktemp("runs") / "blur", "blur", drawn_sample / "human", steps=2)


def test_the_regime_of_the_run_is_the_default(command, run, drawn_sample):
    command(run, drawn_sample / "human")
    assert command.tested == [(run, "blur", Regime.BLUR)]
    assert command.lines == [
        "network: the plan",
        f"{run} on blur, 7 images: accuracy % by time step",
        "     all   12.3 100.0",
        "       0    1.0   2.0",
        "       3    1.0   2.0",
        "       9    1.0   2.0",
    ]
    assert command.warnings == []


def test_regimes_are_evaluated_in_the_given_order(command, run, drawn_sample):
    command(run, drawn_sample / "human", Regime.NOISE, Regime.COLOR, name="new", precision="bfloat16")
    assert command.tested == [(run, "new-noise", Regime.NOISE), (run, "new-color", Regime.COLOR)]
    assert command.lines[-1] == "     all   12.3 100.0"  # the one level is not repeated
    assert command.lines.count("network: the plan") == 1
    assert command.compiled == [{"precision": "bfloat16", "inference": "auto"}]  # once for all regimes


def test_a_split_is_described(command, run, prepared):
    command(run, prepared.path, Regime.COLOR, split="train")
    assert command.tested == [(run, "train-color", Regime.COLOR)]
    assert command.lines[2].startswith("  images: 32 from ImageNet's training set, seen by a backbone")


def test_every_test_set_is_found_before_the_first_is_evaluated(command, run, drawn_sample, tmp_path):
    only_blur = tmp_path / "human"
    (only_blur / "BlurSplit_color").parent.mkdir()
    (only_blur / "BlurSplit_color").symlink_to(drawn_sample / "human/BlurSplit_color")
    with pytest.raises(ConvRNNError, match="must hold stimuli of the noise regime, got blur"):
        command(run, only_blur, Regime.BLUR, Regime.NOISE)
    assert (command.tested, command.lines) == ([], [])


def test_missing_stimuli_are_a_warning(command, run, drawn_sample, tmp_path):
    part = tmp_path / "human"
    shutil.copytree(drawn_sample / "human", part)
    next((part / "BlurSplit_color/2").iterdir()).unlink()
    command(run, part)
    assert len(command.tested) == 1
    assert any(line.startswith(f"{part}, blur: missing: 1 images") for line in command.warnings)


def test_an_idle_gpu_is_reported(command, run, drawn_sample, monkeypatch):
    monkeypatch.setattr(devices, "idle_gpu", lambda: "a GPU is idle")
    command(run, drawn_sample / "human")
    assert command.lines[0] == "a GPU is idle"


def test_an_unfinished_run_is_refused(command, tmp_path, drawn_sample):
    with pytest.raises(ConvRNNError, match=r"must be a folder with config\.json, got no such folder"):
        command(tmp_path / "nowhere", drawn_sample / "human")


def test_options_of_weights_are_refused_for_a_run(command, run, drawn_sample, tmp_path):
    for options in ({"out": tmp_path / "out"}, {"untrained": UntrainedOptions(rule="max")}):
        with pytest.raises(ConvRNNError, match="are for a weights file, got a run"):
            command(run, drawn_sample / "human", **options)
