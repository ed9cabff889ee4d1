"""The whole road once, at a small size: draw, prepare, train, evaluate, report; by commands alone."""

import csv
import gc
import json
import re
import warnings
from pathlib import Path

import pytest
import webdataset

from convrnn_data import CATEGORIES

PROGRESS = re.compile(r".+: [\d,]+ of [\d,]+")
SMALL = ["--width", "0.02", "--image-size", "64", "--epochs", "2"]
TRAIN = ["--weights", "none", "--trainable", "all", "--batch-size", "8", *SMALL]
FROM_COLOR = ["--weights", "runs/color/weights.h5", "--views", "2", *SMALL]


@pytest.fixture(scope="module")
def road(command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every command of the road has been run."""
    folder = tmp_path_factory.mktemp("road")
    sample = ["sample", "sample", "--images-per-category", "4", "--trials", "32", "--observers", "2"]
    for words in (
        ["convrnn-data", *sample],
        ["convrnn-data", "prepare", "sample/imagenet", "data", "--images", "all", "--val", "0.25"],
        ["convrnn-data", "reformat", "sample/human", "human"],
        ["convrnn", "train", "data", "--perturb", "color", *TRAIN],
        ["convrnn", "train", "data", "--perturb", "noise", *FROM_COLOR],
        ["convrnn", "evaluate", "runs/color", "human"],
        ["convrnn", "evaluate", "runs/noise", "human"],
        ["convrnn", "evaluate", "runs/noise", "data"],
        ["convrnn", "report", "runs/color", "runs/noise", "--out", "report/index.html"],
    ):
        done = command(*words, cwd=folder)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        loud = [line for line in done.stderr.splitlines() if not PROGRESS.fullmatch(line)]
        assert not loud, f"{words} spoke on stderr: {done.stderr}"
        (folder / f"said-{words[1]}-{words[2].replace('/', '-')}.txt").write_text(done.stdout)
    return folder


def test_prepared_set_is_read_by_webdataset(road: Path) -> None:
    shards = sorted(str(path) for path in road.glob("data/*/*.tar"))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # webdataset leaves closing its files to the collector
        samples = list(webdataset.WebDataset(shards, shardshuffle=False))
        gc.collect()
    assert len(samples) == 4 * len(CATEGORIES)
    for sample in samples:
        assert CATEGORIES[int(sample["cls"])] == json.loads(sample["json"])["category"]


def test_runs_are_whole(road: Path) -> None:
    for name in ("color", "noise"):
        with (road / "runs" / name / "history.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 2
        assert {f"val_accuracy_exit{step}" for step in range(8)} <= set(rows[0])
        assert (road / "runs" / name / "weights.h5").is_file()
    assert len(list(road.glob("runs/features/*/train-view?-*.h5"))) == 2


def test_predictions_have_the_originals_columns(road: Path) -> None:
    with (road / "runs/noise/evaluation/noise/predictions.csv").open() as file:
        reader = csv.reader(file)
        header, rows = next(reader), list(reader)
    exits = [f"predictions_exit{step}" for step in range(8)]
    assert header[:11] == ["file_paths", "file_names", "labels", *exits]
    assert header[-2:] == ["level", "block"]
    assert len(rows) == 5 * 32
    for row in rows:
        stem = re.fullmatch(r"\d+_noise_([\d.]+)_([a-z]+)_exit(\d)\.JPEG", row[1])
        assert stem, row[1]
        assert (stem[1], CATEGORIES[int(row[2])], stem[3]) == (row[-2], stem[2], row[-1])
        assert all(0 <= int(answer) < 16 for answer in row[3:11])


def test_measures_are_those_of_the_predictions(road: Path) -> None:
    with (road / "runs/noise/evaluation/noise/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    measures = json.loads((road / "runs/noise/evaluation/noise/measures.json").read_text())
    for step in range(8):
        right = [row[f"predictions_exit{step}"] == row["labels"] for row in rows]
        percent = measures["accuracy"]["percent"][step]
        assert percent == pytest.approx(100 * sum(right) / len(right))
        assert measures["accuracy"]["low"][step] <= percent <= measures["accuracy"]["high"][step]


def test_accuracy_is_said_for_every_time_step(road: Path) -> None:
    said = (road / "said-evaluate-runs-color.txt").read_text()
    assert re.search(r"all(\s+\d+\.\d){8}$", said, re.MULTILINE), said


def test_page_stands_alone(road: Path) -> None:
    page = (road / "report/index.html").read_text()
    assert "data:image/png;base64," in page
    assert not re.findall(r"src=[\"'](?!data:)", page)
    linked = [
        name for name in re.findall(r"href=[\"']([^\"']*)", page) if not name.startswith(("#", "data:"))
    ]
    assert all((road / "report" / name).is_file() for name in linked), linked
    assert list((road / "report").rglob("*.png"))


def test_the_same_command_again_changes_nothing(road: Path, command) -> None:
    before = {path: path.stat().st_mtime_ns for path in (road / "runs/color").iterdir() if path.is_file()}
    again = command("convrnn", "train", "data", "--perturb", "color", *TRAIN, cwd=road)
    assert again.returncode == 1
    assert "finished" in again.stderr
    resumed = command("convrnn", "train", "data", "--perturb", "color", *TRAIN, "--resume", cwd=road)
    assert resumed.returncode == 0
    assert "nothing to do" in resumed.stdout
    assert before == {
        path: path.stat().st_mtime_ns for path in (road / "runs/color").iterdir() if path.is_file()
    }
