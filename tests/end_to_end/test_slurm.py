"""Scripts of `examples/slurm`, run with fakes of SLURM's commands."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from convrnn_data import PreparedSet
from convrnn_data.sample.sample import draw_sample

SCRIPTS = Path(__file__).resolve().parents[2] / "examples/slurm"
BIN = Path(sys.executable).parent
SMALL = "--width 0.02 --timesteps 2 --image-size 64 --batch-size 8 --epochs 1"

# Like SLURM, start a process for each task, with its number.
SRUN = """#!/usr/bin/env bash
trap 'kill -TERM $(jobs -p)' TERM
for ((task = 0; task < ${SLURM_NTASKS:-1}; task++)); do SLURM_PROCID=$task "$@" & pids+=($!); done
code=0
for pid in "${pids[@]}"; do
  wait "$pid" || code=$?
  while kill -0 "$pid" 2>/dev/null; do wait "$pid" || code=$?; done
done
exit $code
"""
SCONTROL = """#!/usr/bin/env bash
if [[ $1 == show ]]; then printf '127.0.0.1\\nanother\\n'; else echo "$@" > requeued; fi
"""
# Runs until SIGTERM, then exits with 143.
PATIENT = """#!/usr/bin/env bash
trap 'exit 143' TERM
echo "$@" > words
while :; do sleep 0.05; done
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """Provide a folder with fakes of `srun` and `scontrol` for the scripts run there."""
    executable(tmp_path / "slurm/srun", SRUN)
    executable(tmp_path / "slurm/scontrol", SCONTROL)
    return tmp_path


def environment(cluster: Path, **values: object) -> dict[str, str]:
    path = f"{cluster / 'slurm'}:{os.environ['PATH']}"
    given = {name: str(value) for name, value in values.items()}
    return {**os.environ, "PATH": path, "CONVRNN_BIN": str(BIN), "SLURM_JOB_ID": "42", **given}


def run(cluster: Path, script: str, **values: object) -> str:
    done = subprocess.run(
        ["bash", SCRIPTS / script],
        cwd=cluster,
        env=environment(cluster, **values),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.sbatch")))
def test_bash_parses_it(script: str) -> None:
    subprocess.run(["bash", "-n", SCRIPTS / script], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", SCRIPTS / script], check=True)
    text = (SCRIPTS / script).read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert text.index("#SBATCH") < text.index("set -"), "SLURM ignores options after the first command"


def prepare_as_array(cluster: Path) -> None:
    draw_sample(cluster / "sample", images_per_category=3, trials=16, observers=1)
    flags = "--images all --val 0.34 --shard-size 8"
    for task in (2, 1):
        run(
            cluster,
            "prepare.sbatch",
            IMAGENET="sample/imagenet",
            PREPARE_FLAGS=flags,
            SLURM_ARRAY_TASK_ID=task,
            SLURM_ARRAY_TASK_COUNT=2,
            SLURM_CPUS_PER_TASK=1,
        )
    run(cluster, "verify.sbatch")


def test_prepare_as_an_array_and_verify(cluster: Path) -> None:
    prepare_as_array(cluster)
    assert sum(sum(row.values()) for row in PreparedSet(cluster / "data").manifest["counts"].values()) == 48


def test_training_requeues_itself_on_sigterm(cluster: Path) -> None:
    executable(cluster / "bin/convrnn", PATIENT)
    values = environment(cluster, CONVRNN_BIN=cluster / "bin", PERTURB="noise", TRAIN_FLAGS="--epochs 3")
    with subprocess.Popen(["bash", SCRIPTS / "train.sbatch"], cwd=cluster, env=values) as job:
        began = time.monotonic()
        while not (cluster / "words").exists() and time.monotonic() - began < 600:
            time.sleep(0.02)
        job.send_signal(signal.SIGTERM)
        assert job.wait(timeout=600) == 0
    assert (cluster / "requeued").read_text().split() == ["requeue", "42"]
    words = (cluster / "words").read_text().split()
    assert words[-1] == "--resume"
    assert words[words.index("--epochs") + 1] == "3"


def test_failed_training_is_not_requeued(cluster: Path) -> None:
    executable(cluster / "bin/convrnn", "#!/usr/bin/env bash\nexit 1\n")
    values = environment(cluster, CONVRNN_BIN=cluster / "bin", PERTURB="noise")
    assert (
        subprocess.run(["bash", SCRIPTS / "train.sbatch"], cwd=cluster, env=values, check=False).returncode
        == 1
    )
    assert not (cluster / "requeued").exists()


def test_processes_get_their_number_and_the_first_host(cluster: Path) -> None:
    echo = '#!/usr/bin/env bash\necho "$KERAS_BACKEND $*" > words-$SLURM_PROCID\n'
    executable(cluster / "bin/convrnn", echo)
    settings = {"CONVRNN_BIN": cluster / "bin", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_NTASKS": 2}
    run(cluster, "train-nodes.sbatch", PERTURB="blur", PORT=5000, **settings)
    for number in range(2):
        words = (cluster / f"words-{number}").read_text().split()
        assert words[0] == "jax"
        assert words[-6:] == ["--coordinator", "127.0.0.1:5000", "--processes", "2", "--process", str(number)]


def test_features_get_their_task(cluster: Path) -> None:
    executable(cluster / "bin/convrnn", '#!/usr/bin/env bash\necho "$@" > words\n')
    task = {"SLURM_ARRAY_TASK_ID": 3, "SLURM_ARRAY_TASK_COUNT": 8}
    flags = "--views 2 --width 0.5"
    run(
        cluster,
        "features.sbatch",
        CONVRNN_BIN=cluster / "bin",
        PERTURB="blur",
        RUNS="r",
        FEATURES_FLAGS=flags,
        **task,
    )
    words = f"features data --perturb blur --out r/features {flags} --task 3/8"
    assert (cluster / "words").read_text().split() == words.split()


@pytest.mark.slow
def test_all_scripts_in_order(cluster: Path) -> None:
    prepare_as_array(cluster)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = f"--weights none {SMALL}"
    nodes = {"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_NTASKS": 2, "PORT": port}
    run(cluster, "train-nodes.sbatch", PERTURB="color", TRAIN_FLAGS=flags, **nodes)
    features = "--weights runs/color/weights.h5 --views 1 --width 0.02 --timesteps 2 --image-size 64"
    for task in (2, 1):
        array = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": 2}
        run(cluster, "features.sbatch", PERTURB="noise", FEATURES_FLAGS=features, **array)
    files = {path: path.stat().st_mtime_ns for path in cluster.glob("runs/features/*/*")}
    flags = f"--weights runs/color/weights.h5 --views 1 {SMALL}"
    run(cluster, "train.sbatch", PERTURB="noise", TRAIN_FLAGS=flags)
    # Training used the features computed by the array.
    assert {path: path.stat().st_mtime_ns for path in cluster.glob("runs/features/*/*")} == files
    run(cluster, "evaluate.sbatch", HUMAN_SET="sample/human", HUMAN="sample/human")
    assert (cluster / "report/index.html").stat().st_size > 0
    assert len(list(cluster.glob("runs/*/evaluation/*/measures.json"))) == 2
