"""Runs the commands as a user does: in processes of their own, from an empty folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def command() -> Command:
    """Runs a command of the environment that the tests run in; returns it finished, with its texts."""

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
