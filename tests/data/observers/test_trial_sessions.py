"""Trial CSVs as observers: of other experiments, and of SATBench's stimuli."""

import gzip
import math
import zipfile

import pandas as pd
import pytest
from answers_by_hand import problems
from trials_by_hand import HEADER, NETWORKS, PEOPLE

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.observers.table import (
    COLUMNS,
    FURTHER_COLUMNS,
    by_image,
    correct_matrix,
    observer_curves,
    read_observers,
    with_misses,
)
from convrnn_data.observers.trial_counts import count_observers, count_trials

OWN = f"{HEADER},order,duration,tutorial_accuracy"


@pytest.fixture
def folder(tmp_path):
    for number, (name, text) in enumerate((PEOPLE | NETWORKS).items()):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / name).write_text(text)
    (tmp_path / "counts.csv").write_text("condition,level\n0,1\n")
    return tmp_path


@pytest.fixture
def read(tmp_path):
    def from_lines(*lines, header=HEADER, name="blur_7_session_1.csv", **options):
        (tmp_path / name).write_text("\n".join([header, *lines]) + "\n")
        return read_observers(tmp_path / name, all_trials=True, **options)

    return from_lines


def test_people_of_other_experiments(folder):
    table = read_observers(folder, strict=True)
    assert table.columns.tolist() == [*COLUMNS, *FURTHER_COLUMNS]
    assert table.groupby("experiment").size().to_dict() == {
        "edge_experiment": 2,
        "eidolonI": 1,
        "high-pass": 5,
    }
    assert table.attrs["left_out"] == {"practice": 0, "out_of_time": 1}  # time 0
    assert {path.name: trials for path, trials in table.attrs["networks"].items()} == {
        "high-pass_resnet50_session-1.csv": 2,
        "cue-conflict_resnet50_session-1.csv": 1,
    }
    first, second = (row for row in table[table["experiment"] == "high-pass"].head(2).itertuples())
    assert (first.observer, first.block, first.trial, first.order, first.level) == (
        "subject-01",
        0,
        0,
        0,
        "0.7",
    )
    assert (first.file_name, first.response_time) == ("n03662601_10.png", 1331.61187171936)
    assert (first.image_name, first.session) == ("0001_hp_s01_0.7_boat_10_n03662601_10.png", 1)
    assert math.isnan(first.beep)
    assert (second.missed, second.correct, second.score) == (True, False, 1 / 16)
    assert math.isnan(second.response_time)
    sittings = table[table["experiment"] == "edge_experiment"]
    assert sittings["session"].tolist() == [1, 2]


def test_measures_without_blocks(folder):
    table = read_observers(folder)
    matrix = correct_matrix(table)["high-pass"]
    assert matrix.columns.tolist() == [(0, f"n03041632_{i}.png") for i in (11, 12)] + [
        (0, "n03662601_10.png")
    ]
    assert matrix.loc["subject-02", (0, "n03041632_11.png")] == 1
    curves = observer_curves(table).loc["high-pass"]
    assert curves.loc[("inf", "subject-01"), 0] == pytest.approx(100 * (1 + 1 / 16) / 2)
    assert curves[[1, 2, 3, 4]].isna().all(axis=None)
    images = by_image(table).set_index("file_name")
    assert images.loc["n03662601_10.png", "observers"] == 2
    assert with_misses(table, "random")["score"].isin([0, 1]).all()


def test_counts_without_blocks(folder):
    table = read_observers(folder, all_trials=True)
    counts = count_trials(table, excluded=[("subject-02", "high-pass")])
    assert counts["found"].sum() == len(table) == 9
    assert counts["excluded"].sum() == 3
    assert counts["beep"].isna().all()
    assert count_observers(table)["found"].sum() == 4


def test_an_image_at_two_levels_is_two_stimuli(read):
    table = read(
        "s,1,1,0.5,cat,cat,0.1,0001_x_s01_0.1_cat_10_n1.png",
        "s,1,2,0.5,dog,cat,0.2,0002_x_s01_0.2_cat_10_n1.png",
        "s,1,3,0.5,dog,dog,0.2,0003_x_s01_0.2_dog_10_n2.png",
        name="mine.csv",
    )
    assert correct_matrix(table).loc["s", "mine"].to_dict() == {
        (0, "n1.png (0.1)"): 1,
        (0, "n1.png (0.2)"): 0,
        (0, "n2.png"): 1,
    }


def test_answers_without_times_are_in_time(read):
    table = read("subject-1,1,1,na,cat,cat,0,a.png", name="mine.csv", strict=True)
    assert table["in_time"].all()
    assert table["response_time"].isna().all()


