"""Kept features are the same bytes wherever they are computed, and whatever goes wrong is one clear line."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import pytest

from convrnn_data import PreparedSet, prepare
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features import extractor, store, workers
from convrnn_experiments.features.plan import Executor, Part
from convrnn_experiments.runs import network as run_network
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runs.network import build_network
from convrnn_model import save_weights

SIZES = {"stimulus_size": 68, "image_size": 64, "resize": 70}
SMALL = {"width": 0.02, "timesteps": 2, "views": 2, "seed": 5} | SIZES
OPTIONS = "--width 0.02 --timesteps 2 --stimulus-size 68 --image-size 64 --resize 70 --views 2 --seed 5"
PARTS = 10
"""Two views of 32 images in shards of 8, and 16 images for validation; a category has 3, so the split is exact."""
TWO = Executor(workers=2)


@pytest.fixture(scope="module")
def many(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """The drawn images in shards of 8."""
    folder = tmp_path_factory.mktemp("many") / "set"
    prepare(drawn / "imagenet", folder, images="all", val=0.34, workers=1, shard_size=8)
    return PreparedSet(folder)


@pytest.fixture(scope="module")
def config(many: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Noise, whose every level and value is drawn."""
    keras.utils.set_random_seed(3)
    weights = tmp_path_factory.mktemp("weights") / "start.h5"
    config = Config(data=str(many.path), perturb=Regime.NOISE, weights=str(weights), **SMALL)
    save_weights(build_network(config), weights)
    return checked(config, many)


def keep(config: Config, root: Path, **how: object) -> store.ExtractionResult:
    def network() -> keras.Model:
        return run_network.prepare_network(config, lambda line: None)

    return store.extract_features(network, config, PreparedSet(config.data), root, **how)


