"""The command: output, errors and exit codes."""

import subprocess
import sys

import pytest

from convrnn_model import cli, save_weights

pytestmark = pytest.mark.together


@pytest.fixture
def command(monkeypatch, capsys):
    """A function that runs the command in this process, and returns exit code, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["convrnn-model", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return run


def test_inspect(command, golden_file):
    code, out, err = command("inspect", golden_file)
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.replace("time steps", "time_steps").splitlines()]
    assert dict(lines[:5]) == {
        "network": "bl_net",
        "filters": "96 128 192 256 512 1024 2048",
        "classes": "565",
        "time_steps": "8",
        "data": "set   ecoset",
    }
    assert lines[5] == ["sha256", "fa9a561c3d680d881c353b3d5234e9581862d5e581cadb9129401f94a05d0f99"]


def test_inspect_with_other_classes(command, tiny_bl, tmp_path):
    save_weights(tiny_bl, tmp_path / "w.h5")
    code, out, _ = command("inspect", tmp_path / "w.h5")
    assert code == 0
    assert "data set   unknown" in out


def test_summary(command):
    code, out, err = command("summary", "bl")
    assert (code, err) == (0, "")
    assert "bl_net, 128 px, 1000 classes: 28,939,016 parameters, 83.49 G multiply-adds" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["RCL_0_LConv", "451,584", "0.00", "7,398.75"] in lines
    assert ["0", "1.99", "1.99"] in lines
    assert ["7", "11.64", "83.49"] in lines


def test_summary_with_options(command):
    options = ("--classes", 10, "--image-size", 64, "--width", 0.1)
    code, out, _ = command("summary", "b_d", *options)
    assert code == 0
    assert out.startswith("b_d_net, 64 px, 10 classes: ")
    assert out.count("Conv_Layer_") == 14
    assert [line.split()[0] for line in out.splitlines()[-1:]] == ["0"]
    assert command("summary", "bl", "--timesteps", 3, *options)[1].splitlines()[-1].startswith("2 ")


def test_fetch(command, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVRNN_MIRROR", "nowhere://x")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    code, out, err = command("fetch", "b_imagenet", "--cache", tmp_path)
    assert (code, out) == (1, "")
    assert str(tmp_path / "b_imagenet.h5") in err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("inspect", "no-such-file.h5"), 1, "no-such-file.h5 does not exist"),
        (("summary", "resnet"), 1, "choose one of bl_net"),
        (("summary", "b", "--image-size", 32), 1, "at least 64 px"),
        (("fetch", "resnet"), 1, "choose one of bl_imagenet"),
        (("inspect",), 2, "Missing argument"),
        (("inspekt", "x"), 2, "No such command"),
        (("summary", "bl", "--timesteps", "many"), 2, "(see `convrnn-model summary --help`)"),
    ],
)
def test_errors_are_one_line(arguments, code, says, command):
    found, out, err = command(*arguments)
    assert (found, out) == (code, "")
    assert err.startswith("convrnn-model: error: ")
    assert says in err
    assert err.count("\n") == 1


def test_help(command):
    code, out, _ = command("--help")
    assert code == 0
    assert all(name in out for name in ("inspect", "summary", "fetch"))
    assert command()[0] == 2


def test_interrupted(command, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "inspect_weights", interrupt)
    code, _, err = command("inspect", "x")
    assert code == 130
    assert err.startswith("convrnn-model: error: interrupted")


@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "w.h5"], ["summary", "bl"]])
def test_a_removed_working_directory_is_one_line(arguments, tmp_path):
    code = (
        "import os; os.mkdir('removed'); os.chdir('removed'); os.rmdir('../removed')\n"
        "from convrnn_model.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("convrnn-model: error: the current folder cannot be used: No such file")
    assert done.stderr.count("\n") == 1


def test_the_command_runs_without_posix_modules(tmp_path):
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


def test_export(command, tiny_bl, tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    save_weights(tiny_bl, tmp_path / "w.h5")
    out = tmp_path / "w.safetensors"
    assert command("export", tmp_path / "w.h5", out) == (
        0,
        f"written: {out}\nchecked with safetensors: largest relative difference 0\n",
        "",
    )
    code, _, err = command("export", tmp_path / "w.h5", out)
    assert code == 1
    assert "Pass --force" in err
    assert command("export", tmp_path / "w.h5", out, "--force", "--timesteps", 2)[0] == 0


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("w.pb", (), "must be one of .onnx, .xml, .safetensors, .keras, got '.pb'"),
        ("w.keras", ("--image-size", 32), "sides must be at least 64 px"),
        ("w.keras", ("--outputs", "conv1", "--outputs", "features"), "no output called conv1"),
        ("w.keras", ("--batch", 0), "--batch"),
    ],
)
def test_export_with_wrong_options(name, options, says, command, tiny_bl, tmp_path):
    save_weights(tiny_bl, tmp_path / "w.h5")
    code, _, err = command("export", tmp_path / "w.h5", tmp_path / name, *options)
    assert code == (2 if "--batch" in options else 1)
    assert says in err
    assert [path.name for path in tmp_path.iterdir()] == ["w.h5"]
