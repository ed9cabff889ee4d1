"""Every number of a report's page, computed again by a script of its own from the CSV files beside it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convrnn_experiments.report import build

SCRIPT = Path(__file__).with_name("recompute_page.py")


@pytest.fixture(scope="module")
def page(tmp_path_factory, human_data, make_run, without_figures):
    folder = tmp_path_factory.mktemp("page")
    runs = [make_run(folder / "color", "color", human_data, steps=6)] + [
        make_run(folder / f"blur-seed{seed}", "blur", human_data, steps=6, seed=seed, training_seed=seed)
        for seed in range(2)
    ]
    with without_figures():
        return build.write_report(runs, folder / "report/index.html", human=human_data)


def again(page):
    done = subprocess.run(
        [sys.executable, SCRIPT, page], capture_output=True, text=True, timeout=600, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_every_number_is_found_again(page):
    code, said = again(page)
    assert code == 0, said
    assert int(said.split(" numbers computed again")[0].split()[-1]) > 500


def test_numbers_that_are_off_are_found(page, tmp_path):
    spoilt = Path(shutil.copytree(page.parent, tmp_path / "spoilt")) / page.name
    wrong = []
    for table, column in (
        ("comparison", "value"),
        ("seeds", "mean"),
        ("curves", "people_high"),
        ("misses", "missed_percent"),
    ):
        path = spoilt.parent / f"tables/{table}.csv"
        lines = path.read_text().splitlines()
        place = lines[0].split(",").index(column)
        cells = lines[1].split(",")
        wrong.append(float(cells[place]) + 3)
        cells[place] = str(wrong[-1])
        path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    code, said = again(spoilt)
    assert code == 1
    for value in wrong:
        assert f": {value} on the page, " in said
