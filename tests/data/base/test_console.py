"""Commands interrupted at any point: one line and the documented exit code; progress."""

import os
import subprocess
import sys

import pytest

from convrnn_data.base.console import plain_lines

COMMAND = """
import signal, typer
from convrnn_data.base.console import run

app = typer.Typer()


@app.command()
def work():
{work}

run(app, "it")
"""


PLAINLY = "    signal.raise_signal(signal.{name})"


INTO_A_CALLBACK = """
    class Held:
        def __del__(self):
            signal.raise_signal(signal.{name})

    held = Held()
    del held
    for _ in range(2000):
        signal.sigtimedwait([], 0.01)
    print("went on")
"""


INTO_A_LIBRARY = """
    try:
        signal.raise_signal(signal.{name})
    except KeyboardInterrupt:
        raise ValueError("no such matrix") from None
"""


INTO_A_CONSTRUCTOR = """
    import sys

    class Half:
        def __del__(self):
            try:
                raise KeyError(0)
            except KeyError as error:  # Cython's destructors report it in this way before it becomes unraisable.
                sys.excepthook(type(error), error, error.__traceback__)
                raise

    half = Half()
    signal.raise_signal(signal.{name})
"""


AT_THE_END = """
    class Held:
        def __del__(self):
            signal.raise_signal(signal.{name})

    held = Held()
"""


def run(work: str, name: str) -> "subprocess.CompletedProcess[str]":
    script = COMMAND.format(work=work.format(name=name))
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.parametrize("work", [PLAINLY, INTO_A_CALLBACK, INTO_A_LIBRARY, INTO_A_CONSTRUCTOR])
@pytest.mark.parametrize(
    ("name", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "ended")]
)
def test_an_interruption_is_never_lost(work: str, name: str, code: int, word: str) -> None:
    done = run(work, name)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == f"it: error: {word}; run the same command again; prepare resumes where it stopped\n"


def test_an_interruption_after_the_end_has_no_effect() -> None:
    done = run(AT_THE_END, "SIGTERM")
    assert (done.returncode, done.stderr) == (0, "")


def test_errors_of_libraries_show_a_traceback() -> None:
    done = run("    raise ValueError('no such matrix')", "")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_logs_get_a_line_every_few_seconds(capsys):
    times = iter([0.0, 3.0, 11.0, 11.0, 12.0, 21.5, 21.5])
    report = plain_lines(clock=lambda: next(times))
    for done in range(4):
        report("Writing shards", done * 1000, 4000)
    assert capsys.readouterr().err == "Writing shards: 1,000 of 4,000\nWriting shards: 3,000 of 4,000\n"


def test_progress_on_a_terminal_does_not_change_piped_output():
    script = (
        "from convrnn_data.base.console import progress\n"
        "with progress() as report:\n    report('epoch 1', 1, 2)\n    print('the line of an epoch')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        env=os.environ | {"FORCE_COLOR": "1"},  # makes rich treat standard error as a terminal
    )
    assert done.stdout == "the line of an epoch\n"
    assert "epoch 1" in done.stderr
