"""Training over several devices and processes; each test has its own, as devices are fixed once TensorFlow starts."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convrnn_data import PreparedSet
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runtime import processes
from convrnn_experiments.runtime.process_group import ProcessGroup

TWO_DEVICES = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from convrnn_data import PreparedSet
from convrnn_experiments.runs import folder as runs, network as networks
from convrnn_experiments.training import loop
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runtime.processes import strategy
from convrnn_experiments.images.perturbations import Perturb

data, out = PreparedSet(sys.argv[1]), Path(sys.argv[2])
both = ("CPU:0", "CPU:1")
sizes = dict(stimulus_size=72, image_size=64, resize=72)
small = dict(network="b", weights="none", width=0.02, **sizes, batch_size=16, epochs=1, trainable="all")
for name, devices in (("one", ()), ("two", both)):
    config = Config(data=str(data.path), perturb=Regime.COLOR, devices=devices, seed=1, **small)
    config = checked(config, data)
    network = networks.prepare_network(config, lambda line: None)
    run = runs.start(out / name, config, resume=False, force=False)
    loop.train(network, config, run, data, echo=lambda line: None)

with strategy(both).scope():
    layer = Perturb(CONDITIONS[Regime.NOISE])
gray, levels = np.full((2, 8, 8, 3), 100, np.uint8), np.float32([0.04, 0.04])
draw = tf.function(lambda: strategy(both).run(lambda: layer(gray, levels=levels)))
drawn = [part.numpy() for _ in range(2) for part in strategy(both).experimental_local_results(draw())]
np.save(out / "drawn.npy", np.stack(drawn))
"""

# Last, since it sets Keras' policy for the whole process.
BFLOAT16 = """
config = Config(data=str(data.path), perturb=Regime.BLUR, mixed_precision=True, **small)
config = checked(config, data)
network = networks.prepare_network(config, lambda line: None)
assert network.get_layer("Conv_Layer_1").compute_dtype == "bfloat16"
assert all(weight.dtype == "float32" for weight in network.weights)
run = runs.start(out / "half", config, resume=False, force=False)
loop.train(network, config, run, data, echo=print)
"""


@pytest.fixture(scope="module")
def trained(prepared: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which one process ran both scripts, and what it said."""
    out = tmp_path_factory.mktemp("trained")
    words = [sys.executable, "-c", TWO_DEVICES + BFLOAT16, prepared.path, out]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_two_devices_share_every_batch(trained: tuple[Path, str]) -> None:
    from convrnn_experiments.runs.folder import Run

    out, _ = trained
    one, two = (Run(out / name).history() for name in ("one", "two"))
    # The first step's loss is the same sum in two parts; batch normalisation, by its own half, then differs a little.
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=0.1)
    assert (out / "two" / "weights.h5").is_file()
    drawn = np.load(out / "drawn.npy")
    assert len({part.tobytes() for part in drawn}) == 4, "replicas or steps drew the same noise"


def test_bfloat16_keeps_float32_weights(trained: tuple[Path, str]) -> None:
    _, said = trained
    assert "validation accuracy" in said


def test_devices_that_are_not_there() -> None:
    with pytest.raises(ConvRNNError, match=r"must be one of CPU:0.*, got GPU:7"):
        processes.strategy(("GPU:7",))


PROCESS = """
import sys
from pathlib import Path
from convrnn_data import PreparedSet
from convrnn_experiments.runs import folder as runs, network as networks
from convrnn_experiments.runtime import processes
from convrnn_experiments.runtime.process_group import ProcessGroup
from convrnn_experiments.training import loop
from convrnn_experiments.conditions import Regime
from convrnn_experiments.runs.config import Config, checked

where, out, address, index, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
group = ProcessGroup(address if count > 1 else None, count, index)
processes.join(group)
sizes = dict(stimulus_size=72, image_size=64, resize=72)
small = dict(weights="none", width=0.02, timesteps=2, **sizes, batch_size=9, epochs=2, trainable="all")
data = PreparedSet(where)
config = checked(Config(data=str(data.path), perturb=Regime.COLOR, **small), data)
network = networks.prepare_network(config, lambda line: None)
run = runs.start(out, config, resume=False, force=False) if group.is_writer else runs.Run(out)
group.wait("started")
loop.train(network, config, run, data, echo=lambda line: None, group=group)
"""


@pytest.mark.slow
def test_processes_train_as_one(prepared: PreparedSet, tmp_path: Path) -> None:
    from convrnn_experiments.runs.folder import Run

    pytest.importorskip("jax", reason="training over processes runs on JAX")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    for name, count in (("one", 1), ("three", 3)):
        words = [sys.executable, "-c", PROCESS, prepared.path, tmp_path / name, address]
        team = [
            subprocess.Popen([*map(str, words), str(index), str(count)], env=environment)
            for index in range(count)
        ]
        assert [process.wait(timeout=600) for process in team] == [0] * count
    one, three = (Run(tmp_path / name).history() for name in ("one", "three"))
    # 32 images in batches of 9, 16 to validate: the last batches hold 5 and 7, and are filled up to 6 and 9. Fillers
    # enter batch normalisation in training, so that only the first validation is nearly the same.
    for name in ("loss", "val_loss"):
        assert [row[name] for row in three] == pytest.approx([row[name] for row in one], rel=0.03)
    names = [name for name in one[0] if name.startswith("val_accuracy")]
    for row in three:
        assert all(row[name] * 16 == pytest.approx(round(row[name] * 16), abs=1e-4) for name in names)


def test_a_process_that_nobody_joins() -> None:
    pytest.importorskip("jax", reason="training over processes runs on JAX")
    code = (
        "from convrnn_experiments.runtime import processes\n"
        "from convrnn_experiments.runtime.process_group import ProcessGroup\n"
        "processes.JOIN_TIMEOUT = 0.5\n"
        "processes.join(ProcessGroup('127.0.0.1:9', 2, 1))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith(
        "convrnn: error: cannot start training: process 1 of 2 must reach the others at 127.0.0.1:9 within 0.5 s"
    )


def test_a_group_needs_jax() -> None:
    with pytest.raises(ConvRNNError, match="KERAS_BACKEND=jax"):
        processes.join(ProcessGroup("localhost:1", 2, 0))
