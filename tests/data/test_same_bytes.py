"""The same input gives the same bytes in every layout, on every engine and after every interruption."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from convrnn_data import prepare, verify

SETTINGS = {"images": "all", "val": 0.2, "test": 0.1, "shard_size": 10}
OPTIONS = ["--images", "all", "--val", "0.2", "--test", "0.1", "--shard-size", "10"]
COMMAND = [str(Path(sys.executable).with_name("convrnn-data")), "prepare"]


@pytest.fixture(scope="module")
def undisturbed(class_folders, tmp_path_factory, digests):
    """Provide the expected bytes: class folders, one worker, no interruption."""
    out = tmp_path_factory.mktemp("reference") / "set"
    prepared = prepare(class_folders, out, workers=1, **SETTINGS)
    assert (prepared.written, prepared.complete) == (12, True)
    return digests(out)


@pytest.mark.parametrize("form", ["class_tars", "tar_of_tars"])
def test_every_layout_gives_the_same_bytes(form, request, tmp_path, undisturbed, digests):
    prepare(request.getfixturevalue(form), tmp_path / "set", workers=1, **SETTINGS)
    assert digests(tmp_path / "set") == undisturbed


def test_two_workers_give_the_same_bytes(class_folders, tmp_path, undisturbed, digests):
    prepare(class_folders, tmp_path / "set", workers=2, **SETTINGS)
    assert digests(tmp_path / "set") == undisturbed


def test_the_tasks_of_an_array_and_verify_give_the_same_bytes(tar_of_tars, tmp_path, undisturbed, digests):
    out = tmp_path / "set"
    for task in (3, 1):
        assert not prepare(tar_of_tars, out, workers=1, task=f"{task}/3", **SETTINGS).complete
    missing = verify(out)
    assert len(missing.problems) == 4
    assert all("is not written yet" in problem for problem in missing.problems)
    prepare(tar_of_tars, out, workers=1, task="2/3", **SETTINGS)
    done = verify(out)
    assert (done.problems, done.completed) == ((), True)
    assert digests(out) == undisturbed


FILE_OPERATIONS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}
"""Audit events before which a process is killed."""


def killed(source, out, number):
    """Prepare in a child process that kills itself before an operation; return whether it was reached."""
    child = os.fork()
    if child == 0:
        try:
            left = number

            def count(event, arguments):
                nonlocal left
                if event in FILE_OPERATIONS:
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(count)
            prepare(source, out, workers=1, **SETTINGS)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


def test_killed_twenty_times(class_folders, tmp_path, undisturbed, digests):
    draw, kills, out = random.Random(7), 0, tmp_path / "set"
    while kills < 20:
        stamps = {
            path: path.stat().st_mtime_ns for path in out.rglob("*.tar") if path.with_suffix(".json").exists()
        }
        # A run from the beginning has about 200 operations.
        ended = killed(class_folders, out, draw.randrange(150))
        kills += ended
        # Complete files are not written again.
        assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
        if not ended:
            assert digests(out) == undisturbed
            shutil.rmtree(out)
    prepare(class_folders, out, workers=1, **SETTINGS)
    assert digests(out) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["command", "group"])
def test_the_command_with_two_workers_killed_twenty_times(
    whom, class_folders, tmp_path, undisturbed, digests
):
    draw, out = random.Random(11), tmp_path / "set"
    command = [*COMMAND, str(class_folders), str(out), *OPTIONS, "--workers", "2"]
    kills = 0
    while kills < 20:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as running:
            while not (out / "plan.json").exists() and running.poll() is None:
                time.sleep(0.005)
            time.sleep(draw.uniform(0, 1.5))
            if running.poll() is None:
                (os.kill if whom == "command" else os.killpg)(running.pid, signal.SIGKILL)
                kills += 1
        if (out / "manifest.json").exists():
            shutil.rmtree(out)
        # Workers end shortly after the command.
        while workers_of(running.pid):
            time.sleep(0.005)
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=True).returncode == 0
    assert digests(out) == undisturbed


def workers_of(group):
    """Return the processes of a group that are not zombies."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, its_group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            found += [process.name] if int(its_group) == group and state != "Z" else []
    return found


@pytest.mark.slow
def test_ray_with_two_nodes(class_tars, tmp_path, undisturbed, digests):
    script = (
        "import sys; from pathlib import Path; from ray.cluster_utils import Cluster\n"
        "from convrnn_data import prepare\n"
        "cluster = Cluster(initialize_head=True, head_node_args={'num_cpus': 1}); cluster.add_node(num_cpus=1)\n"
        "prepare(Path(sys.argv[1]), Path(sys.argv[2]), engine='ray', address=cluster.address, workers=2, "
        f"**{SETTINGS!r})\n"
        "cluster.shutdown()"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(class_tars), str(tmp_path / "set")], check=True, timeout=300
    )
    assert digests(tmp_path / "set") == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_cluster_started_for_the_command(engine, class_folders, tmp_path, undisturbed, digests):
    command = [
        *COMMAND,
        str(class_folders),
        str(tmp_path / "set"),
        *OPTIONS,
        "--engine",
        engine,
        "--workers",
        "2",
    ]
    subprocess.run(command, check=True, timeout=300)
    assert digests(tmp_path / "set") == undisturbed
