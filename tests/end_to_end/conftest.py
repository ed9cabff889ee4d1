"""Fixture that runs the commands in separate processes, as a user does."""

import os
import subprocess
import sys
from collections.abc import Callable
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
