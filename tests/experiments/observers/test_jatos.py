"""Parsing of sessions: spellings, pieces, and problems by file and line."""

import json

import pandas as pd
import pytest
from answers_by_hand import SCREENS, five, practice, practice_of, problems, response, session, session_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.observers.table import (
    read_observers,
)

rows = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=True)
    | st.text(max_size=5)
    | st.sampled_from([*SCREENS, "blur"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sender", "mode", "order"]), inner)
    ),
    max_leaves=5,
)
fields = st.fixed_dictionaries(
    {"sender": st.sampled_from(["Stimulus & Response", "Screen0", "Trial"])},
    optional=dict.fromkeys(
        ("category", "response", "duration", "mode", "filename", "order", "correct"), rows
    ),
)


@pytest.mark.parametrize("mode", [0.0, 0, "0", "0.0"])
def test_levels_are_the_same_however_they_are_written(write, mode):
    row = {
        **response("3_noise_0_car.JPEG", "car", 400),
        "mode": mode,
        "filename": "static/stim/3_noise_0_car.JPEG",
    }
    table = read_observers(write(session("7", {0: [*practice_of("noise_0_cat"), row]})))
    assert (table["level"].tolist(), table["file_name"].tolist()) == (["0"], ["3_noise_0_car.JPEG"])


def test_broken_lines_and_foreign_files_are_reported_by_file_and_line(write, tmp_path):
    good = session("7", five([response("50_blur_9_cat.JPEG", "cat", 450)]))
    path = write(
        '{"consent": true}', "", good, good[: len(good) // 2], "[]", "[1, 2]", '[{"url": {}}]', '[{"url": 3}]'
    )
    write("id,answer", "1,2", name="jatos_results_foreign.txt")
    (tmp_path / "jatos_results_binary.txt").write_bytes(b"\xff\xfe\x00[\x80\n")
    table = read_observers(tmp_path, max_unreadable=1)
    assert len(table) == 5
    assert table.attrs["sessions"] == {"found": 2, "unreadable": 1, "repeated": 0}
    said = problems(table)
    for line in (1, 4, 5, 6, 7, 8):
        assert sum(f"{path}, line {line}:" in problem for problem in said) == 1
    assert sum("foreign.txt" in problem for problem in said) == 2
    assert sum("binary.txt" in problem for problem in said) == 1
    assert len(said) == 9
    with pytest.raises(ConvRNNError, match=r"line 1: is not an array .*line 8: "):
        read_observers(tmp_path, strict=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"filename": "picture.png"}, "is not a stimulus's file name"),
        ({"filename": None}, "is not a stimulus's file name"),
        ({"category": "dog"}, "category 'dog' is not that of"),
        ({"mode": "3"}, "mode '3' is not the level of"),
        ({"response": "zebra"}, "response 'zebra' is not one"),
        ({"duration": "soon"}, "duration 'soon' is not a number"),
        ({"duration": "6_34"}, "duration '6_34' is not a number"),
        ({"duration": True}, "duration True is not a number"),
        ({"duration": None}, "duration None is not a number"),
        ({"response": None, "duration": "soon"}, "duration 'soon' is not a number"),
        ({"response": ["cat"]}, "response ['cat'] is not one"),
        ({"duration": 10**400}, "is not a number"),
        ({"order": 0}, "order 0 is neither"),
    ],
)
def test_trials_that_cannot_be_read_are_left_out_and_reported(write, change, said):
    wrong = {**response("50_blur_9_cat.JPEG", "cat", 450), **change}
    right = response("51_blur_9_cat.JPEG", "cat", 460)
    path = write(session("7", five([wrong, right])))
    table = read_observers(path, max_unreadable=1)
    assert table["trial"].unique().tolist() == [11]  # the trial's place is taken all the same
    assert sum(table.attrs["unreadable"].values()) == 5
    assert {experiment for experiment, _, _ in table.attrs["unreadable"]} == {"blur"}
    assert any(
        "line 1: observer 7: 5 trial(s): " in problem and said in problem for problem in problems(table)
    )


def test_contradictions_are_reported_and_decided_by_the_response(write):
    row = {**response("50_blur_9_cat.JPEG", "cat", 450), "correct": False}
    table = read_observers(write(session("7", five([row]))))
    assert table["correct"].all()
    assert "`correct` contradicts response and category" in problems(table)[0]


def test_trials_outside_blocks_repeated_blocks_and_mixed_experiments_are_reported(write):
    trial = response("50_blur_9_cat.JPEG", "cat", 450)
    rows = json.loads(session("7", five([trial])))
    rows.insert(1, trial)
    rows += [{"sender": "Screen0"}, trial, "text", {"sender": ["list"]}]
    other = session("8", five([trial, response("51_noise_0_cat.JPEG", "cat", 450)]))
    table = read_observers(write(json.dumps(rows), other), max_unreadable=1)
    assert len(table) == 10
    said = " ".join(problems(table))
    assert "Screen0 starts a second time" in said
    assert "2 trial(s): is outside every block; left out." in said
    assert "stimuli of blur, noise in one session; only blur is kept" in said


def test_rows_between_blocks_do_not_matter(write):
    """58 of the 76 color files have three more rows between the 500 and the 900 ms block, 18 do not."""
    order = {1: five([response("50_blur_9_cat.JPEG", "cat", 450)]), -1: dict(reversed(five().items()))}
    more = [{"sender": "Break"}, {"sender": "Instructions", "duration": "long"}, {"sender": "inter-stimulus"}]
    for blocks in order.values():
        plain = session_rows("7", blocks)
        starts = [i for i, row in enumerate(plain) if row["sender"] in SCREENS[:2]]
        with_more = [*plain[: starts[1]], *more, *plain[starts[1] :]]
        (here, there) = (
            read_observers(write(json.dumps(rows)), strict=True, all_trials=True)
            for rows in (plain, with_more)
        )
        pd.testing.assert_frame_equal(here, there)


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_no_text_breaks_the_reader(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("any") / "jatos_results_x.txt"
    path.write_text("\n".join("[" + line for line in lines), encoding="utf-8", errors="replace")
    with pytest.raises(ConvRNNError, match="must hold at least one observer, got no"):
        read_observers(path)


@settings(deadline=None)
@given(st.lists(fields | rows, max_size=6))
def test_no_row_breaks_the_reader(tmp_path_factory, odd):
    line = session("7", {0: [*practice(), response("50_blur_9_cat.JPEG", "cat", 450)]})
    path = tmp_path_factory.mktemp("any") / "jatos_results_x.txt"
    path.write_text(json.dumps([*json.loads(line), *odd]) + "\n", encoding="utf-8")
    table = read_observers(path, all_trials=True, max_unreadable=1)
    assert table["file_name"].tolist()[10] == "50_blur_9_cat.JPEG"
    answered = sum(isinstance(row, dict) and row.get("sender") == "Stimulus & Response" for row in odd)
    assert len(table) == 11
    assert len(table.attrs["problems"]) >= (answered > 0)
