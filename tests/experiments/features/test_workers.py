"""Workers compute the bytes that one process does; whatever differs on a worker is one clear line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from small_features import TWO, command, digests, keep

from convrnn_data import PreparedSet
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features import workers
from convrnn_experiments.features.plan import Executor, Part
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.network import build_network
from convrnn_model import save_weights


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[workers.Job]:
    """The jobs that are sent to workers; each is reported as done."""
    jobs: list[workers.Job] = []

    def run_jobs(
        function: Callable[..., object], todo: Iterator[workers.Job], count: int, **_: object
    ) -> Iterator[workers.Outcome]:
        assert function is workers.compute_part
        for job in todo:
            jobs.append(job)
            yield workers.Outcome(job.part, None)
        assert len(jobs) == count

    monkeypatch.setattr(workers, "run_jobs", run_jobs)
    return jobs


CONFIG = Config(data="set", perturb=Regime.COLOR, weights="start.h5", devices=("CPU:0",))
PARTS = [Part(Path(f"features/{number}.h5"), "train", number, 0, np.arange(3)) for number in range(2)]


def test_a_job_has_all_that_a_worker_needs(
    sent: list[workers.Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "available_cores", lambda: 8)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    done = list(workers.compute_in_workers(PARTS, CONFIG, Executor(workers=3)))
    assert [part.path for part in done] == [tmp_path / "features/0.h5", tmp_path / "features/1.h5"]
    for job in sent:
        assert (job.config.data, job.config.weights) == (str(tmp_path / "set"), str(tmp_path / "start.h5"))
        assert job.config.devices == ()
        assert job.threads == 2
        assert job.environment["NVIDIA_TF32_OVERRIDE"] == "0"
        assert job.environment["KERAS_BACKEND"] == keras.backend.backend()
        assert job.environment["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.usefixtures("sent")
def test_the_first_error_of_a_worker_ends_the_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    def run_jobs(function: object, todo: Iterator[workers.Job], count: int, **_: object) -> Iterator[object]:
        try:
            for job in todo:
                yield workers.Outcome(job.part, "cannot decode an image (on node3)")
        finally:
            closed.append(True)

    monkeypatch.setattr(workers, "run_jobs", run_jobs)
    with pytest.raises(ConvRNNError, match=r"^cannot decode an image \(on node3\)$"):
        list(workers.compute_in_workers(PARTS, CONFIG, TWO))
    assert closed == [True]


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
