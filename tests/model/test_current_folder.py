import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "w.h5"], ["summary", "bl"]])
def test_a_current_folder_that_is_gone_is_one_line(arguments, tmp_path):
    code = (
        "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "from convrnn_model.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("convrnn-model: error: the current folder cannot be used: No such file")
    assert done.stderr.count("\n") == 1


def test_the_package_and_its_command_need_no_posix(tmp_path):
    code = "import sys; sys.modules['fcntl'] = None\nfrom convrnn_model.cli import main; main()"

    def run(*arguments):
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    done = run("inspect", "w.h5")
    assert done.returncode == 1
    assert done.stderr.startswith("convrnn-model: error: w.h5")
    assert done.stderr.count("\n") == 1
    done = run("summary", "b", "--width", "0.0625", "--image-size", "64")
    assert done.returncode == 0, done.stderr
    assert "parameters" in done.stdout
