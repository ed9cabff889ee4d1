"""Interrupted writing of weights and checkpoints: both packages follow the same rules."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convrnn_data.base.atomic import temporary_name
from convrnn_model.weights import hdf5


def test_weights_are_written_under_the_temporary_name_of_the_process(tmp_path: Path, monkeypatch) -> None:
    temporary_paths = []
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda path, target: temporary_paths.append(path) or replace(path, target)
    )
    hdf5.write(tmp_path / "weights.h5", {"layer": {"kernel": np.ones((2, 2), np.float32)}})
    assert temporary_paths == [temporary_name(tmp_path / "weights.h5") / "weights.h5"]


ON_A_FULL_DISK = """
import sys
from pathlib import Path
import numpy as np
from convrnn_experiments.runs import folder as run_folder
from convrnn_model.weights import hdf5

values = np.ones(250_000, np.float32)
path = Path(sys.argv[2])
try:
    if sys.argv[1] == "weights":
        hdf5.write(path, {"layer": {"kernel": values}})
    else:
        with run_folder.written_hdf5(path) as file:
            file["values"] = values
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("kind", ["weights", "checkpoint"])
def test_a_full_disk_is_one_error_for_hdf5_files(kind: str, tmp_path: Path) -> None:
    """Simulate a full disk by a limit on file size: both make write() fail halfway."""
    path = tmp_path / "a.h5"
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, kind, str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.stderr == ""
    assert done.stdout.startswith("ConvRNNError ")
    assert f"{path}" in done.stdout
    assert "File too large" in done.stdout
    assert not list(tmp_path.iterdir())
