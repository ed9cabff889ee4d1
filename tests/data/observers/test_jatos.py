"""Parsing of sessions: spellings, pieces, and problems by file and line."""

import json

import pandas as pd
import pytest
from answers_by_hand import (
    SCREENS,
    five_blocks,
    practice,
    practice_of,
    problems,
    response,
    session,
    session_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.observers.table import (
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
def test_spellings_of_a_level_are_equal(write_answers, mode):
    row = {
        **response("3_noise_0_car.JPEG", "car", 400),
        "mode": mode,
        "filename": "static/stim/3_noise_0_car.JPEG",
    }
    table = read_observers(write_answers(session("7", {0: [*practice_of("noise_0_cat"), row]})))
    assert (table["level"].tolist(), table["file_name"].tolist()) == (["0"], ["3_noise_0_car.JPEG"])


def test_corrupt_lines_and_foreign_files_are_reported_by_file_and_line(write_answers, tmp_path):
    good = session("7", five_blocks([response("50_blur_9_cat.JPEG", "cat", 450)]))
    path = write_answers(
        '{"consent": true}', "", good, good[: len(good) // 2], "[]", "[1, 2]", '[{"url": {}}]', '[{"url": 3}]'
    )
    write_answers("id,answer", "1,2", name="jatos_results_foreign.txt")
    (tmp_path / "jatos_results_binary.txt").write_bytes(b"\xff\xfe\x00[\x80\n")
    table = read_observers(tmp_path, max_unreadable=1)
    assert len(table) == 5
    assert table.attrs["sessions"] == {"found": 2, "unreadable": 1, "repeated": 0}
    reported = problems(table)
    for line in (1, 4, 5, 6, 7, 8):
        assert sum(f"{path}, line {line}:" in problem for problem in reported) == 1
    assert sum("foreign.txt" in problem for problem in reported) == 2
    assert sum("binary.txt" in problem for problem in reported) == 1
    assert len(reported) == 9
    with pytest.raises(ConvRNNError, match=r"line 1: is not an array .*line 8: "):
        read_observers(tmp_path, strict=True)


@pytest.mark.parametrize(
    ("change", "message"),
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
def test_unreadable_trials_are_left_out_and_reported(write_answers, change, message):
    wrong = {**response("50_blur_9_cat.JPEG", "cat", 450), **change}
    right = response("51_blur_9_cat.JPEG", "cat", 460)
    path = write_answers(session("7", five_blocks([wrong, right])))
    table = read_observers(path, max_unreadable=1)
    assert table["trial"].unique().tolist() == [11]  # an unreadable trial keeps its number
    assert sum(table.attrs["unreadable"].values()) == 5
    assert {experiment for experiment, _, _ in table.attrs["unreadable"]} == {"blur"}
    assert any(
        "line 1: observer 7: 5 trial(s): " in problem and message in problem for problem in problems(table)
    )


def test_contradictions_are_reported_and_resolved_by_the_response(write_answers):
    row = {**response("50_blur_9_cat.JPEG", "cat", 450), "correct": False}
    table = read_observers(write_answers(session("7", five_blocks([row]))))
    assert table["correct"].all()
    assert "`correct` contradicts response and category" in problems(table)[0]


def test_trials_outside_blocks_repeated_blocks_and_mixed_experiments_are_reported(write_answers):
    trial = response("50_blur_9_cat.JPEG", "cat", 450)
    rows = json.loads(session("7", five_blocks([trial])))
    rows.insert(1, trial)
    rows += [{"sender": "Screen0"}, trial, "text", {"sender": ["list"]}]
    other = session("8", five_blocks([trial, response("51_noise_0_cat.JPEG", "cat", 450)]))
    table = read_observers(write_answers(json.dumps(rows), other), max_unreadable=1)
    assert len(table) == 10
    reported = " ".join(problems(table))
    assert "Screen0 starts a second time" in reported
    assert "2 trial(s): is outside every block; left out." in reported
    assert "stimuli of blur, noise in one session; only blur is kept" in reported


def test_rows_between_blocks_are_ignored(write_answers):
    # 58 of the 76 color files have three more rows between the 500 and the 900 ms block, 18 do not.
    order = {
        1: five_blocks([response("50_blur_9_cat.JPEG", "cat", 450)]),
        -1: dict(reversed(five_blocks().items())),
    }
    more = [{"sender": "Break"}, {"sender": "Instructions", "duration": "long"}, {"sender": "inter-stimulus"}]
    for blocks in order.values():
        plain = session_rows("7", blocks)
        starts = [i for i, row in enumerate(plain) if row["sender"] in SCREENS[:2]]
        with_more = [*plain[: starts[1]], *more, *plain[starts[1] :]]
        plain_table, longer_table = (
            read_observers(write_answers(json.dumps(rows)), strict=True, all_trials=True)
            for rows in (plain, with_more)
        )
        pd.testing.assert_frame_equal(plain_table, longer_table)


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_arbitrary_text_does_not_crash_the_reader(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("any") / "jatos_results_x.txt"
    path.write_text("\n".join("[" + line for line in lines), encoding="utf-8", errors="replace")
    with pytest.raises(ConvRNNError, match="must hold at least one observer, got no"):
        read_observers(path)


@settings(deadline=None)
@given(st.lists(fields | rows, max_size=6))
def test_arbitrary_rows_do_not_crash_the_reader(tmp_path_factory, arbitrary_rows):
    line = session("7", {0: [*practice(), response("50_blur_9_cat.JPEG", "cat", 450)]})
    path = tmp_path_factory.mktemp("any") / "jatos_results_x.txt"
    path.write_text(json.dumps([*json.loads(line), *arbitrary_rows]) + "\n", encoding="utf-8")
    table = read_observers(path, all_trials=True, max_unreadable=1)
    assert table["file_name"].tolist()[10] == "50_blur_9_cat.JPEG"
    answered = sum(
        isinstance(row, dict) and row.get("sender") == "Stimulus & Response" for row in arbitrary_rows
    )
    assert len(table) == 11
    assert len(table.attrs["problems"]) >= (answered > 0)
