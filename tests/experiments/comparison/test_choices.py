"""Results under other conventions and matches."""

import numpy as np
import pytest

from convrnn_experiments.comparison.choices import EXITS, MISSES, choices
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.evaluation.results import read_evaluations


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory, human_data, make_run):
    folder = tmp_path_factory.mktemp("runs")
    return read_evaluations([make_run(folder / regime, regime, human_data) for regime in ("color", "blur")])


@pytest.fixture(scope="module")
def results(evaluations, human_data):
    return choices(evaluations, read_observer_group(human_data))


def values(estimates):
    return [[estimate.value, estimate.low, estimate.high] for estimate in estimates]


@pytest.mark.parametrize(("misses", "match"), [("chance", Exits.INDEX), ("answered", Exits.LINEAR)])
def test_each_choice_gives_the_results_of_its_comparison(evaluations, human_data, results, misses, match):
    rows = compare(evaluations, read_observer_group(human_data, misses=misses), match=match)
    chosen = [result for result in results if (result.misses, result.exits) == (misses, match)]
    assert [(one.network, one.condition) for one in chosen] == [
        (row.evaluation.network, row.condition) for row in rows
    ]
    for one, row in zip(chosen, rows, strict=True):
        np.testing.assert_array_equal(values(one.human), values(row.human))
        np.testing.assert_array_equal(values(one.accuracy), values(row.network))
        np.testing.assert_array_equal(values([one.rmse]), values([row.estimates["sat_rmse"]]))
        np.testing.assert_array_equal(one.positions, row.positions)
        assert (one.images.sum(), one.observers) == (row.image_count, row.observer_count)


def test_every_network_condition_and_choice_is_there_once(results):
    keys = [(one.network, one.condition, one.misses, one.exits) for one in results]
    assert len(set(keys)) == len(keys) == 5 * len(MISSES) * len(EXITS)


def test_wrong_misses_lower_human_accuracy_and_answered_ones_raise_it(results):
    def human(misses):
        chosen = [one for one in results if (one.misses, one.exits) == (misses, Exits.ALL)]
        return np.mean([value for one in chosen for value, _, _ in values(one.human)])

    assert human("wrong") < human("chance") < human("answered")
