"""Format of `measures.json`: undefined values are null, and older files have fewer entries."""

import json
import math

import pytest
from pydantic import ValidationError

from convrnn_experiments.conditions import Regime
from convrnn_experiments.evaluation.measures import Accuracy, Measures
from convrnn_experiments.statistics.intervals import Estimate

ACCURACY = {"percent": [25.0, 50.0], "low": [20.0, 40.0], "high": [30.0, 60.0], "images": 8}
SMALLEST = {
    "regime": "noise",
    "kind": "human stimuli",
    "source": "human",
    "network": "bl_net",
    "parameters": 7,
    "multiply_adds": [10, 20],
    "environment": {"command": "convrnn train"},
    "images": 8,
    "accuracy": ACCURACY,
    "accuracy_by_level": {"0.04": ACCURACY},
}


def test_undefined_values_are_null_in_the_file():
    estimates = [Estimate(25.0, 20.0, 30.0), Estimate(50.0, math.nan, math.nan)]
    accuracy = Accuracy.of(estimates, 8)
    assert accuracy.model_dump() == {
        "percent": [25.0, 50.0],
        "low": [20.0, None],
        "high": [30.0, None],
        "images": 8,
    }
    first, second = accuracy.estimates
    assert first == estimates[0]
    assert second.value == 50
    assert math.isnan(second.low)
    assert math.isnan(second.high)


def test_a_file_of_an_older_version_has_fewer_entries():
    measures = Measures.model_validate(SMALLEST)
    assert measures.regime is Regime.NOISE
    assert measures.accuracy_by_category is None
    assert measures.diagonal_by_level is None
    assert measures.accuracy.estimates == [Estimate(25, 20, 30), Estimate(50, 40, 60)]


def test_unknown_entries_are_left_out_of_the_file():
    written = Measures.model_validate(SMALLEST).to_json()
    assert json.loads(json.dumps(written)) == {
        **SMALLEST,
        "environment": {"command": "convrnn train", "versions": {}},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"regime": "sepia"},
        {"images": -1},
        {"images": "8"},
        {"parameters": 2**63},
        {"accuracy": ACCURACY | {"percent": [float("nan")]}},
        {"accuracy_by_level": [ACCURACY]},
    ],
    ids=str,
)
def test_invalid_entries_are_refused(changes):
    with pytest.raises(ValidationError):
        Measures.model_validate(SMALLEST | changes)
