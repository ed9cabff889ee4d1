"""Launch of training from a configuration: early refusals, and the arguments of the training loop."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from convrnn_data import PreparedSet
from convrnn_data.base.locking import LOCK, locked
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features import extractor, store
from convrnn_experiments.features.plan import Executor
from convrnn_experiments.runs import folder as run_folder
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runs.folder import Run
from convrnn_experiments.runs.network import build_network, choose_inference
from convrnn_experiments.runtime import devices
from convrnn_experiments.runtime.process_group import ProcessGroup
from convrnn_experiments.training import launch, loop
from convrnn_model import save_weights

SMALL = {"width": 0.02, "timesteps": 1, "stimulus_size": 72, "image_size": 64, "resize": 73}


@pytest.fixture
def config(prepared: PreparedSet) -> Config:
    return Config(
        data=str(prepared.path), perturb=Regime.COLOR, weights="none", trainable="all", seed=5, **SMALL
    )


@pytest.fixture
def loop_arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments of the training loop, which is replaced by a stub."""
    found: dict[str, Any] = {}

    def train(network: keras.Model, config: Config, run: Run, data: PreparedSet, **more: Any) -> None:
        found.update(network=network, config=config, run=run, data=data, **more)

    monkeypatch.setattr(loop, "train", train)
    monkeypatch.setattr(devices, "idle_gpu", lambda **_: None)
    return found


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({}, {"group": ProcessGroup(None, 2)}, "--processes needs --coordinator, got none"),
        (
            {"trainable": "readout"},
            {"group": ProcessGroup("host:1", 2)},
            "--processes needs --trainable all, got readout",
        ),
        ({}, {"executor": Executor(workers=2)}, "so they need --trainable readout, got all"),
        ({}, {"executor": Executor("ray")}, "so they need --trainable readout, got all"),
        ({"precision": "bfloat16"}, {}, "need --trainable readout, got all.*or use --mixed-precision"),
        ({"inference": "keras"}, {}, "--precision and --inference compute frozen features"),
        ({"trainable": "readout"}, {}, "--trainable readout needs --weights FILE"),
        ({"data": "nowhere"}, {}, "nowhere"),
    ],
)
def test_incompatible_options_are_refused_before_training(
    changes: dict[str, Any],
    arguments: dict[str, Any],
    message: str,
    config: Config,
    loop_arguments: dict[str, Any],
    tmp_path: Path,
) -> None:
    with pytest.raises(ConvRNNError, match=message):
        launch.train(config.replace(**changes), tmp_path / "run", **arguments)
    assert not loop_arguments
    assert not (tmp_path / "run").exists()


def test_training_receives_the_network_and_the_new_run(
    config: Config, loop_arguments: dict[str, Any], prepared: PreparedSet, tmp_path: Path
) -> None:
    messages: list[str] = []
    run = launch.train(config, tmp_path / "runs/color", echo=messages.append)
    assert run == loop_arguments["run"] == Run(tmp_path / "runs/color")
    assert loop_arguments["config"] == run.config()
    assert loop_arguments["config"].data_plan == prepared.plan_hash
    assert loop_arguments["network"].name == "bl_net"
    assert loop_arguments["features"] is None
    assert messages == [
        "weights: none; bl at width 0.02 starts from seed 5",
        f"weights: {tmp_path / 'runs/color/weights.h5'}",
    ]


def test_a_run_is_resumed_only_on_request(
    config: Config, loop_arguments: dict[str, Any], tmp_path: Path
) -> None:
    launch.train(config, tmp_path / "run")
    loop_arguments.clear()
    with pytest.raises(ConvRNNError, match="Continue with --resume"):
        launch.train(config, tmp_path / "run")
    assert not loop_arguments
    launch.train(config, tmp_path / "run", resume=True)
    assert loop_arguments["run"] == Run(tmp_path / "run")


def test_a_finished_run_is_left_alone(config: Config, loop_arguments: dict[str, Any], tmp_path: Path) -> None:
    run = launch.train(config, tmp_path / "run")
    run.weights.write_bytes(b"weights")
    loop_arguments.clear()
    messages: list[str] = []
    launch.train(config, tmp_path / "run", resume=True, echo=messages.append)
    assert messages == [f"{tmp_path / 'run'} is finished already; nothing to do"]
    assert not loop_arguments
    launch.train(config, tmp_path / "run", force=True)
    assert loop_arguments["run"] == run
    assert not run.weights.exists()


