"""What the command `convrnn` says where nothing can work: no POSIX system, no current folder."""

import subprocess
import sys

import pytest

WINDOWS = "import sys; sys.modules['fcntl'] = None\n"
"""Makes `import fcntl` fail, as on Windows."""

GONE = "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "set"], ["compare", "run"]])
@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (WINDOWS, "convrnn: error: convrnn needs a POSIX system (Linux or macOS), got "),
        (GONE, "convrnn: error: the current folder cannot be used: No such file"),
    ],
)
def test_what_keeps_every_command_from_working_is_one_line(arguments, setting, says, tmp_path):
    code = setting + "from convrnn_experiments.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(says)
    assert done.stderr.count("\n") == 1
