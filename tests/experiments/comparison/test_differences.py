"""Paired differences of networks on the same images."""

from dataclasses import replace

import numpy as np

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.differences import differences
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import comparison_tables
from convrnn_experiments.statistics.significance import holm


def test_two_networks_differ_with_an_interval(tmp_path, make_run, human_data):
    runs = [
        make_run(tmp_path / name, "blur", human_data, seed=seed) for seed, name in enumerate(("one", "other"))
    ]
    found = differences(compare(read_evaluations(runs), read_observer_group(human_data)))
    assert len(found) == 4 * 15
    assert len({one.measure for one in found}) == 15
    assert {(one.network, one.reference) for one in found} == {("one", "other")}
    for one in found:
        assert one.estimate.low <= one.estimate.value <= one.estimate.high or np.isnan(one.estimate.value)
        # Two networks are one pair, so there is nothing to correct for.
        assert one.corrected == one.p_value or np.isnan(one.p_value)
        outside = one.estimate.low > 0 or one.estimate.high < 0
        assert (one.p_value < 0.05) == outside
    table = comparison_tables.differences_wide(found)
    assert [row["networks"] for row in table] == ["one − other"] * 4


def test_networks_on_other_images_have_no_paired_difference(tmp_path, make_run, human_data):
    rows = compare(
        read_evaluations(
            [
                make_run(tmp_path / "color", "color", human_data),
                make_run(tmp_path / "blur", "blur", human_data),
            ]
        ),
        read_observer_group(human_data),
    )
    assert differences(rows) == []


def test_three_networks_are_corrected_within_condition_and_measure(tmp_path, make_run, human_data):
    runs = [make_run(tmp_path / f"run{seed}", "color", human_data, seed=seed) for seed in range(3)]
    found = differences(compare(read_evaluations(runs), read_observer_group(human_data)))
    for measure in {one.measure for one in found}:
        pairs = [one for one in found if one.measure == measure]
        assert len(pairs) == 3
        np.testing.assert_array_equal([one.corrected for one in pairs], holm([one.p_value for one in pairs]))


def test_the_order_of_the_images_does_not_change_a_difference(tmp_path, make_run, human_data):
    runs = [make_run(tmp_path / name, "color", human_data, seed=seed) for seed, name in enumerate(("a", "b"))]
    one, other = read_evaluations(runs)
    group = read_observer_group(human_data)
    shuffled = replace(
        other, answers=other.answers.of(np.random.default_rng(0).permutation(len(other.answers.labels)))
    )
    before, after = (
        {pair.measure: pair.estimate for pair in differences(compare([one, second], group))}
        for second in (other, shuffled)
    )
    for measure, estimate in before.items():
        np.testing.assert_allclose(
            [after[measure].value, after[measure].low],
            [estimate.value, estimate.low],
            rtol=1e-6,
            err_msg=measure,
        )
