"""Reading of results from run folders: discovery, order, and corrupt files."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import Evaluation, read_evaluations


@pytest.fixture(scope="module")
def blur(tmp_path_factory, human_data, make_run) -> Evaluation:
    run = make_run(tmp_path_factory.mktemp("runs") / "blur", "blur", human_data, steps=3)
    (evaluation,) = read_evaluations([run])
    return evaluation


def test_an_evaluation_has_the_results_of_its_run(blur):
    assert (blur.network, blur.name, blur.regime, blur.human) == ("blur", "blur", "blur", True)
    assert blur.source.trained_by == "convrnn train data --perturb blur"
    assert blur.source.validated_on is None
    assert blur.multiply_adds.tolist() == [1e6, 6e6, 11e6]
    assert blur.answers.right.shape == (5 * 48, 3)


def test_conditions_are_single_levels_and_all_levels(blur):
    assert blur.levels == ["0", "3", "9"]
    masks = blur.conditions
    assert list(masks) == ["blur 0", "blur 3", "blur 9", "blur (all levels)"]
    assert [int(mask.sum()) for mask in masks.values()] == [80, 80, 80, 240]
    assert not (masks["blur 0"] & masks["blur 3"]).any()
    np.testing.assert_array_equal(blur.answers.levels[masks["blur 3"]], "3")


def test_a_run_without_an_environment_is_read(tmp_path, make_run, human_data):
    run = make_run(tmp_path / "color", "color", human_data, steps=1)
    (run / "environment.json").unlink()
    (one,) = read_evaluations([run])
    assert (one.source.trained_by, one.source.validated_on, one.origin) == ("not known", None, None)
    assert list(one.conditions) == ["color"]


def test_the_training_regime_of_a_run_comes_first(tmp_path, make_run, human_data):
    # `make_run` writes the results of one regime: those of others are moved into the run's folder.
    run = make_run(tmp_path / "noise", "noise", human_data, steps=1)
    for regime in ("blur", "color"):
        other = make_run(tmp_path / regime, regime, human_data, steps=1)
        (other / "evaluation" / regime).rename(run / "evaluation" / regime)
    assert [one.name for one in read_evaluations([run])] == ["noise", "blur", "color"]
    assert len(read_evaluations([run, run])) == 3


def test_an_unevaluated_run_is_named(tmp_path, make_run, human_data):
    run = make_run(tmp_path / "color", "color", human_data, steps=1)
    (run / "evaluation/color/measures.json").unlink()
    with pytest.raises(
        ConvRNNError, match=rf"the run must be evaluated, got .*`convrnn evaluate {run} TESTSET`"
    ):
        read_evaluations([run])


@pytest.mark.parametrize(
    ("entry", "value", "noun"), [("images", 3, "images"), ("multiply_adds", [1], "time steps")]
)
def test_inconsistent_results_are_named(tmp_path, make_run, human_data, entry, value, noun):
    run = make_run(tmp_path / "color", "color", human_data, steps=2)
    path = run / "evaluation/color/measures.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {entry: value}))
    with pytest.raises(ConvRNNError, match=f"must have the same number of {noun}, got (3 and 120|1 and 2)"):
        read_evaluations([run])


@pytest.mark.parametrize("damage", ["cut", "other", "old", "none"])
def test_unreadable_results_are_named(tmp_path, make_run, human_data, damage):
    run = make_run(tmp_path / "color", "color", human_data)
    folder = run / "evaluation/color"
    if damage == "cut":
        (folder / "predictions.csv").write_text((folder / "predictions.csv").read_text()[:40])
    elif damage == "other":
        (folder / "predictions.csv").write_text("a,b\n1,2\n")
    elif damage == "old":
        measured = json.loads((folder / "measures.json").read_text())
        (folder / "measures.json").write_text(json.dumps({"regime": measured["regime"]}))
    else:
        (folder / "measures.json").unlink()
    with pytest.raises(ConvRNNError, match="evaluate"):
        read_evaluations([run])


@pytest.mark.parametrize("name", ["measures.json", "predictions.csv"])
@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EIO, "check `dmesg`"), (errno.ENOENT, "Run `convrnn evaluate` again")]
)
def test_disk_errors_suggest_a_fitting_remedy(
    tmp_path, make_run, human_data, monkeypatch, name, number, remedy
):
    run = make_run(tmp_path / "color", "color", human_data)

    def failing(real):
        def call(path, *args, **kwargs):
            if path.name == name:
                raise OSError(number, os.strerror(number), str(path))
            return real(path, *args, **kwargs)

        return call

    for method in ("open", "read_text"):
        monkeypatch.setattr(Path, method, failing(getattr(Path, method)))
    with pytest.raises(
        ConvRNNError, match=f"cannot read .*{name}: {os.strerror(number)}. .*{remedy}"
    ) as caught:
        read_evaluations([run])
    assert (number == errno.ENOENT) == ("evaluate` again" in str(caught.value))


def test_runs_of_the_same_name_are_distinguished(tmp_path, make_run, human_data):
    paths = [make_run(tmp_path / place / "color", "color", human_data) for place in ("a", "b")]
    assert [one.network for one in read_evaluations(paths)] == [str(path) for path in paths]


@pytest.mark.parametrize(
    ("truncate", "message"),
    [
        (lambda data: data[:-4], "its last line must end in a line break, got one that is cut short"),
        (lambda data: data[: data.rindex(b"\n", 0, -1) + 1], "images"),
    ],
)
def test_truncated_predictions_are_refused(tmp_path: Path, human_data, make_run, truncate, message) -> None:
    path = make_run(tmp_path / "blur", "blur", human_data)
    file = next(path.glob("evaluation/*/predictions.csv"))
    file.write_bytes(truncate(file.read_bytes()))
    with pytest.raises(ConvRNNError, match=message):
        read_evaluations([path])
