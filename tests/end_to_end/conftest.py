"""Fixture that runs the commands in separate processes, as a user does."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def command() -> Command:
    """Return a function that runs a command of this environment and returns the completed process."""

    def run(*words: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
        bin_folder = Path(sys.executable).parent
        arguments = [str(word) for word in words]
        if (bin_folder / arguments[0]).exists():
            arguments[0] = str(bin_folder / arguments[0])
        return subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            timeout=600,
            cwd=cwd,
            env={**os.environ, **environment},
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Runs a command as `command` does, in a process forked from one that has imported it."""
    logs = tmp_path_factory.mktemp("forked")
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("forking.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:

        def run(*words: object, cwd: Path) -> subprocess.CompletedProcess:
            arguments = [str(word) for word in words]
            files = {"out": str(logs / "out"), "err": str(logs / "err")}
            print(
                json.dumps({"words": arguments, "folder": str(cwd), **files}), file=server.stdin, flush=True
            )
            code = int(server.stdout.readline())
            return subprocess.CompletedProcess(
                arguments, code, (logs / "out").read_text(), (logs / "err").read_text()
            )

        yield run
        server.stdin.close()
