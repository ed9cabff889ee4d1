"""A taste of `make chaos`: a few kills, and every other fault, of the quickest command."""

import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "reliability/chaos.py"


def results_of(command, folder: Path, *options: object) -> dict:
    done = command(sys.executable, SCRIPT, "--jobs", "prepare", "--out", folder / "page.json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "page.json").read_text())


def test_prepare_survives_kills(command, tmp_path: Path) -> None:
    results = results_of(command, tmp_path, "--kills", 3, "--no-faults")
    assert len(results["kills"]) == 3
    assert {one["phase"] for one in results["kills"]} <= set(results["usual"]["prepare"]["of these"])
    # Each at a moment of its work, or before a file operation.
    assert all((one["seconds"] is None) == bool(one["before"]) for one in results["kills"])
    assert results["endings"]
    assert not any(one["wrong"] for one in results["endings"])
    page = (tmp_path / "page.md").read_text()
    assert "## 3 kills" in page
    assert "evaluate" in page.split("**Not killed in this run:**")[1]


@pytest.mark.slow
def test_prepare_says_what_is_wrong(command, tmp_path: Path) -> None:
    results = results_of(command, tmp_path, "--kills", 0)
    assert results["faults"]
    assert all(one["well"] for one in results["faults"])
    page = (tmp_path / "page.md").read_text()
    assert all(f"| {one['fault']} |" in page for one in results["faults"])
