"""Paired differences of networks on the same images."""

import numpy as np

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.differences import differences
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import comparison_tables


def test_two_networks_differ_with_an_interval(tmp_path, make_run, human_data):
    runs = [
        make_run(tmp_path / name, "blur", human_data, seed=seed) for seed, name in enumerate(("one", "other"))
    ]
    found = differences(compare(read_evaluations(runs), read_observer_group(human_data)))
    assert len(found) == 4 * 3
    assert {(one.network, one.reference) for one in found} == {("one", "other")}
    for one in found:
        assert one.estimate.low <= one.estimate.value <= one.estimate.high or np.isnan(one.estimate.value)
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
