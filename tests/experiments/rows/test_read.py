"""Reading of rows: runs, names of published weights, and files of other programs."""

import csv

import numpy as np
import pandas as pd
import pytest

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.comparison.options import ComparisonOptions
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.report import build, comparison_files
from convrnn_experiments.rows import read


def read_rows(rows):
    return read.read_rows(rows).evaluations


@pytest.fixture(scope="module")
def run(tmp_path_factory, human_data, make_run):
    return make_run(tmp_path_factory.mktemp("runs") / "blur", "blur", human_data, steps=3)


@pytest.fixture(scope="module")
def own(run) -> pd.DataFrame:
    return pd.read_csv(run / "evaluation/blur/predictions.csv")


@pytest.fixture(scope="module")
def long_file(tmp_path_factory, own):
    """Answers of the run in the long form, in another order, by name and without probabilities."""
    rows = [
        {
            "image": f"{row.file_names}",
            "label": CATEGORIES[row.labels],
            "time": 100 * (step + 1),
            "prediction": CATEGORIES[getattr(row, f"predictions_exit{step}")],
        }
        for row in own.sample(frac=1, random_state=1).itertuples()
        for step in (2, 0, 1)
    ]
    path = tmp_path_factory.mktemp("files") / "other network.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_rows_keep_their_order_and_get_unique_names(run, long_file, tmp_path, make_run, human_data):
    twin = make_run(tmp_path / "blur", "blur", human_data, steps=1)
    rows = read_rows([long_file, run, str(twin), run])
    assert [row.network for row in rows] == ["other network", str(run), str(twin)]


def test_the_long_form_has_the_answers_of_the_run(run, long_file):
    own, other = read_rows([run, long_file])
    for name in ("names", "labels", "answers", "levels", "blocks"):
        np.testing.assert_array_equal(getattr(own.answers, name), getattr(other.answers, name))
    assert (other.regime, other.human, other.kind) == ("blur", True, "human stimuli")
    assert other.accuracy.images == len(own.answers.labels)
    np.testing.assert_allclose(other.accuracy.percent, 100 * own.answers.right.mean(axis=0))
    assert list(other.accuracy_by_level) == ["0", "3", "9"]
    assert np.isnan(other.multiply_adds).all()
    assert set(other.unavailable) == {"response times", "curve over multiply-adds"}


def test_the_same_answers_compare_alike_whatever_their_form(run, long_file, human_data):
    group = read_observer_group(human_data)
    own, other = (
        next(row for row in compare(read_rows([path]), group) if row.pooled) for path in (run, long_file)
    )
    for measure, estimate in own.estimates.items():
        if measure.startswith("response_time"):
            assert np.isnan(other.estimates[measure].value)
        else:
            assert vars(other.estimates[measure]) == pytest.approx(vars(estimate), nan_ok=True)


def test_the_wide_form_of_the_original_is_read(run, own, tmp_path):
    original = own[["file_paths", "file_names", "labels", *(f"predictions_exit{step}" for step in range(3))]]
    original.to_csv(tmp_path / "predictions_blur-color.csv")  # with the index that pandas adds
    (wide,) = read_rows([tmp_path / "predictions_blur-color.csv"])
    (expected,) = read_rows([run])
    np.testing.assert_array_equal(wide.answers.answers, expected.answers.answers)
    assert np.isnan(wide.answers.entropy).all()
    own.to_csv(tmp_path / "whole.csv", index=False)
    (whole,) = read_rows([tmp_path / "whole.csv"])
    np.testing.assert_array_equal(whole.answers.entropy, expected.answers.entropy)
    assert list(whole.unavailable) == ["curve over multiply-adds"]


