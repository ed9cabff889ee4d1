"""Errors of `convrnn` where no command can work: without POSIX, or without a current folder."""

import subprocess
import sys

import pytest

NO_POSIX = "import sys; sys.modules['fcntl'] = None\n"
"""Code that makes `import fcntl` fail, as on Windows."""

NO_CURRENT_FOLDER = "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "set"], ["compare", "run"]])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (NO_POSIX, "convrnn: error: convrnn needs a POSIX system (Linux or macOS), got "),
        (NO_CURRENT_FOLDER, "convrnn: error: the current folder cannot be used: No such file"),
    ],
)
def test_no_posix_or_current_folder_is_a_one_line_error(arguments, setting, message, tmp_path):
    code = setting + "from convrnn_experiments.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
