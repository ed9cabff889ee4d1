"""Files of two packages, weights and checkpoints, when their writing is cut short: the rules are the same in both."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convrnn_data.base.atomic import temporary_name
from convrnn_model.weights import hdf5


def test_weights_are_begun_under_a_name_that_is_known_as_dead_later(tmp_path: Path, monkeypatch) -> None:
    begun = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, target: begun.append(path) or replace(path, target))
    hdf5.write(tmp_path / "weights.h5", {"layer": {"kernel": np.ones((2, 2), np.float32)}})
    assert begun == [temporary_name(tmp_path / "weights.h5")]


ON_A_FULL_DISK = """
import sys
from pathlib import Path
import numpy as np
from convrnn_experiments.runs import folder as run_folder
from convrnn_model.weights import hdf5

many = np.ones(250_000, np.float32)
path = Path(sys.argv[2])
try:
    if sys.argv[1] == "weights":
        hdf5.write(path, {"layer": {"kernel": many}})
    else:
        with run_folder.written_hdf5(path) as file:
            file["many"] = many
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("what", ["weights", "checkpoint"])
def test_a_full_disk_is_one_error_of_hdf5_files_too(what: str, tmp_path: Path) -> None:
    """The system's limit on the size of a file stands for the disk's end: both make write() fail halfway."""
    path = tmp_path / "a.h5"
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, what, str(path)],
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
