"""Sessions and problems."""

import math
from collections import Counter
from pathlib import Path

from convrnn_data.observers.sessions import Problem, Session, TrialRow


def row(block, trial=0):
    return TrialRow(
        *("7", "blur", block, 500, trial, 1, "a", "cat", "9", "cat", 400.0, False, 400.0, block + 1, "a_exit")
    )


def test_a_problem_is_one_line():
    problem = Problem(Path("a\nb"), 3, "bad\tcell")
    assert str(problem) == r"a\nb, line 3: bad\tcell"


def test_parts_are_joined():
    first, second = (Session(Path("a"), 1, "7", rows=[row(block)]) for block in (0, 3))
    first.trial_counts[0] = second.trial_counts[3] = second.unreadable["blur", "", -1] = 1
    second.tutorial_share = 0.25
    first.extend(second)
    assert (first.key, first.parts, first.tutorial_accuracy) == (("7", "blur"), {1, 4}, 0.25)
    assert first.trial_counts == Counter({0: 1, 3: 1})
    assert first.unreadable.total() == 1


def test_the_first_ten_trials_of_the_tutorial_do_not_count():
    session = Session(Path("a"), 1, "7", tutorial=[False] * 10 + [True, True, False, True])
    assert session.tutorial_accuracy == 0.75
    assert math.isnan(Session(Path("a"), 1, "7", tutorial=[True] * 10).tutorial_accuracy)