def digests(kept: Path) -> dict[str, str]:
    """Every file below a folder, whatever ends its name, with its sha256."""
    return {
        str(path.relative_to(kept)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(kept.rglob("*"))
        if path.is_file()
    }


def command(config: Config, root: Path, *more: str) -> list[str]:
    """`convrnn features` of the same configuration."""
    words = [str(Path(sys.executable).with_name("convrnn")), "features", config.data, "--perturb", "noise"]
    return [*words, "--weights", config.weights, "--out", str(root), *OPTIONS.split(), *more]


@pytest.fixture(scope="module")
def computed(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the command computes in one process on one core, without an interruption."""
    root = tmp_path_factory.mktemp("undisturbed")
    one_core = "import os, sys\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    script = one_core + "os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", script, *command(config, root)]
    done = subprocess.run(words, check=True, timeout=600, capture_output=True, text=True)
    assert f"{PARTS} parts computed, 0 in the cache" in done.stdout
    return root


@pytest.fixture(scope="module")
def undisturbed(computed: Path) -> dict[str, str]:
    """The bytes to be met."""
    found = digests(computed)
    assert len(found) == PARTS + 1  # and what they depend on
    assert len(set(found.values())) == len(found), "two parts drew the same"
    return found


def test_every_image_is_in_one_part_of_each_view(config: Config, many: PreparedSet, tmp_path: Path) -> None:
    planned = store.plan(many, config, tmp_path)
    assert len({part.path for part in planned}) == len(planned) == PARTS
    for split, views in (("train", 2), ("val", 1)):
        for view in range(views):
            rows = [row for part in planned if (part.split, part.view) == (split, view) for row in part.rows]
            assert sorted(rows) == list(range(len(many.table(split))))


def test_the_tasks_of_an_array(
    config: Config,
    tmp_path: Path,
    computed: Path,
    undisturbed: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def copied(parts: Sequence[Part], *_: object) -> Iterator[Part]:
        for part in parts:
            shutil.copy2(computed / part.path.relative_to(tmp_path), part.path)
            yield part

    monkeypatch.setattr(store, "compute_in_workers", copied)
    counts = [keep(config, tmp_path, executor=TWO, task=f"{task}/3").computed for task in (3, 1, 2)]
    assert counts == [3, 4, 3]
    assert digests(tmp_path) == undisturbed
    assert keep(config, tmp_path).computed == 0


def test_two_processes_compute_what_is_missing_and_nothing_else(
    config: Config, tmp_path: Path, computed: Path, undisturbed: dict[str, str]
) -> None:
    shutil.copytree(computed, tmp_path, dirs_exist_ok=True)
    kept = keep(config, tmp_path)
    assert (kept.computed, kept.cached) == (0, PARTS)
    stamps = {part.path: part.path.stat().st_mtime_ns for part in (kept.of("train")[1], kept.of("val")[0])}
    missing = [part.path for part in kept.parts if part.path not in stamps]
    for path in missing:
        path.unlink()
    told: list[tuple[str, int, int]] = []
    again = keep(config, tmp_path, executor=TWO, report=lambda *words: told.append(words))
    assert (again.computed, again.cached) == (PARTS - 2, 2)
    assert digests(tmp_path) == undisturbed
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    assert told[:2] == [("features, train", 8, 64), ("features, val", 8, 16)]
    assert {("features, train", 64, 64), ("features, val", 16, 16)} <= set(told)


def test_all_cores_and_another_readout_batch(
    config: Config, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    train = [word for word in command(config, tmp_path) if word not in ("--out", str(tmp_path))]
    train[1] = "train"
    more = ["--epochs", "1", "--batch-size", "7", "--out", str(tmp_path / "run")]
    subprocess.run([*train, *more, "--features", str(tmp_path / "kept")], check=True, timeout=600)
    assert digests(tmp_path / "kept") == undisturbed


def test_batches_come_in_order_and_never_more_at_once_than_asked() -> None:
    counting = threading.Lock()
    begun, ended, most = 0, 0, 0

    def numbers() -> Iterator[int]:
        nonlocal begun, most
        for number in range(20):
            with counting:
                begun += 1
                most = max(most, begun - ended)
            yield number

    def slow(number: int) -> int:
        nonlocal ended
        time.sleep(0.002 * (number % 3))
        with counting:
            ended += 1
        return number

    assert list(extractor._parallel_map(slow, numbers(), 3)) == list(range(20))
    assert most <= 4  # and the one that is being read


@pytest.mark.slow
def test_ray_with_two_nodes(config: Config, tmp_path: Path, undisturbed: dict[str, str]) -> None:
    script = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from ray.cluster_utils import Cluster\n"
        "from convrnn_data import PreparedSet\n"
        "from convrnn_experiments.runtime.tensorflow import quiet_import\n"
        "with quiet_import():\n"
        "    from convrnn_experiments.features import store\n"
        "from convrnn_experiments.runs.config import Config\n"
        "from convrnn_experiments.features.plan import Executor\n"
        "cluster = Cluster(initialize_head=True, head_node_args={'num_cpus': 1}); cluster.add_node(num_cpus=1)\n"
        "config = Config.from_json(json.loads(sys.argv[1]), Path('sent'))\n"
        "executor = Executor('ray', 2, cluster.address)\n"
        "data, out = PreparedSet(config.data), Path(sys.argv[2])\n"
        "kept = store.extract_features(None, config, data, out, executor=executor)\n"
        "assert kept.computed == len(kept.parts)\n"
        "cluster.shutdown()\n"
    )
    words = [json.dumps(config.to_json()), str(tmp_path)]
    subprocess.run([sys.executable, "-c", script, *words], check=True, timeout=600)
    assert digests(tmp_path) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(1, 2), (2, 1)], ids=["two threads of one process", "two processes"])
def test_dask(workers: tuple[int, int], config: Config, tmp_path: Path, undisturbed: dict[str, str]) -> None:
    script = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from distributed import LocalCluster\n"
        "from convrnn_data import PreparedSet\n"
        "from convrnn_experiments.runtime.tensorflow import quiet_import\n"
        "with quiet_import():\n"
        "    from convrnn_experiments.features import store\n"
        "from convrnn_experiments.runs.config import Config\n"
        "from convrnn_experiments.features.plan import Executor\n"
        "if __name__ == '__main__':\n"
        "    config = Config.from_json(json.loads(sys.argv[1]), Path('sent'))\n"
        "    count, threads = map(int, sys.argv[3:])\n"
        '    with LocalCluster(n_workers=count, threads_per_worker=threads, dashboard_address=":0") as cluster:\n'
        "        executor = Executor('dask', None, cluster.scheduler_address)\n"
        "        data, out = PreparedSet(config.data), Path(sys.argv[2])\n"
        "        kept = store.extract_features(None, config, data, out, executor=executor)\n"
        "        assert kept.computed == len(kept.parts)\n"
    )
    (tmp_path / "script.py").write_text(script)
    words = [json.dumps(config.to_json()), str(tmp_path / "kept"), *map(str, workers)]
    subprocess.run([sys.executable, tmp_path / "script.py", *words], check=True, timeout=600)
    assert digests(tmp_path / "kept") == undisturbed


def test_an_image_that_a_worker_cannot_read(config: Config, many: PreparedSet, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(many.path, tmp_path / "cut"))
    (shard,) = (cut / "train").glob("000001.tar")
    with shard.open("r+b") as file:
        file.truncate(1000)
    spoilt = config.replace(data=str(cut))
    with pytest.raises(ConvRNNError, match=r"000001\.tar.* \(on ") as caught:
        keep(spoilt, tmp_path / "kept", executor=TWO)
    assert len(str(caught.value).splitlines()) == 1
    names = [path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert not [name for name in names if name.startswith(".")], "something half written stays"
    assert not [name for name in names if name.startswith("train") and name.endswith("000001.h5")]


def test_a_worker_that_sees_other_files(config: Config, tmp_path: Path) -> None:
    kept = keep(config, tmp_path, task="1/10")
    part = replace(kept.parts[0], path=kept.folder / "another.h5")

    def error_of(config: Config, path: Path = part.path) -> str:
        outcome = workers.compute_part(workers.Job(replace(part, path=path), config, {}, 1))
        assert outcome.error
        return outcome.error

    assert "every worker sees" in error_of(config, tmp_path / "elsewhere" / "another.h5")
    assert "nowhere.h5" in error_of(config.replace(weights="nowhere.h5"))
    assert "on this worker: its weights_sha256 must be" in _other_weights(error_of, config, tmp_path)
    depends = json.loads((kept.folder / "depends_on.json").read_text())
    depends["versions"]["keras"] = "2.0"
    (kept.folder / "depends_on.json").write_text(json.dumps(depends))
    assert f"keras must be 2.0, got {keras.__version__}" in error_of(config)
    assert not part.path.exists()


def _other_weights(error_of, config: Config, tmp_path: Path) -> str:
    other = tmp_path / "other.h5"
    keras.utils.set_random_seed(4)
    save_weights(build_network(config), other)
    return error_of(config.replace(weights=str(other)))


def test_no_cluster_answers(config: Config, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConvRNNError, match=r"no Ray cluster answers at 127\.0\.0\.1:1"):
        keep(config, tmp_path, executor=Executor("ray", None, "127.0.0.1:1"))


@pytest.mark.slow
def test_interrupted_and_gone_on_with(config: Config, tmp_path: Path, undisturbed: dict[str, str]) -> None:
    words = command(config, tmp_path, "--workers", "2")
    with subprocess.Popen(words, start_new_session=True, stderr=subprocess.PIPE, text=True) as running:
        began = time.monotonic()
        while not list(tmp_path.rglob("*.h5")) and running.poll() is None:
            assert time.monotonic() - began < 600
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        _, said = running.communicate(timeout=600)
    assert running.returncode in (0, 130), said
    if running.returncode == 130:
        *progress, last = said.strip().splitlines()
        assert last.startswith("convrnn: error: interrupted"), said
        assert all(line.startswith("features, ") for line in progress), said
    whole = {path for path in tmp_path.rglob("*.h5") if not path.name.startswith(".")}
    stamps = {path: path.stat().st_mtime_ns for path in whole}
    subprocess.run(words, check=True, timeout=600)
    assert digests(tmp_path) == undisturbed
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
