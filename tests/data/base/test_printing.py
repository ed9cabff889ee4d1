"""Printing never ends a command: narrow encodings, closed and full outputs, closed pipes; in all three packages."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

RUN = "import convrnn_data.base.console\nconvrnn_data.base.console.run(app, 'convrnn-data')\n"
MODEL = "from convrnn_model import cli\ncli.app = app\ncli.main()\n"
APP = """
import sys, typer
from pathlib import Path
from rich.console import Console
from rich.table import Table
app = typer.Typer(add_completion=False)
@app.command()
def work(out: Path, lines: int = 20_000):
    '''Do what is asked … ± 日本 \u2019.'''
    table = Table("± … 日本")
    table.add_row("→")
    Console().print(table)
    for line in range(lines):
        print("progress … ± \u2019 日本 \\udc80", line)
        typer.echo("− ×")
        print("on stderr … 日本", file=sys.stderr)
    with open(out, "w", encoding="utf-8") as file:
        print(file.fileno() > 2, file=file)
"""
HEADS = [
    RUN,
    pytest.param(MODEL, marks=pytest.mark.skipif(not find_spec("convrnn_model"), reason="one package alone")),
]


def run(
    head: str, *arguments: str, redirect: str = "", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    command = f'set -o pipefail; "$0" -c "$1" "${{@:2}}" {redirect}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, APP + head, *arguments],
        capture_output=True,
        env=os.environ | variables,
    )


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"])
def test_narrow_encodings(head: str, encoding: str, tmp_path: Path) -> None:
    variables = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = run(head, str(tmp_path / "out"), "--lines", "2", **variables)
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 2)
    output = done.stdout.decode(encoding)
    assert "\\udc80 1" in output
    assert (tmp_path / "out").read_text() == "True\n"
    if encoding == "ascii":
        assert "progress ... +- ' \\u65e5\\u672c" in output
        assert "- x" in output
    helped = run(head, "--help", **variables)
    assert (helped.returncode, helped.stderr) == (0, b"")
    assert "Do what is asked" in helped.stdout.decode(encoding)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    ("redirect", "lost"),
    [
        (">&-", False),
        ("2>&-", False),
        ("<&- >&- 2>&-", False),
        (">/dev/full", True),
        (">/dev/full 2>/dev/full", False),
        ("| head -1", False),
        ("| true", False),
        ("2>&1 | true", False),
    ],
)
@pytest.mark.parametrize("arguments", [["{out}"], ["{out}", "--lines", "1"], ["--help"]])
def test_outputs_that_cannot_be_written(
    head: str, redirect: str, lost: bool, arguments: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run(head, *(text.format(out=out) for text in arguments), redirect=redirect)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    assert (b"standard output was lost: No space left on device" in done.stderr) == lost
    if "--help" not in arguments:
        assert out.read_text() == "True\n"


def test_errors_are_printed_in_any_encoding(tmp_path: Path) -> None:
    head = "from convrnn_data import cli\ncli.main()\n"
    done = run(head, "verify", str(tmp_path / "日本"), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 1
    assert b"\\u65e5\\u672c" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_both_packages_have_the_same_code() -> None:
    """convrnn-model does not import convrnn-data and therefore has a copy."""
    spec = find_spec("convrnn_model")
    if spec is None or spec.origin is None:
        pytest.skip("convrnn-model is not installed")
    import convrnn_data.base.printing

    theirs = Path(spec.origin).with_name("printing.py").read_text().splitlines()
    assert Path(convrnn_data.base.printing.__file__).read_text().splitlines()[1:] == theirs[1:]
