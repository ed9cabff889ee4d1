"""Workers for features: the bytes of one process, and one-line errors where a worker differs."""

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
from small_features import TWO_WORKERS, command, digests, extract

from convrnn_data import PreparedSet
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features import workers
from convrnn_experiments.features.plan import Executor, Part
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.network import build_network
from convrnn_model import save_weights


@pytest.fixture
def sent_jobs(monkeypatch: pytest.MonkeyPatch) -> list[workers.Job]:
    """Jobs sent to workers; each is reported as done."""
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


def test_a_job_has_everything_that_a_worker_needs(
    sent_jobs: list[workers.Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "available_cores", lambda: 8)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("CONVRNN_PROCESSOR", "generic")
    done = list(workers.compute_in_workers(PARTS, CONFIG, Executor(workers=3)))
    assert [part.path for part in done] == [tmp_path / "features/0.h5", tmp_path / "features/1.h5"]
    for job in sent_jobs:
        assert (job.config.data, job.config.weights) == (str(tmp_path / "set"), str(tmp_path / "start.h5"))
        assert job.config.devices == ()
        assert job.threads == 2
        assert job.environment["NVIDIA_TF32_OVERRIDE"] == "0"
        assert job.environment["CONVRNN_PROCESSOR"] == "generic"
        assert job.environment["KERAS_BACKEND"] == keras.backend.backend()
        assert job.environment["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.usefixtures("sent_jobs")
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
        list(workers.compute_in_workers(PARTS, CONFIG, TWO_WORKERS))
    assert closed == [True]


@pytest.mark.slow
def test_ray_workers_compute_the_same_bytes(
    config: Config, tmp_path: Path, reference_digests: dict[str, str]
) -> None:
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
        "result = store.extract_features(config, data, out, executor=executor)\n"
        "assert result.computed == len(result.parts)\n"
        "cluster.shutdown()\n"
    )
    words = [json.dumps(config.to_json()), str(tmp_path)]
    subprocess.run([sys.executable, "-c", script, *words], check=True, timeout=600)
    assert digests(tmp_path) == reference_digests


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(1, 2), (2, 1)], ids=["two threads of one process", "two processes"])
def test_dask_workers_compute_the_same_bytes(
    workers: tuple[int, int], config: Config, tmp_path: Path, reference_digests: dict[str, str]
) -> None:
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
        "        result = store.extract_features(config, data, out, executor=executor)\n"
        "        assert result.computed == len(result.parts)\n"
    )
    (tmp_path / "script.py").write_text(script)
    words = [json.dumps(config.to_json()), str(tmp_path / "cached"), *map(str, workers)]
    subprocess.run([sys.executable, tmp_path / "script.py", *words], check=True, timeout=600)
    assert digests(tmp_path / "cached") == reference_digests


def test_an_unreadable_image_is_a_one_line_error(
    config: Config, sharded_set: PreparedSet, tmp_path: Path
) -> None:
    cut = Path(shutil.copytree(sharded_set.path, tmp_path / "cut"))
    (shard,) = (cut / "train").glob("000001.tar")
    with shard.open("r+b") as file:
        file.truncate(1000)
    corrupted = config.replace(data=str(cut))
    with pytest.raises(ConvRNNError, match=r"000001\.tar.* \(on ") as caught:
        extract(corrupted, tmp_path / "cached", executor=TWO_WORKERS)
    assert len(str(caught.value).splitlines()) == 1
    names = [path.name for path in (tmp_path / "cached").rglob("*") if path.is_file()]
    assert not [name for name in names if name.startswith(".")], "a partial file remains"
    assert not [name for name in names if name.startswith("train") and name.endswith("000001.h5")]


def test_a_worker_with_other_files_is_refused(config: Config, tmp_path: Path) -> None:
    result = extract(config, tmp_path, task="1/10")
    part = replace(result.parts[0], path=result.folder / "another.h5")

    def error_of(config: Config, path: Path = part.path) -> str:
        outcome = workers.compute_part(workers.Job(replace(part, path=path), config, {}, 1))
        assert outcome.error
        return outcome.error

    assert "every worker sees" in error_of(config, tmp_path / "elsewhere" / "another.h5")
    assert "nowhere.h5" in error_of(config.replace(weights="nowhere.h5"))
    assert "on this worker: its weights_sha256 must be" in _other_weights(error_of, config, tmp_path)
    depends = json.loads((result.folder / "depends_on.json").read_text())
    depends["versions"]["keras"] = "2.0"
    (result.folder / "depends_on.json").write_text(json.dumps(depends))
    assert f"keras must be 2.0, got {keras.__version__}" in error_of(config)
    assert not part.path.exists()


def _other_weights(error_of, config: Config, tmp_path: Path) -> str:
    other = tmp_path / "other.h5"
    keras.utils.set_random_seed(4)
    save_weights(build_network(config), other)
    return error_of(config.replace(weights=str(other)))


def test_an_unreachable_cluster_is_an_error(config: Config, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConvRNNError, match=r"no Ray cluster answers at 127\.0\.0\.1:1"):
        extract(config, tmp_path, executor=Executor("ray", None, "127.0.0.1:1"))


@pytest.mark.slow
def test_an_interrupted_extraction_is_resumed(
    config: Config, tmp_path: Path, reference_digests: dict[str, str]
) -> None:
    words = command(config, tmp_path, "--workers", "2")
    with subprocess.Popen(words, start_new_session=True, stderr=subprocess.PIPE, text=True) as running:
        began = time.monotonic()
        while not list(tmp_path.rglob("*.h5")) and running.poll() is None:
            assert time.monotonic() - began < 600
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        _, messages = running.communicate(timeout=600)
    assert running.returncode in (0, 130), messages
    if running.returncode == 130:
        *progress, last = messages.strip().splitlines()
        assert last.startswith("convrnn: error: interrupted"), messages
        assert all(line.startswith("features, ") for line in progress), messages
    finished = {path for path in tmp_path.rglob("*.h5") if not path.name.startswith(".")}
    stamps = {path: path.stat().st_mtime_ns for path in finished}
    subprocess.run(words, check=True, timeout=600)
    assert digests(tmp_path) == reference_digests
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
