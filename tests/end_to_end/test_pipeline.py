"""Whole pipeline by commands, at a small size: draw, prepare, train, evaluate, report."""

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
TIMESTEPS = 2
SMALL = ["--timesteps", str(TIMESTEPS), "--width", "0.02", "--image-size", "64", "--epochs", "2"]
TRAIN = ["--weights", "none", "--trainable", "all", "--batch-size", "8", *SMALL]
FROM_COLOR = ["--weights", "runs/color/weights.h5", "--views", "2", *SMALL]


@pytest.fixture(scope="module")
def pipeline(command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder in which every command of the pipeline has been run."""
    folder = tmp_path_factory.mktemp("pipeline")
    sample = ["sample", "sample", "--images-per-category", "4", "--trials", "16", "--observers", "2"]
    for words in (
        ["convrnn-data", *sample],
        ["convrnn-data", "prepare", "sample/imagenet", "data", "--images", "all", "--val", "0.25"],
        ["convrnn-data", "reformat", "sample/human", "human"],
        ["convrnn", "train", "data", "--perturb", "color", *TRAIN],
        ["convrnn", "train", "data", "--perturb", "noise", *FROM_COLOR],
        ["convrnn", "evaluate", "runs/color", "human"],
        ["convrnn", "evaluate", "runs/noise", "human"],
        ["convrnn", "report", "runs/color", "runs/noise", "--out", "report/index.html"],
    ):
        done = command(*words, cwd=folder)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        unexpected = [line for line in done.stderr.splitlines() if not PROGRESS.fullmatch(line)]
        assert not unexpected, f"{words} wrote to stderr: {done.stderr}"
        (folder / f"stdout-{words[1]}-{words[2].replace('/', '-')}.txt").write_text(done.stdout)
    return folder


def test_prepared_set_is_read_by_webdataset(pipeline: Path) -> None:
    shards = sorted(str(path) for path in pipeline.glob("data/*/*.tar"))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # webdataset leaves files for the garbage collector to close
        samples = list(webdataset.WebDataset(shards, shardshuffle=False))
        gc.collect()
    assert len(samples) == 4 * len(CATEGORIES)
    for sample in samples:
        assert CATEGORIES[int(sample["cls"])] == json.loads(sample["json"])["category"]


def test_runs_are_complete(pipeline: Path) -> None:
    for name in ("color", "noise"):
        with (pipeline / "runs" / name / "history.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 2
        assert {f"val_accuracy_exit{step}" for step in range(TIMESTEPS)} <= set(rows[0])
        assert (pipeline / "runs" / name / "weights.h5").is_file()
    assert len(list(pipeline.glob("runs/features/*/train-view?-*.h5"))) == 2


def test_predictions_have_the_columns_of_the_published_code(pipeline: Path) -> None:
    with (pipeline / "runs/noise/evaluation/noise/predictions.csv").open() as file:
        reader = csv.reader(file)
        header, rows = next(reader), list(reader)
    exits = [f"predictions_exit{step}" for step in range(TIMESTEPS)]
    assert header[: 3 + TIMESTEPS] == ["file_paths", "file_names", "labels", *exits]
    assert header[-2 - TIMESTEPS :] == [
        "level",
        "block",
        *(f"margin_exit{step}" for step in range(TIMESTEPS)),
    ]
    assert len(rows) == 5 * 16
    for row in rows:
        stem = re.fullmatch(r"\d+_noise_([\d.]+)_([a-z]+)_exit(\d)\.JPEG", row[1])
        assert stem, row[1]
        assert (stem[1], CATEGORIES[int(row[2])], stem[3]) == (
            row[header.index("level")],
            stem[2],
            row[header.index("block")],
        )
        assert all(0 <= int(answer) < 16 for answer in row[3 : 3 + TIMESTEPS])


def test_measures_agree_with_the_predictions(pipeline: Path) -> None:
    with (pipeline / "runs/noise/evaluation/noise/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    measures = json.loads((pipeline / "runs/noise/evaluation/noise/measures.json").read_text())
    for step in range(TIMESTEPS):
        right = [row[f"predictions_exit{step}"] == row["labels"] for row in rows]
        percent = measures["accuracy"]["percent"][step]
        assert percent == pytest.approx(100 * sum(right) / len(right))
        assert measures["accuracy"]["low"][step] <= percent <= measures["accuracy"]["high"][step]


def test_accuracy_is_printed_for_every_time_step(pipeline: Path) -> None:
    stdout = (pipeline / "stdout-evaluate-runs-color.txt").read_text()
    assert re.search(rf"all(\s+\d+\.\d){{{TIMESTEPS}}}$", stdout, re.MULTILINE), stdout


def test_the_report_is_self_contained(pipeline: Path) -> None:
    page = (pipeline / "report/index.html").read_text()
    assert "data:image/webp;base64," in page
    assert not re.findall(r"src=[\"'](?!data:)", page)
    linked = [
        name for name in re.findall(r"href=[\"']([^\"']*)", page) if not name.startswith(("#", "data:"))
    ]
    assert all((pipeline / "report" / name).is_file() for name in linked), linked
    assert list((pipeline / "report").rglob("*.png"))


def test_repeating_a_command_changes_nothing(pipeline: Path, command) -> None:
    before = {path: path.stat().st_mtime_ns for path in (pipeline / "runs/color").iterdir() if path.is_file()}
    again = command("convrnn", "train", "data", "--perturb", "color", *TRAIN, cwd=pipeline)
    assert again.returncode == 1
    assert "finished" in again.stderr
    resumed = command("convrnn", "train", "data", "--perturb", "color", *TRAIN, "--resume", cwd=pipeline)
    assert resumed.returncode == 0
    assert "nothing to do" in resumed.stdout
    assert before == {
        path: path.stat().st_mtime_ns for path in (pipeline / "runs/color").iterdir() if path.is_file()
    }
