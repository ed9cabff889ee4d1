"""RSA and ridge regression with scikit-learn, against computations without it."""

import csv
import re

import numpy as np
import pytest

from convrnn_model import compile_network, relu

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("PIL", reason="the example reads photographs with pillow")

FILE = "scikit_learn/rsa_and_ridge.py"


@pytest.fixture
def example(load):
    return load(FILE)


@pytest.fixture
def run(example, monkeypatch, tmp_path):
    """A function that runs the command and returns the rows of its table."""
    monkeypatch.chdir(tmp_path)

    def execute(folder, *words):
        monkeypatch.setattr("sys.argv", ["rsa_and_ridge.py", str(folder), *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            example.typer.run(example.main)
        assert not stopped.value.code, stopped.value.code
        with (tmp_path / "scores.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    return execute


def ranks(values):
    """Ranks from 1, the mean rank for ties."""
    return np.array([(values < value).sum() + ((values == value).sum() + 1) / 2 for value in values])


def rdm(features):
    """Dissimilarities 1 - r of all pairs of rows, row by row of the upper triangle."""
    return (1 - np.corrcoef(features))[np.triu_indices(len(features), 1)]


def test_rsa_is_the_correlation_of_ranks_of_dissimilarities(example):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(9, 4, 4, 3))
    labels = np.repeat([0, 1, 2], 3)
    model = (labels[:, None] != labels)[np.triu_indices(9, 1)]
    expected = np.corrcoef(ranks(rdm(features.reshape(9, -1))), ranks(model))[0, 1]
    assert example.rsa(features, model) == pytest.approx(expected, abs=1e-12)


def test_ridge_predicts_what_is_linear_and_nothing_else(example):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 2, 2, 2))
    linear = features.reshape(60, -1) @ rng.normal(size=(8, 3))
    assert example.ridge(features, linear) > 0.99
    assert example.ridge(features, rng.permutation(linear)) < 0.2
    # A mean over measurements, each against its own mean.
    mixed = np.column_stack([linear[:, 0], rng.normal(size=60)])
    parts = [example.ridge(features, mixed[:, [column]]) for column in range(2)]
    assert example.ridge(features, mixed) == pytest.approx(np.mean(parts), abs=1e-9)


def test_scores_of_all_time_steps(example, run, narrow_bl, photographs, capsys):
    rows = run(photographs, "--weights", narrow_bl, "--layer", 2, "--layer", 6)
    assert capsys.readouterr().out == "12 photographs, 2 categories, 16 layers and time steps: scores.csv\n"
    assert [(row["layer"], row["time"]) for row in rows] == [(n, str(t)) for n in "26" for t in range(8)]
    paths = sorted(photographs.rglob("*.png"))
    images = example.read(paths)
    assert images.shape == (12, 128, 128, 3)
    features = compile_network(narrow_bl, outputs=relu(6, 3)).predict(images)
    bright = np.arange(12) < 6
    model = (bright[:, None] != bright)[np.triu_indices(12, 1)]
    expected = np.corrcoef(ranks(rdm(features.reshape(12, -1))), ranks(model))[0, 1]
    assert float(rows[11]["rsa"]) == pytest.approx(expected, abs=1e-4)
    assert float(rows[0]["ridge"]) > 0.5  # brightness is linear in the pixels


def test_measurements_from_a_file(example, run, narrow_bl, photographs, tmp_path):
    paths = sorted(photographs.rglob("*.png"))
    brightness = [[path.name, example.read([path]).mean(), 0.5 * number] for number, path in enumerate(paths)]
    with (tmp_path / "measured.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "brightness", "number"], *reversed(brightness)])
    options = ("--weights", narrow_bl, "--layer", 0)
    rows = run(photographs, *options, "--targets", tmp_path / "measured.csv")
    features = compile_network(narrow_bl, outputs=relu(0, 5)).predict(example.read(paths))
    targets = np.array([row[1:] for row in brightness], dtype=float)
    assert float(rows[5]["ridge"]) == pytest.approx(example.ridge(features, targets), abs=1e-4)

    with (tmp_path / "measured.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "brightness"], *(row[:2] for row in brightness[1:])])
    with pytest.raises(AssertionError, match=re.escape("measured.csv lacks bright_0.png")):
        run(photographs, *options, "--targets", tmp_path / "measured.csv")


def test_errors_are_one_line(run, narrow_bl, photographs, without):
    with pytest.raises(AssertionError, match="bright must have at least two folders of photographs, got 1"):
        run(photographs / "bright", "--weights", narrow_bl)
    status, stderr = without(FILE, "sklearn.linear_model")
    assert (status, stderr) == (
        1,
        "cannot import sklearn.linear_model. Install what the example needs: pip install scikit-learn pillow\n",
    )
