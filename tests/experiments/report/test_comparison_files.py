"""The command `convrnn compare`: its files, its output and its errors."""

import csv

import pytest
from trials_by_hand import NETWORKS, PEOPLE
from typer.testing import CliRunner

from convrnn_experiments.cli import app
from convrnn_experiments.comparison import exits
from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.errors import ConvRNNError


def invoke(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)], catch_exceptions=True)


@pytest.mark.parametrize("match", list(Exits))
def test_the_command_writes_and_prints_the_table(tmp_path, blur, human_data, match):
    out = tmp_path / "table"
    done = invoke(blur, "--human", human_data, "--out", out, "--exits", match, "--misses", "random")
    assert done.exit_code == 0, done.output
    with (out / "comparison.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 4 * len(MEASURES)
    assert {line["exits"] for line in lines} == {str(match)}
    assert {line["simulated_observers"] for line in lines} == {"True"}
    page = (out / "comparison.md").read_text()
    assert "simulated observers" in page
    assert f"Exits, '{match}': {exits.MEANING[match]}" in done.output
    assert "Missed trials" in page
    assert "random category" in page


def test_the_same_command_writes_the_same_bytes(tmp_path, blur, human_data):
    written = []
    for out in (tmp_path / "first", tmp_path / "second"):
        done = invoke(blur, "--human", human_data, "--out", out, "--exits", "affine", "--misses", "random")
        assert done.exit_code == 0, done.output
        written.append([(out / name).read_bytes() for name in ("comparison.csv", "comparison.md")])
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--exclude", "nobody"], "the set must be one of satbench, got 'nobody'"),
        (["--human", "nowhere"], "nowhere does not exist"),
        (["--out", "FILE"], "must be a folder, got a file"),
        (["--trials", "trials.txt"], "must be a .csv or .parquet file, got the suffix '.txt'"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(tmp_path, blur, human_data, change, says):
    (tmp_path / "file").write_text("")
    change = [str(tmp_path / "file") if word == "FILE" else word for word in change]
    done = invoke(blur, "--human", human_data, "--out", tmp_path / "out", *change)
    assert isinstance(done.exception, ConvRNNError)
    assert says in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_does_not_fit_in_the_answers_is_said(tmp_path, blur, human_data):
    answers = tmp_path / "answers"
    answers.mkdir()
    text = (human_data / "jatos_results_blur.txt").read_text()
    (answers / "jatos_results_1.txt").write_text(text + "[{]\n")
    refused = invoke(blur, "--human", answers, "--out", tmp_path / "out")
    assert refused.exit_code == 1
    assert "1 of 5" in str(refused.exception)
    assert not (tmp_path / "out").exists()
    done = invoke(blur, "--human", answers, "--out", tmp_path / "out", "--max-unreadable", "0.2")
    assert done.exit_code == 0, done.output
    assert "jatos_results_1.txt, line 5: is cut short or not JSON" in done.stderr
    said = (tmp_path / "out" / "comparison.md").read_text()
    assert said.partition("Sessions left out")[2].startswith(": 1 unreadable, 0 repeated.")
    assert "4 observers found, 0 excluded; 960 trials found, 0 unreadable, 0 of excluded observers" in said
    assert "200 practice" in said
    assert said.replace("\n", "") in done.stdout.replace("\n", "")


def test_trials_are_written_on_request(tmp_path, blur, human_data):
    trials = tmp_path / "trials.csv"
    done = invoke(blur, "--human", human_data, "--out", tmp_path / "out", "--trials", trials)
    assert done.exit_code == 0, done.output
    assert done.output.endswith(f"trials: {trials}\n")
    with trials.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["network"] for line in lines} == {"blur"}
    assert {line["condition"] for line in lines} == {"blur"}
    assert len(lines) % 8 == 0


def test_answers_of_other_experiments_change_no_figure(tmp_path, blur, human_data):
    both = tmp_path / "both"
    both.mkdir()
    (both / "satbench").symlink_to(human_data)
    for name, text in (PEOPLE | NETWORKS).items():
        (both / name).write_text(text)
    for human, out in ((human_data, tmp_path / "a"), (both, tmp_path / "b")):
        done = invoke(blur, "--human", human, "--out", out)
        assert done.exit_code == 0, done.output
    assert f"{both}: 3 trials of networks in 2 files are not human answers; left out." in done.stderr
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 7
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_answers_of_other_experiments_alone_are_an_error(tmp_path, blur):
    for name, text in PEOPLE.items():
        (tmp_path / name).write_text(text)
    done = invoke(blur, "--human", tmp_path, "--out", tmp_path / "out")
    assert isinstance(done.exception, ConvRNNError)
    assert "some images must be stimuli that these observers answered, got none" in str(done.exception)
