"""Sessions of several files: joined, repeated, incomplete."""

import pytest
from answers_by_hand import five_blocks, practice, response, session
from trials_by_hand import HEADER

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.observers.reading import read_sessions

TRIAL = response("50_blur_9_cat.JPEG", "cat", 450)
BLOCKS = five_blocks([TRIAL])


def some(blocks):
    return session("7", {block: BLOCKS[block] for block in blocks})


def test_parts_of_a_session_are_joined(write_answers):
    # JATOS has a result for each component of a study.
    reading = read_sessions(write_answers(some([0, 1]), some([2, 3, 4])), strict=True)
    (joined,) = reading.kept
    assert [row.block for row in joined.rows] == [block for block in range(5) for _ in range(11)]
    assert (reading.found, reading.repeated, reading.incomplete) == (1, [], set())


def test_repeated_sessions_are_set_apart(write_answers):
    reading = read_sessions(write_answers(some([0, 1]), some([1, 2, 3]), some([4]), some([4])))
    (kept,) = reading.kept
    assert kept.parts == {2, 3, 4, 5}
    assert [repeated.line for repeated in reading.repeated] == [1, 4]
    assert reading.incomplete == {("7", "blur")}
    texts = [str(problem) for problem in reading.problems]
    assert sum("another session of blur is" in text and "line 2; left out." in text for text in texts) == 2
    assert reading.found == 3
    with pytest.raises(ConvRNNError, match=r"nothing may be left out, got .*another session"):
        read_sessions(write_answers(some(range(5)), some([1])), strict=True)


def test_the_same_answers_as_jatos_and_as_trial_csv(write_answers, tmp_path):
    write_answers(some(range(5)))
    (tmp_path / "blur_7_session_1.csv").write_text(f"{HEADER}\n7,1,1,0.5,cat,cat,9,50_blur_9_cat.JPEG\n")
    reading = read_sessions(tmp_path)
    assert [session.path.suffix for session in reading.kept + reading.repeated] == [".txt", ".csv"]


def test_unreadable_trials_of_repeated_sessions_are_not_counted(write_answers):
    bad = TRIAL | {"response": "zebra"}
    reading = read_sessions(
        write_answers(some(range(5)), session("7", {0: [*practice(), bad]})), max_unreadable=0.1
    )
    assert reading.unreadable == {}
    assert reading.unreadable_sessions == 0
