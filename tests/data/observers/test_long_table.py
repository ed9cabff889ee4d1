"""Long table: every trial found, with the reasons for leaving it out."""

import csv

import pandas as pd
import pytest
from answers_by_hand import five_blocks, practice, response, session
from trials_by_hand import HEADER, PEOPLE

from convrnn_data.observers.long_table import COLUMNS, FLAGS, count_flags, long_table, write_long_table
from convrnn_data.observers.table import read_observers

TRIALS = [
    response("50_blur_9_cat.JPEG", "cat", 450),
    response("51_blur_0_dog.JPEG", None, 750),
    response("52_blur_3_oven.JPEG", "oven", 1e6),
    response("53_blur_3_oven.JPEG", "zebra", 400),
]


@pytest.fixture
def answers(write_answers, tmp_path):
    write_answers(
        session("2580", five_blocks(TRIALS)),
        session("2580", {0: [*practice(), *TRIALS]}),
        session("8", {0: [*practice(), *TRIALS]}),
        '[{"url": {"srid": 9}, "sender": "Stimulus & Response"}]',
    )
    for name, text in PEOPLE.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_trial_has_a_row_with_its_reasons(answers):
    table, reading = long_table(answers, max_unreadable=0.3)
    assert table.columns.tolist() == list(COLUMNS)
    assert len(table) == 5 * 14 + 14 + 14 + 1 + 9
    counts = table.groupby(["observer", "experiment"], dropna=False)[[*FLAGS]].sum()
    assert counts.loc[("2580", "blur")].to_dict() == {
        "missed": 6,
        "practice": 60,
        "late": 6,
        "unreadable": 6,
        "repeated_session": 14,
        "incomplete_session": 0,
        "excluded_satbench": 84,
        "used": 10,
    }
    assert counts.loc[("8", "blur"), ["incomplete_session", "excluded_satbench", "used"]].tolist() == [
        14,
        0,
        2,
    ]
    assert counts.loc[("9",)]["unreadable"].tolist() == [1]
    assert counts.loc[("subject-02", "high-pass"), ["late", "used"]].tolist() == [1, 2]
    assert len(reading.repeated) == 1


def test_used_trials_are_those_of_read_observers(answers):
    table, _ = long_table(answers, max_unreadable=0.3)
    read = read_observers(answers, max_unreadable=0.3)
    keys = ["observer", "experiment", "session", "trial"]
    used = table[table["used"]]
    assert used[keys].to_numpy().tolist() == read[keys].to_numpy().tolist()
    assert used["correct"].tolist() == read["correct"].tolist()


def test_rows_are_sorted(answers):
    table, _ = long_table(answers, max_unreadable=0.3)
    by = ["observer", "experiment", "repeated_session", "session", "trial"]
    pd.testing.assert_frame_equal(table, table.sort_values(by, ignore_index=True, kind="stable"))


def test_the_file_by_hand(tmp_path):
    (tmp_path / "é_s_session_1.csv").write_text(
        f"{HEADER}\ns,1,1,0.5,cat,cat,0.1,a.png\ns,1,2,NaN,na,cat,inf,b.png\ns,1,3,0.5,cow,cat,0,c.png\n"
    )
    (tmp_path / "blur_7_session_2.csv").write_text(f"{HEADER}\n7,2,11,0.5,dog,cat,9,50_blur_9_cat.JPEG\n")
    table, _ = long_table(tmp_path, max_unreadable=0.5)
    write_long_table(table, tmp_path / "new" / "trials.csv")
    assert (tmp_path / "new" / "trials.csv").read_text(encoding="utf-8") == (
        f"{','.join(COLUMNS)}\n"
        "7,blur,2,1,900,0,10,50_blur_9_cat.JPEG,50_blur_9_cat.JPEG,cat,9,dog,FALSE,500.0,500.0,"
        "FALSE,FALSE,FALSE,FALSE,FALSE,TRUE,FALSE,TRUE,NA\n"
        "s,é,1,NA,NA,NA,0,a.png,a.png,cat,0.1,cat,TRUE,500.0,500.0,"
        "FALSE,FALSE,FALSE,FALSE,FALSE,FALSE,FALSE,TRUE,NA\n"
        "s,é,1,NA,NA,NA,1,b.png,b.png,cat,inf,NA,FALSE,NA,NA,"
        "TRUE,FALSE,FALSE,FALSE,FALSE,FALSE,FALSE,TRUE,NA\n"
        "s,é,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,"
        "FALSE,FALSE,FALSE,TRUE,FALSE,FALSE,FALSE,FALSE,NA\n"
    )


def test_the_file_is_written_in_pieces(answers, tmp_path, monkeypatch):
    table, _ = long_table(answers, max_unreadable=0.3)
    write_long_table(table, tmp_path / "whole")
    monkeypatch.setattr("convrnn_data.observers.long_table._LINES_AT_ONCE", 7)
    write_long_table(table, tmp_path / "pieces")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "pieces").read_bytes()
    with (tmp_path / "whole").open(newline="") as file:
        assert len(list(csv.reader(file))) == len(table) + 1


def test_counts_by_experiment(answers):
    table, _ = long_table(answers, max_unreadable=0.3)
    counts = count_flags(table).set_index("experiment")
    assert counts.index.tolist() == ["", "blur", "edge_experiment", "eidolonI", "high-pass"]
    assert counts["observers"].tolist() == [1, 2, 1, 1, 2]
    assert counts["trials"].sum() == len(table)
    assert counts.loc["blur", "used"] == 12
