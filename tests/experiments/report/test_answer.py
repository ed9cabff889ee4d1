"""Rules of the answer: ranking, and a sentence for each case."""

from types import SimpleNamespace

import numpy as np
import pytest

from convrnn_experiments.comparison.contenders import Contender
from convrnn_experiments.comparison.differences import Difference
from convrnn_experiments.report.answer import ceiling, finding, headline, listed
from convrnn_experiments.report.answer import rank as rank_contenders
from convrnn_experiments.statistics.intervals import Estimate, without_interval

NAN = float("nan")


def row(network, rmse, condition="blur (all levels)", *, floor=4.0, own=None, theirs=None):
    value, low, high = rmse
    estimates = {
        "sat_rmse": Estimate(value, low, high),
        "sat_rmse_raw": without_interval(value + 1),
        "sat_rmse_floor": without_interval(floor),
        "error_consistency": own or without_interval(NAN),
        "error_consistency_people": theirs or without_interval(NAN),
    }
    evaluation = SimpleNamespace(network=network)
    return SimpleNamespace(evaluation=evaluation, condition=condition, pooled=True, estimates=estimates)


def pair(
    network, reference, value, low, high, condition="blur (all levels)", measure="sat_rmse", corrected=None
):
    p_value = 0.01 if low > 0 or high < 0 else 0.2
    return Difference(
        condition,
        network,
        reference,
        measure,
        Estimate(value, low, high),
        p_value,
        corrected or p_value,
    )


def rank(rows, pairs):
    return rank_contenders([Contender((one,)) for one in rows], pairs)


NEAR, FAR, FURTHER = row("near", (3, 1, 5)), row("far", (9, 7, 11)), row("further", (20, 15, 25))


def test_networks_are_ranked_with_paired_differences_in_either_order():
    pairs = [
        pair("far", "near", 6, 2, 10),
        pair("near", "further", -17, -23, -11),
        pair("near", "further", 0.5, 0.4, 0.6, measure="category_correlation"),
    ]
    (ranking,) = rank([FURTHER, NEAR, FAR], pairs)
    assert [(place.rank, place.network) for place in ranking.places] == [
        (1, "near"),
        (2, "far"),
        (3, "further"),
    ]
    assert [place.behind for place in ranking.places] == [None, Estimate(6, 2, 10), Estimate(17, 11, 23)]
    assert ranking.clear


def test_equal_distances_are_ranked_by_the_raw_ones_and_unknown_ones_are_left_out():
    second, first = row("second", (0, 0, 4)), row("first", (0, 0, 3))
    second.estimates["sat_rmse_raw"] = without_interval(2.0)
    (ranking,) = rank([second, first, row("unknown", (NAN, NAN, NAN))], [])
    assert [place.network for place in ranking.places] == ["first", "second"]
    assert rank([row("unknown", (NAN, NAN, NAN))], []) == []


def test_a_clear_answer_states_the_distance_and_the_paired_difference():
    (ranking,) = rank([NEAR, FAR], [pair("far", "near", 6, 2, 10)])
    said = finding(ranking, "humans")
    assert said == (
        "In blur, near trades speed for accuracy most like humans: its curve is 3.0 [1.0, 5.0] points from theirs, "
        "6.0 [2.0, 10.0] nearer than that of far, the next."
    )
    assert headline([ranking], "humans") == said


def test_an_interval_with_0_leaves_the_answer_open():
    pairs = [pair("far", "near", 6, -2, 10), pair("further", "near", 17, 11, 23)]
    (ranking,) = rank([NEAR, FAR, FURTHER], pairs)
    assert not ranking.clear
    assert finding(ranking, "simulated observers") == (
        "In blur, near is nearest to the simulated observers, 3.0 [1.0, 5.0] points from their curve, but far may be "
        "as near: the difference, 6.0 [-2.0, 10.0] points, includes 0."
    )


def test_a_difference_that_does_not_survive_holms_correction_leaves_the_answer_open():
    (ranking,) = rank([NEAR, FAR], [pair("near", "far", -6, -11.5, -0.5, corrected=0.13)])
    assert ranking.places[1].p_holm == 0.13
    assert not ranking.clear
    assert finding(ranking, "humans").endswith(
        "but far may be as near: the difference, 6.0 [0.5, 11.5] points, is uncertain with as many comparisons "
        "(p = 0.13 with Holm's correction)."
    )


