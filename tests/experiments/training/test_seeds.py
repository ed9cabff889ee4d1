"""Training with several seeds: the seeds of an option, the folders, and the runs that are left alone."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from convrnn_data import PreparedSet
from convrnn_experiments.cli import app
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import Run
from convrnn_experiments.runtime import devices
from convrnn_experiments.runtime.process_group import ProcessGroup
from convrnn_experiments.training import launch, loop, seeds
from convrnn_experiments.training.seeds import parse_seeds, seed_folder, train_seeds

SMALL = {"width": 0.02, "timesteps": 1, "stimulus_size": 72, "image_size": 64, "resize": 73}


@pytest.fixture
def config(prepared: PreparedSet) -> Config:
    return Config(
        data=str(prepared.path), perturb=Regime.COLOR, weights="none", trainable="all", epochs=1, **SMALL
    )


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds of the runs that a stub of the training loop has finished."""
    found: list[int] = []

    def train(network: object, config: Config, run: Run, data: object, **more: Any) -> None:
        found.append(config.seed)
        run.weights.write_bytes(b"weights")

    monkeypatch.setattr(loop, "train", train)
    monkeypatch.setattr(devices, "idle_gpu", lambda **_: None)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0-4", (0, 1, 2, 3, 4)), ("0,2,7", (0, 2, 7)), ("5", (5,)), ("8-9,3", (8, 9, 3)), ("7-7", (7,))],
)
def test_seeds_are_numbers_and_ranges(text: str, expected: tuple[int, ...]) -> None:
    assert parse_seeds(text) == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "seeds or ranges"),
        ("0-", "seeds or ranges"),
        ("-1", "seeds or ranges"),
        ("1, 2", "seeds or ranges"),
        ("1.5", "seeds or ranges"),
        ("٣", "seeds or ranges"),
        ("4-0", "from the smaller seed"),
        ("0-4,2", "each seed once"),
        ("0-1000", "at most 1000"),
        ("0-999999999999999999", "at most 1000"),
    ],
)
def test_other_texts_are_refused(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_seeds(text)


def test_every_seed_has_a_run(config: Config, trained: list[int], tmp_path: Path) -> None:
    messages: list[str] = []
    runs = train_seeds(config, tmp_path / "runs/color", (2, 0), echo=messages.append)
    assert trained == [2, 0]
    assert [run.path for run in runs] == [tmp_path / f"runs/color-seed{seed}" for seed in (2, 0)]
    assert [run.config().seed for run in runs] == [2, 0]
    assert runs[0].config().replace(seed=0) == runs[1].config()
    assert messages[0] == "seed 2"


def test_finished_seeds_are_left_alone(config: Config, trained: list[int], tmp_path: Path) -> None:
    train_seeds(config, tmp_path / "run", (0,))
    messages: list[str] = []
    train_seeds(config, tmp_path / "run", (0, 1), echo=messages.append)
    assert trained == [0, 1]
    assert messages[:2] == ["seed 0", f"{tmp_path / 'run-seed0'} is finished already; nothing to do"]
    train_seeds(config, tmp_path / "run", (0,), force=True)
    assert trained == [0, 1, 0]


def test_an_unfinished_seed_is_resumed_only_on_request(
    config: Config, trained: list[int], tmp_path: Path
) -> None:
    train_seeds(config, tmp_path / "run", (0, 1))
    Run(tmp_path / "run-seed1").weights.unlink()
    trained.clear()
    with pytest.raises(ConvRNNError, match=r"^seed 1: .*Continue with --resume"):
        train_seeds(config, tmp_path / "run", (0, 1))
    assert not trained
    train_seeds(config, tmp_path / "run", (0, 1), resume=True)
    assert trained == [1]


def test_all_folders_are_checked_before_training(config: Config, trained: list[int], tmp_path: Path) -> None:
    train_seeds(config, tmp_path / "run", (1,))
    trained.clear()
    with pytest.raises(ConvRNNError, match=r"^seed 1: .*epochs 2 instead of 1"):
        train_seeds(config.replace(epochs=2), tmp_path / "run", (0, 1))
    assert not trained
    assert not seed_folder(tmp_path / "run", 0).exists()


def test_errors_name_the_seed(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(config: Config, folder: Path, **more: Any) -> Run:
        if config.seed == 3:
            raise ConvRNNError("cannot write: the disk is full")
        return Run(folder)

    monkeypatch.setattr(seeds, "train", fail)
    with pytest.raises(ConvRNNError, match=r"^seed 3: cannot write"):
        train_seeds(config, tmp_path / "run", (2, 3))


def test_a_group_of_processes_is_refused(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ConvRNNError, match="needs a single process, got --processes 2"):
        train_seeds(config, tmp_path / "run", (0, 1), group=ProcessGroup("host:1", 2))


def test_seed_and_seeds_exclude_each_other(config: Config) -> None:
    arguments = ["train", config.data, "--perturb", "color", "--seed", "0", "--seeds", "0-1"]
    result = CliRunner().invoke(app, arguments)
    assert "either --seed or --seeds may be given, got --seed 0" in str(result.exception)


def test_the_command_trains_every_seed_as_it_would_alone(config: Config, tmp_path: Path) -> None:
    options = (
        "--perturb color --weights none --trainable all --epochs 1 --width 0.02 --timesteps 1 --image-size 64"
    )
    arguments = ["train", config.data, *options.split(), "--stimulus-size", "72", "--resize", "73"]
    several = CliRunner().invoke(app, [*arguments, "--seeds", "0-1", "--out", str(tmp_path / "color")])
    assert several.exit_code == 0, several.output
    weights = [(tmp_path / f"color-seed{seed}/weights.h5").read_bytes() for seed in (0, 1)]
    alone = launch.train(config.replace(seed=1), tmp_path / "alone").weights.read_bytes()
    assert weights[1] == alone
    assert weights[0] != alone
