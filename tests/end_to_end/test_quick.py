"""From a weights file to the comparison page by one command, without training."""

import csv
import shutil
import sys
from pathlib import Path

import pytest

from convrnn_model import bl_net, save_weights

REPOSITORY = Path(__file__).parents[2]
SMALL = "EVALUATE_FLAGS=--image-size 64 --timesteps 2"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Folder with the Makefile and this environment, in which nothing has to be installed."""
    folder = tmp_path_factory.mktemp("quick")
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "CITATION.cff"):
        shutil.copy(REPOSITORY / name, folder)
    for package in ("data", "model", "experiments"):
        path = f"packages/convrnn-{package}/pyproject.toml"
        (folder / path).parent.mkdir(parents=True)
        shutil.copy(REPOSITORY / path, folder / path)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv/.ready").touch()
    return folder


def test_a_weights_file_gives_the_page(command, installed):
    save_weights(bl_net((64, 64, 3), 1000, 2, width=0.02), installed / "narrow.h5")
    sample = "QUICK_SAMPLE=--images-per-category 1 --trials 16 --observers 2"
    done = command("make", "quick", "WEIGHTS=narrow.h5", SMALL, sample, cwd=installed)
    assert done.returncode == 0, done.stderr
    assert "these are DRAWN stimuli, with SIMULATED observers" in done.stdout
    page = (installed / "quick/report/index.html").read_text(encoding="utf-8")
    assert "SIMULATED" in page
    assert "without training" in page
    with (installed / "quick/report/tables/comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["network"] for row in rows} == {"narrow"}
    assert {row["condition"].split()[0] for row in rows} == {"color", "grayscale", "noise", "blur"}


def test_without_a_network_connection_the_error_asks_for_a_file(command, installed, tmp_path):
    (tmp_path / "human").mkdir()
    nowhere = {"CONVRNN_CACHE": str(tmp_path), "CONVRNN_MIRROR": "http://127.0.0.1:9"}
    done = command("make", "quick", f"HUMAN={tmp_path / 'human'}", cwd=installed, **nowhere)
    assert done.returncode == 2
    assert "give the path of a weights file in place of bl_imagenet" in done.stderr
