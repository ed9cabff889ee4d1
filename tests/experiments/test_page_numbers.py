"""Every number of a report's page, computed again by a script of its own from the CSV files beside it."""

import subprocess
import sys
from pathlib import Path

import pytest

from convrnn_experiments.report import build

SCRIPT = Path(__file__).with_name("recompute_page.py")


@pytest.fixture(scope="module")
def page(tmp_path_factory, seen, make_run):
    folder = tmp_path_factory.mktemp("page")
    runs = [make_run(folder / regime, regime, seen, steps=6) for regime in ("color", "blur")]
    return build.write(runs, folder / "report/index.html", human=seen)


def again(page):
    done = subprocess.run(
        [sys.executable, SCRIPT, page], capture_output=True, text=True, timeout=600, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_every_number_is_found_again(page):
    code, said = again(page)
    assert code == 0, said
    assert int(said.split(" numbers computed again")[0].split()[-1]) > 500


@pytest.mark.parametrize(
    ("table", "column"), [("comparison", "value"), ("curves", "people_high"), ("misses", "missed_percent")]
)
def test_a_number_that_is_off_is_found(page, table, column):
    path = page.parent / f"tables/{table}.csv"
    text = path.read_text()
    lines = text.splitlines()
    place = lines[0].split(",").index(column)
    cells = lines[1].split(",")
    cells[place] = str(float(cells[place]) + 3)
    path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    try:
        code, said = again(page)
    finally:
        path.write_text(text)
    assert code == 1
    assert "computed again" in said
