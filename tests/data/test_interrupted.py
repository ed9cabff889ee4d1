"""Failed runs of prepare end with one line, and leave the plan to other tasks."""

import subprocess
import sys
from pathlib import Path

import pytest

from convrnn_data import prepare, verify
from convrnn_data.base.errors import ConvRNNError


def test_an_error_with_two_workers_is_one_line(own_folders: Path, tmp_path: Path) -> None:
    for path in sorted(own_folders.rglob("*.JPEG"))[::3]:
        path.write_bytes(path.read_bytes()[:-20])
    words = f"prepare {own_folders} set --images all --shard-size 4 --strict --workers 2"
    command = [str(Path(sys.executable).with_name("convrnn-data")), *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("convrnn-data: error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_task_that_fails_leaves_the_plan_to_the_others(own_folders: Path, tmp_path: Path, digests) -> None:
    settings = {"images": "all", "shard_size": 20, "workers": 1, "strict": True}
    prepare(own_folders, tmp_path / "whole", **settings)
    out = tmp_path / "set"
    hidden = own_folders.rename(tmp_path / "hidden")

    def fail() -> None:
        # The images are removed between listing and copying.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                "convrnn_data.imagenet.preparing._refuse_full_disk", lambda *_: own_folders.rename(hidden)
            )
            with pytest.raises(ConvRNNError, match="Do not change the source while it is copied"):
                prepare(own_folders, out, task="1/2", **settings)
        hidden.rename(own_folders)

    hidden.rename(own_folders)
    fail()
    assert (out / "plan.json").is_file()
    prepare(own_folders, out, task="2/2", **settings)
    fail()
    assert any("is not written yet" in problem for problem in verify(out).problems)
    prepare(own_folders, out, task="1/2", **settings)
    assert verify(out).completed
    assert digests(out) == digests(tmp_path / "whole")