def test_a_wide_interval_of_a_later_network_leaves_the_answer_open():
    pairs = [pair("far", "near", 6, 2, 10), pair("further", "near", 17, -1, 35)]
    (ranking,) = rank([NEAR, FAR, FURTHER], pairs)
    assert "but further may be as near: the difference, 17.0 [-1.0, 35.0] points" in finding(
        ranking, "humans"
    )


def test_networks_on_other_images_have_no_paired_difference():
    (ranking,) = rank([NEAR, FAR], [])
    assert np.isnan(ranking.places[1].behind.value)
    assert "but far saw other images, so the difference has no interval." in finding(ranking, "humans")


def test_several_rivals_are_listed():
    rows = [NEAR, *(row(name, (5 + number, 1, 9)) for number, name in enumerate("abcd"))]
    (ranking,) = rank(rows, [pair(name, "near", 2, -1, 5) for name in "abcd"])
    assert "but a, b and 2 others may be as near: the difference from a, 2.0 [-1.0, 5.0] points" in finding(
        ranking, "humans"
    )


def test_one_network_is_not_ranked():
    (ranking,) = rank([NEAR], [])
    assert finding(ranking, "humans") == (
        "In blur, near is the only network compared with humans: its speed-accuracy curve is 3.0 [1.0, 5.0] points "
        "from theirs."
    )
    other = row("near", (3, 1, 5), "color")
    assert headline(rank([NEAR, other], []), "humans") == (
        "Only one network was compared with humans in each of 2 conditions, so networks are not ranked."
    )


@pytest.mark.parametrize(
    ("lows", "said"),
    [
        ((1, 1, 1), "near in blur, color and noise trades speed for accuracy most like humans."),
        (
            (1, 1, -1),
            "near in blur and color trades speed for accuracy most like humans; in noise, no network is clearly "
            "nearest to them.",
        ),
        (
            (-1, -1, -1),
            "In none of 3 conditions is one network clearly nearest to humans in trading speed for accuracy.",
        ),
    ],
)
def test_the_headline_covers_all_conditions(lows, said):
    conditions = ["blur (all levels)", "color", "noise (all levels)"]
    rows = [row(name, (value, 0, 30), one) for one in conditions for name, value in (("near", 3), ("far", 9))]
    pairs = [pair("far", "near", 6, low, 10, one) for one, low in zip(conditions, lows, strict=True)]
    assert headline(rank(rows, pairs), "humans") == said


def test_the_headline_counts_conditions_with_several_networks():
    rows = [row(name, (3, 0, 30), one) for one in ("color", "grayscale") for name in ("near", "far")]
    rankings = rank([*rows, NEAR], [])
    assert headline(rankings, "humans").startswith(
        "In none of the 2 conditions with several networks is one network clearly nearest to humans"
    )


def test_the_headline_names_a_winner_per_condition():
    rows = [row("a", (1, 0, 2), "color"), row("b", (5, 4, 6), "color")]
    rows += [row("b", (1, 0, 2), "grayscale"), row("a", (5, 4, 6), "grayscale")]
    pairs = [pair("b", "a", 4, 3, 5, "color"), pair("a", "b", 4, 3, 5, "grayscale")]
    assert headline(rank(rows, pairs), "humans") == (
        "a in color and b in grayscale trade speed for accuracy most like humans."
    )


@pytest.mark.parametrize(
    ("own", "theirs", "said"),
    [
        ((0.1, 0.05, 0.2), (0.4, 0.3, 0.5), "theirs with each other 0.40 [0.30, 0.50], which is higher."),
        ((0.6, 0.55, 0.7), (0.4, 0.3, 0.5), ", which is lower."),
        ((0.3, 0.2, 0.4), (0.4, 0.3, 0.5), "; the intervals overlap."),
        ((0.3, NAN, NAN), (0.4, 0.3, 0.5), "0.40 [0.30, 0.50]."),
    ],
)  # fmt: skip
def test_the_ceilings_are_compared(own, theirs, said):
    (ranking,) = rank([row("near", (3, 1, 5), own=Estimate(*own), theirs=Estimate(*theirs))], [])
    assert ceiling(ranking, "humans").endswith(said)
    assert ceiling(ranking, "humans").startswith(
        "Before the correction for sampling noise, it is 4.0 points away; two random halves of humans are 4.0 points "
        "apart."
    )


def test_a_distance_whose_interval_begins_at_0_is_called_uncertain():
    (ranking,) = rank([row("near", (3, 0, 5), floor=NAN)], [])
    assert ceiling(ranking, "humans") == "These trials are too few to tell its curve from theirs."


def test_names_are_joined():
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert listed(["a", "b", "c", "d"], most=3) == "a, b and 2 others"