def test_only_the_first_process_of_a_group_writes_and_prints(
    config: Config, loop_arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convrnn_experiments.runtime import processes

    monkeypatch.setattr(processes, "join", lambda group: None)
    monkeypatch.setattr(ProcessGroup, "wait", lambda group, event: None)
    messages: list[str] = []
    launch.train(config, tmp_path / "run", group=ProcessGroup("host:1", 2, 1), echo=messages.append)
    assert loop_arguments["group"].process == 1
    assert messages == [f"weights: {tmp_path / 'run/weights.h5'}"]
    assert not (tmp_path / "run").exists()


@pytest.fixture
def frozen(config: Config, tmp_path: Path) -> Config:
    """Configuration of a readout on the features of saved weights."""
    keras.utils.set_random_seed(0)
    save_weights(build_network(config), tmp_path / "start.h5")
    return config.replace(trainable="readout", weights=str(tmp_path / "start.h5"))


@pytest.fixture
def extract_arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments of `store.extract_features`, which is replaced by a stub, and the order of calls."""
    found: dict[str, Any] = {"called": []}

    def extract(config: Config, data: PreparedSet, root: Path, **more: Any) -> str:
        found["called"].append("extract")
        more["echo"]("the plan")
        found.update(config=config, data=data, root=root, **more)
        return "the result"

    monkeypatch.setattr(
        extractor, "use_one_thread_per_operation", lambda: found["called"].append("one thread")
    )
    monkeypatch.setattr(store, "extract_features", extract)
    return found


def test_features_are_those_of_the_frozen_network(
    frozen: Config, extract_arguments: dict[str, Any], tmp_path: Path
) -> None:
    messages: list[str] = []
    root = tmp_path / "features"
    assert launch.extract_features(frozen, root, task="2/3", echo=messages.append) == "the result"
    found = extract_arguments
    assert (found["root"], found["task"]) == (root, "2/3")
    assert found["called"] == ["one thread", "extract"]  # features do not depend on the number of cores
    assert found["config"].weights_sha256
    assert messages == [f"weights: {frozen.weights}: bl_net, no published set", "the plan"]
    with pytest.raises(ConvRNNError, match="4/3"):
        launch.extract_features(frozen, root, task="4/3")


def test_a_readout_is_trained_on_features(
    frozen: Config, extract_arguments: dict[str, Any], loop_arguments: dict[str, Any], tmp_path: Path
) -> None:
    messages: list[str] = []
    run = launch.train(frozen, tmp_path / "runs/color", echo=messages.append)
    assert loop_arguments["features"] == "the result"
    assert extract_arguments["root"] == tmp_path / "runs/features"
    assert "the plan" in messages
    inference = choose_inference("float32", "auto")
    assert json.loads(run.environment.read_text())["inference"] == inference.model_dump()


KILLED_AFTER_ITS_LAST_FILE = """
import os, signal, sys
from pathlib import Path
from convrnn_data.shards.workspace import created_and_locked
folder = Path(sys.argv[1])
with created_and_locked(folder):
    (folder / "weights.h5").write_bytes(b"whole")
    (folder / f".history.csv.{os.uname().nodename}.{os.getpid()}.tmp").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed_run(config: Config, prepared: PreparedSet, tmp_path: Path) -> tuple[Config, Path]:
    """A run whose process was killed between writing its last file and unlocking the folder."""
    config = checked(config, prepared)
    run = run_folder.start(tmp_path / "run", config, resume=False, force=False)
    done = subprocess.run([sys.executable, "-c", KILLED_AFTER_ITS_LAST_FILE, run.path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert {path.name for path in run.path.glob(".*")} > {LOCK}
    return config, run.path


def test_a_run_killed_after_its_last_file_is_finished_and_cleaned_up(killed_run) -> None:
    config, folder = killed_run
    messages = []
    launch.train(config, folder, resume=True, echo=messages.append)
    assert messages == [f"{folder} is finished already; nothing to do"]
    assert not list(folder.rglob(".*"))


def test_the_lock_of_a_live_process_is_not_removed(killed_run) -> None:
    config, folder = killed_run
    with locked(folder):
        launch.train(config, folder, resume=True)
        assert (folder / LOCK).exists()