def test_answers_and_entropy_follow_from_probabilities(own, tmp_path):
    rng = np.random.default_rng(0)
    softmax = rng.dirichlet(np.ones(16), (len(own), 2))
    softmax[0, 0] = np.eye(16)[3]
    with (tmp_path / "net.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "time", *CATEGORIES, "multiply_adds"])
        for name, image in zip(own.file_names, softmax, strict=True):
            writer.writerows([name, step, *values, 10 * (step + 1)] for step, values in enumerate(image))
    (row,) = read_rows([tmp_path / "net.csv"])
    order = [own.file_names.tolist().index(name) for name in row.answers.names]
    np.testing.assert_array_equal(row.answers.answers, softmax.argmax(axis=2)[order])
    np.testing.assert_allclose(row.answers.confidence, softmax.max(axis=2)[order])
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(softmax * np.log(softmax), axis=2)
    np.testing.assert_allclose(row.answers.entropy, entropy[order], atol=1e-12)
    assert row.multiply_adds.tolist() == [10, 20]
    assert not row.unavailable


def test_published_weights_are_the_results_of_their_evaluation(tmp_path, make_run, human_data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConvRNNError, match=r"got no folder runs/bl_imagenet\. Run `convrnn evaluate bl_imagenet"
    ):
        read_rows(["bl_imagenet"])
    make_run(tmp_path / "runs/bl_imagenet", "noise", human_data)
    (row,) = read_rows(["bl_imagenet"])
    assert (row.network, row.regime) == ("bl_imagenet", "noise")


def test_what_is_not_a_row_is_refused(tmp_path):
    with pytest.raises(ConvRNNError, match=r"a row must be a run, .* got no such file or folder"):
        read_rows([tmp_path / "nothing"])
    (tmp_path / "w.h5").write_bytes(b"")
    with pytest.raises(
        ConvRNNError, match=r"must be evaluated first, got a weights file\. Run `convrnn evaluate"
    ):
        read_rows([tmp_path / "w.h5"])
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(
        ConvRNNError, match=r"image and time, or file_names and predictions_exit0, got a, b\."
    ):
        read_rows([tmp_path / "a.csv"])
    (tmp_path / "b.csv").write_bytes(b"image,time,prediction\n\xff,1,dog\n")
    with pytest.raises(ConvRNNError, match="text in UTF-8"):
        read_rows([tmp_path / "b.csv"])


@pytest.mark.usefixtures("figures_not_drawn")
def test_a_file_has_a_place_in_every_table_and_on_the_page(run, long_file, human_data, tmp_path):
    page = build.write_report([run, long_file], tmp_path / "report/index.html", human=human_data)
    text = page.read_text()
    assert "other network" in text
    assert "no response times: the file has answers without probabilities" in text
    table = pd.read_csv(tmp_path / "report/tables/comparison.csv")
    other = table[table.network == "other network"].set_index(["condition", "measure"]).value
    assert other.notna()["blur (all levels)", "sat_rmse"]
    assert other.isna()["blur (all levels)", "response_time_correlation"]
    runs = pd.read_csv(tmp_path / "report/tables/runs.csv")
    assert runs[runs.network == "other network"].set_index("what").value["images"] == "240"
    options = ComparisonOptions()
    written = comparison_files.write_comparison([run, long_file], human_data, tmp_path / "c", options, print)
    assert "other network" in written


def test_files_alone_make_a_page(long_file, tmp_path):
    page = build.write_report([long_file], tmp_path / "index.html")
    assert "Accuracy over multiply-adds" not in page.read_text()
    assert not (tmp_path / "figures/curves_multiply_adds.png").exists()


def test_accuracies_alone_are_refused(tmp_path):
    (tmp_path / "results.json").write_text('{"c": [10, 20, 30, 40, 50], "g": [10, 20, 30, 40, 50]}')
    with pytest.raises(ConvRNNError, match="at least one network must have answers to single images"):
        read_rows([tmp_path / "results.json"])


@pytest.mark.usefixtures("figures_not_drawn")
def test_accuracies_have_dashes_with_the_reason(run, human_data, tmp_path):
    path = tmp_path / "scan/results.json"
    path.parent.mkdir()
    path.write_text('{"0": [10, 20, 30, 40, 50], "3": [10, 20, 30, 40, 50], "9": [10, 20, 30, 40, 50]}')
    page = build.write_report([run, path], tmp_path / "report/index.html", human=human_data)
    table = pd.read_csv(tmp_path / "report/tables/comparison.csv")
    scan = table[table.network == "scan"].set_index(["condition", "measure"])
    known = scan.value.dropna().index.get_level_values("measure")
    assert set(known) == {"sat_rmse_raw", "steepness_network", "steepness_people", "steepness_difference"}
    assert set(scan.index.get_level_values("condition")) == {
        "blur 0",
        "blur 3",
        "blur 9",
        "blur (all levels)",
    }
    assert (
        "scan: only raw RMSE and steepness, without intervals, because the file has accuracies"
        in page.read_text()
    )
    written = comparison_files.write_comparison(
        [run, path], human_data, tmp_path / "c", ComparisonOptions(), print
    )
    assert "| scan | blur 3 |" in written
