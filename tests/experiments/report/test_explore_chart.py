"""Specification of the interactive chart."""

import json

import numpy as np
import pytest

from convrnn_experiments.comparison.choices import Choice
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.report.explore_chart import explore_chart
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate

COLOURS = {"a": "#0072B2", "b": "#D55E00"}


def choice(network, misses="chance", exits=Exits.INDEX, *, offset=0.0, rmse=None, images=48):
    points = [Estimate(10.0 * block + offset, 10.0 * block, 10.0 * block + 9) for block in range(5)]
    return Choice(
        network=network,
        condition="blur 3",
        misses=misses,
        exits=exits,
        positions=np.arange(5.0),
        times=np.array([np.nan, 900.0, 1100.0, 1300.0, 1500.0]),
        human=points,
        accuracy=points,
        rmse=rmse or Estimate(4.0, 2.0, 6.0),
        images=np.full(5, images),
        observers=4,
    )


@pytest.fixture
def spec():
    results = [
        choice("a"),
        choice("b", offset=1.0, images=50),
        choice("a", "wrong", Exits.ALL, rmse=UNDEFINED),
    ]
    return explore_chart(results, COLOURS, "humans", results[0])


def test_each_choice_has_a_control(spec):
    assert [(one["name"], one["value"]) for one in spec["params"]] == [
        ("condition", "blur 3"),
        ("misses", "chance"),
        ("exits", "index"),
        ("network_0", True),
        ("network_1", True),
    ]
    assert spec["params"][1]["bind"]["labels"] == ["score 1/16", "count as wrong"]


def test_points_have_estimates_and_counts_where_someone_answered(spec):
    points = spec["datasets"]["networks"]
    assert len(points) == 3 * 4
    assert points[0] == {
        "condition": "blur 3",
        "misses": "chance",
        "exits": "index",
        "network": "a",
        "number": 0,
        "block": 2,
        "time": 900.0,
        "images": 48,
        "step": 2.0,
        "value": 10.0,
        "low": 10.0,
        "high": 19.0,
        "text": "10.0 [10.0, 19.0]",
    }


def test_humans_are_those_of_the_network_with_the_most_images(spec):
    chance = [point for point in spec["datasets"]["humans"] if point["misses"] == "chance"]
    assert [point["value"] for point in chance] == [11.0, 21.0, 31.0, 41.0]
    assert {point["images"] for point in chance} == {50}


def test_a_network_without_a_distance_is_left_out(spec):
    assert [one["network"] for one in spec["datasets"]["distances"]] == ["a", "b"]


def test_vega_lite_accepts_the_chart(spec):
    vl_convert = pytest.importorskip("vl_convert", reason="the extra `interactive` is not installed")
    json.dumps(spec, allow_nan=False)
    drawn = vl_convert.vegalite_to_svg(spec)
    for text in ("Mean response time (ms)", "SAT-curve RMSE (percentage points)", "blur 3", "#D55E00"):
        assert text in drawn
