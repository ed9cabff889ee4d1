"""A taste of `make chaos`: a few kills and every other fault of the quickest command."""

import json
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "reliability/chaos.py"


def test_prepare_survives(command, tmp_path: Path) -> None:
    words = [sys.executable, SCRIPT, "--kills", 6, "--jobs", "prepare", "--out", tmp_path / "page.json"]
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "page.json").read_text())
    assert len(results["kills"]) == 6
    assert {one["after"] for one in results["faults"]} == {"same result"}
    page = (tmp_path / "page.md").read_text()
    for one in results["faults"]:
        assert f"| {one['fault']} |" in page
