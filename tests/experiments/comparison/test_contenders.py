"""Networks to rank, of which those that differ only in the training seed are one."""

import numpy as np
import pytest

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.contenders import contender_differences, contenders, with_seeds
from convrnn_experiments.comparison.differences import differences
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.comparison.seed_groups import seed_rows
from convrnn_experiments.evaluation.results import read_evaluations

ALL = "blur (all levels)"


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory, human_data, make_run):
    """Two networks, and between them three seeds of a third."""
    folder = tmp_path_factory.mktemp("contenders")
    single = {"steps": 4, "epochs": 7}
    return read_evaluations(
        [
            make_run(folder / "first", "blur", human_data, seed=8, training_seed=8, **single),
            *(
                make_run(
                    folder / f"blur-seed{seed}", "blur", human_data, steps=4, seed=seed, training_seed=seed
                )
                for seed in (2, 0, 1)
            ),
            make_run(folder / "last", "blur", human_data, seed=9, training_seed=9, steps=4, epochs=3),
        ]
    )


@pytest.fixture(scope="module")
def rows(evaluations, human_data):
    return compare(evaluations, read_observer_group(human_data))


@pytest.fixture(scope="module")
def pairs(rows):
    return differences(rows)


def test_seeds_are_one_contender_at_the_place_of_the_first(rows):
    found = [one for one in contenders(rows) if one.row.condition == ALL]
    assert [one.name for one in found] == ["first", "blur (3 seeds)", "last"]
    assert found[1].networks == ["blur-seed0", "blur-seed1", "blur-seed2"]
    assert found[0].estimates is found[0].row.estimates
    np.testing.assert_allclose(
        found[1].accuracies, np.mean([[one.value for one in row.network] for row in found[1].rows], axis=0)
    )


def test_estimates_of_seeds_are_those_of_the_spread_on_new_images(rows, evaluations):
    group = next(one for one in contenders(rows) if one.row.condition == ALL and len(one.rows) > 1)
    spreads = {row.measure.key: row.spread for row in seed_rows(evaluations, rows) if row.condition == ALL}
    for measure in ("sat_rmse", "error_consistency", "accuracy_range_network", "steepness_network"):
        one, other = group.estimates[measure], spreads[measure].on_new_images
        np.testing.assert_equal([one.value, one.low, one.high], [other.value, other.low, other.high])
    for measure in ("sat_rmse_floor", "error_consistency_people", "steepness_people"):
        assert group.estimates[measure] is group.row.estimates[measure]


def test_networks_alone_keep_their_paired_differences(rows, pairs):
    alone = [row for row in rows if row.evaluation.network in ("first", "last", "blur-seed0")]
    single = differences(alone)
    found = contenders(alone)
    assert with_seeds(found, contender_differences(found, single)) == []
    again = {
        (one.condition, one.network, one.reference, one.measure): one
        for one in contender_differences(found, single)
    }
    for pair in single:
        one = again[pair.condition, pair.network, pair.reference, pair.measure]
        np.testing.assert_equal(
            [one.estimate.low, one.estimate.high, one.corrected],
            [pair.estimate.low, pair.estimate.high, pair.corrected],
        )


def test_a_group_differs_by_its_mean_and_holm_counts_contenders(rows, pairs):
    found = contenders(rows)
    between = contender_differences(found, pairs)
    shown = {
        (one.network, one.reference): one
        for one in between
        if (one.condition, one.measure) == (ALL, "sat_rmse")
    }
    assert set(shown) == {("first", "blur (3 seeds)"), ("first", "last"), ("blur (3 seeds)", "last")}
    values = {row.evaluation.network: row.estimates["sat_rmse"].value for row in rows if row.condition == ALL}
    seeds = np.mean([values[f"blur-seed{seed}"] for seed in range(3)])
    one = shown["first", "blur (3 seeds)"]
    assert one.estimate.value == pytest.approx(values["first"] - seeds)
    assert one.estimate.low < one.estimate.value < one.estimate.high
    assert one.p_value <= one.corrected <= 3 * one.p_value + 1e-12
    assert {one.network for one in with_seeds(found, between)} == {"first", "blur (3 seeds)"}
    # The error of r over seeds is unknown.
    (r,) = [
        one
        for one in between
        if (one.condition, one.measure, one.network, one.reference)
        == (ALL, "category_correlation", "blur (3 seeds)", "last")
    ]
    assert np.isnan([r.estimate.low, r.p_value, r.corrected]).all()
