"""Exclusion of observers by named sets and by criteria."""

import pytest
from answers_by_hand import five_blocks, practice_of, response, session

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.observers.exclusions import EXCLUSIONS, exclude
from convrnn_data.observers.table import (
    read_observers,
)


def test_named_exclusions_are_those_of_the_authors(write_answers):
    sets = EXCLUSIONS["satbench"]
    assert {name: len(ids) for name, ids in sets.items()} == {"color_gray": 18, "noise": 22, "blur": 5}
    assert 76 + 67 + 50 - sum(map(len, sets.values())) == 148
    gray, blur = practice_of("color_gray_g_cat"), five_blocks([response("50_blur_9_cat.JPEG", "cat", 450)])
    rows = {block: [*gray, response("50_color_gray_c_cat.JPEG", "cat", 450)] for block in range(5)}
    table = read_observers(write_answers(session("2406", rows), session(2407, rows), session("2406", blur)))
    blur_excluded = read_observers(
        write_answers(session("2581", blur), session("2582", blur), name="jatos_results_2.txt")
    )
    assert set(exclude(blur_excluded, named=["satbench"])["observer"]) == {"2582"}
    rest = exclude(table, named=["satbench"])
    left = rest[["observer", "experiment"]].drop_duplicates()
    assert sorted(left.itertuples(index=False, name=None)) == [("2406", "blur"), ("2407", "color_gray")]
    assert rest.attrs["excluded"] == {("2406", "color_gray"): "in satbench"}


def test_criteria_exclude_observers_with_a_reason(write_answers):
    def tutorial(right):
        first = [response("0_blur_0_cat.JPEG", "dog", 900)] * 10
        return [
            *first,
            *(response(f"{i}_blur_0_cat.JPEG", "cat" if i < right else "dog", 900) for i in range(10)),
        ]

    hit, miss = response("50_blur_9_cat.JPEG", "cat", 450), response("51_blur_9_cat.JPEG", None, 450)
    table = read_observers(
        write_answers(
            session("good", five_blocks([hit, hit]), tutorial(10)),
            session("poor", five_blocks([hit, hit]), tutorial(5)),
            session("asleep", five_blocks([hit, miss]), tutorial(10)),
            session("untaught", five_blocks([hit, hit])),
        )
    )
    assert set(exclude(table)["observer"]) == {"good", "poor", "asleep", "untaught"}
    rest = exclude(table, tutorial_accuracy=0.8, misses=0.4)
    assert set(rest["observer"]) == {"good"}
    reasons = {observer: why for (observer, _), why in rest.attrs["excluded"].items()}
    assert reasons["poor"] == "tutorial accuracy 0.500 < 0.8"
    assert reasons["asleep"] == "missed 0.500 > 0.4"
    assert set(reasons) == {"poor", "asleep", "untaught"}
    for wrong in ({"misses": 40}, {"tutorial_accuracy": -1}, {"named": ["nobody"]}):
        with pytest.raises(ConvRNNError):
            exclude(table, **wrong)
