"""Some hundred broken inputs for every parser, in processes of their own; `make fuzz` gives them many more."""

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("parser", TARGETS)
def test_broken_input_gives_an_answer_or_one_clear_error(parser, tmp_path):
    words = [sys.executable, "-m", "fuzz", parser, "--inputs", "300", "--findings", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 300 inputs" in done.stdout
