import os
import subprocess
import sys

import pytest

from convrnn_data import ConvRNNError
from convrnn_data.base import reading


@pytest.mark.parametrize("most", [1, 7, 64])
def test_short_reads_are_continued(most, tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(bytes(range(200)))
    pread, read = os.pread, os.read
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: pread(fd, min(size, most), offset))
    monkeypatch.setattr(os, "read", lambda fd, size: read(fd, min(size, most)))
    with open(path, "rb") as file:
        assert reading.pread_fully(file.fileno(), 150, 20) == bytes(range(20, 170))
        assert reading.pread_fully(file.fileno(), 500, 190) == bytes(range(190, 200))
        assert reading.pread_fully(file.fileno(), 5, 500) == b""
        assert reading.read_fully(file.fileno(), 150) == bytes(range(150))
        assert reading.read_fully(file.fileno(), 500) == bytes(range(150, 200))


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("._n01440764_1.JPEG", True),
        (".DS_Store", True),
        ("./._n01440764.tar", True),
        ("train/.cache/x.JPEG", True),
        ("__MACOSX/train/x.JPEG", True),
        ("@eaDir", True),
        ("Thumbs.db", True),
        ("./n01440764/n01440764_1.JPEG", False),
        ("n01440764.tar", False),
        ("a..b", False),
    ],
)
def test_hidden_names_are_recognized(name, hidden):
    assert reading.is_hidden(name) == hidden


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path):
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "a").mkdir()
    (tmp_path / "._a").write_bytes(b"")
    assert reading.names_in(tmp_path) == ["a", "b"]
    with pytest.raises(ConvRNNError, match=r"cannot list .*absent: No such file or directory. Check it"):
        reading.names_in(tmp_path / "absent", "Check it")


def in_process(code, tmp_path, *more):
    done = subprocess.run([sys.executable, "-c", code, *more], cwd=tmp_path, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["stats", "set"], ["prepare", "a", "b"]])
def test_a_removed_current_folder_is_a_one_line_error(arguments, tmp_path):
    code = (
        "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "from convrnn_data.cli import main; main()"
    )
    status, out, err = in_process(code, tmp_path, *arguments)
    assert (status, out) == (1, "")
    assert err.startswith("convrnn-data: error: the current folder cannot be used: No such file")
    assert err.count("\n") == 1


WINDOWS = "import sys; sys.modules['fcntl'] = None\n"
"""Makes `import fcntl` fail, as on Windows."""


@pytest.mark.parametrize("arguments", [["--version"], ["stats", "set"], ["sample", "out"]])
def test_commands_fail_with_one_line_without_posix(arguments, tmp_path):
    status, out, err = in_process(WINDOWS + "from convrnn_data.cli import main; main()", tmp_path, *arguments)
    assert (status, out) == (1, "")
    assert err.startswith("convrnn-data: error: convrnn-data needs a POSIX system (Linux or macOS), got ")
    assert "WSL" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("call", ["reformat('osf', 'new')", "open_set('set')", "prepare(Path(), Path('x'))"])
def test_the_package_imports_and_its_functions_fail_without_posix(call, tmp_path):
    code = (
        "import convrnn_data\n"
        "from pathlib import Path\n"
        "try:\n"
        f"    convrnn_data.{call}\n"
        "except convrnn_data.ConvRNNError as error:\n"
        "    print(error)\n"
    )
    status, out, err = in_process(WINDOWS + code, tmp_path)
    assert (status, err) == (0, "")
    assert "needs a POSIX system" in out