def test_stimuli_of_satbench(read):
    table = read(
        "7,1,11,0.5,Cat,cat,9.0,folder/50_blur_9_cat.JPEG", "7,1,12,na,na,cat,9,51_blur_9_cat_exit0.jpeg"
    )
    assert table.columns.tolist() == list(COLUMNS)
    assert table["beep"].dtype == table["order"].dtype == "int64"
    expected = {
        "observer": "7", "experiment": "blur", "block": 0, "beep": 500, "trial": 10, "order": 0,
        "file_name": "50_blur_9_cat.JPEG", "category": "cat", "level": "9", "response": "cat", "correct": True,
        "score": 1.0,
        "response_time": 500.0, "missed": False, "duration": 500.0, "practice": False, "in_time": True,
    }  # fmt: skip
    assert table.iloc[0].drop("tutorial_accuracy").to_dict() == expected
    assert table["missed"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "7,6,1,0.5,cat,cat,9,50_blur_9_cat.JPEG,,,",
            "session must be the block of the stimulus, 1 to 5, got 6",
        ),
        ("7,1,1,0.5,cat,cat,9,50_blur_9_cat_exit1.JPEG,,,", "plus 1, got 1 for _exit1"),
        (
            "7,1,1,0.5,cat,dog,9,50_blur_9_cat.JPEG,,,",
            "category must be that of 50_blur_9_cat.JPEG, got 'dog'",
        ),
        (
            "7,1,1,0.5,cat,cat,3,50_blur_9_cat.JPEG,,,",
            "condition must be the level of 50_blur_9_cat.JPEG, got '3'",
        ),
        ("7,1,1,na,cat,cat,9,50_blur_9_cat.JPEG,,,", "rt must be given with a response"),
        ("7,1,1,0.5,cat,cat,9,50_blur_9_cat.JPEG,up,,", "order must be 1 or -1, got 'up'"),
        ("7,1,1,0.5,cat,cat,9,50_blur_9_cat.JPEG,1,soon,", "duration must be a number, got 'soon'"),
        ("7,1,1,0.5,cat,cat,9,50_blur_9_cat.JPEG,1,0.5,", "duration must be rt in ms, got 0.5 for 0.5 s"),
        ("7,1,1,0.5,cat,cat,9,50_blur_9_cat.JPEG,1,500,all", "tutorial_accuracy must be a number, got 'all'"),
        ("7,1,1,0.5,cat,cat,9,0001_x_s01_9_cat_10_n1.png,,,", "SATBench's experiment blur, got '0001_x"),
        ("7,1,1,0.5,cat,cat,9", "it must have 11 cells"),
    ],
)
def test_invalid_trials_are_named_and_counted(read, line, what):
    good = "7,1,2,0.5,cat,cat,9,51_blur_9_cat.JPEG,1,500.0004,0.5"
    table = read(good, line, header=OWN, max_unreadable=0.5)
    assert table["tutorial_accuracy"].tolist() == [0.5]
    (problem,) = [problem for problem in problems(table) if "incomplete session" not in problem]
    assert "blur_7_session_1.csv, line 3: " in problem
    assert what in problem
    assert table.attrs["unreadable"] == {("blur", "", -1): 1}
    assert count_trials(table)["found"].sum() == 2
    with pytest.raises(
        ConvRNNError, match=r"at most 0\.01 of the trials may be unreadable, got 1 of 2: .*line 3"
    ):
        read(good, line, header=OWN)


def test_milliseconds_are_recognised(read):
    lines = [f"s,1,{i},{500 + i},cat,cat,0,{i}.png" for i in range(1, 30)]
    with pytest.raises(
        ConvRNNError, match=r"no readable one: .*line 2: rt must be .* got 501; it may be in milli"
    ):
        read(*lines, name="mine.csv")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "subj,trial\n1,2\n",
            "must have the columns subj, session, .* got none named session.*whole file is left out",
        ),
        (f"{HEADER}\n", "no trial after the header; left out"),
        ("", "got none named subj"),
    ],
)
def test_files_without_trials_are_named(folder, text, what):
    (folder / "high-pass_subject-03_session_1.csv").write_text(text)
    with pytest.raises(ConvRNNError, match=what):
        read_observers(folder, strict=True)
    table = read_observers(folder, max_unreadable=0.5)
    assert table.attrs["sessions"]["unreadable"] == (what[:2] != "no")
    assert len(table) == 8


def test_networks_alone_are_an_error(tmp_path):
    for name, text in NETWORKS.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ConvRNNError, match=r"at least one observer, got networks alone, such as .*resnet50"):
        read_observers(tmp_path)


def test_several_observers_in_a_file(read):
    lines = ["a,1,1,0.5,cat,cat,0,1.png", "b,1,1,0.5,cat,cat,0,1.png", "a,1,2,0.5,cow,cat,0,2.png"]
    table = read(*lines, name="my study.csv", max_unreadable=0.5)
    assert table["experiment"].unique().tolist() == ["my study"]
    assert table["observer"].tolist() == ["a", "b"]
    assert table.attrs["unreadable"] == {("my study", "", -1): 1}
    assert table.attrs["sessions"] == {"found": 2, "unreadable": 0, "repeated": 0}


def test_archives_and_compressed_files(folder, tmp_path_factory):
    expected = read_observers(folder)
    out = tmp_path_factory.mktemp("out")
    with zipfile.ZipFile(out / "raw-data.zip", "w") as archive:
        for name in list(PEOPLE | NETWORKS)[1:]:
            archive.writestr(f"raw-data/deep/{name}", (PEOPLE | NETWORKS)[name])
        archive.writestr("raw-data/counts.csv", "a,b\n")
    name = next(iter(PEOPLE))
    (out / f"{name}.gz").write_bytes(gzip.compress(PEOPLE[name].encode()))
    table = read_observers(out)
    table.attrs = expected.attrs = {}
    pd.testing.assert_frame_equal(table, expected)
