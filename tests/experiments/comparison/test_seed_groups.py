"""Groups of runs that differ only in the training seed, and the spread of their measures."""

import json
import shutil

import numpy as np
import pytest
from scipy import stats

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.comparison.seed_groups import SEED_MEASURES, group_name, seed_rows
from convrnn_experiments.evaluation.results import read_evaluations

RESAMPLED = {
    "error_consistency",
    "response_time_correlation",
    "response_time_correlation_correct",
    "response_time_area",
    "response_time_margin",
    "response_time_accumulator",
}
"""Measures whose sampling error is that of bootstrap samples."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory, human_data, make_run):
    """Three seeds of one configuration, and a run of another configuration."""
    folder = tmp_path_factory.mktemp("seeds")
    seeds = [
        make_run(folder / f"blur-seed{seed}", "blur", human_data, steps=4, seed=seed, training_seed=seed)
        for seed in (2, 0, 1)
    ]
    return [
        *seeds,
        make_run(folder / "other", "blur", human_data, steps=4, seed=3, training_seed=3, epochs=7),
    ]


@pytest.fixture(scope="module")
def compared(runs, human_data):
    evaluations = read_evaluations(runs)
    return evaluations, compare(evaluations, read_observer_group(human_data))


@pytest.fixture(scope="module")
def found(compared):
    return seed_rows(*compared)


def test_runs_that_differ_in_the_seed_are_one_group(compared, found):
    conditions = {row.condition for row in compared[1]}
    assert {row.networks for row in found} == {("blur-seed0", "blur-seed1", "blur-seed2")}
    assert {row.name for row in found} == {"blur"}
    assert {row.seeds for row in found} == {(0, 1, 2)}
    assert sorted((row.condition, row.measure.key) for row in found) == sorted(
        (condition, measure.key) for condition in conditions for measure in SEED_MEASURES
    )
    assert {row.condition for row in found if row.pooled} == {"blur (all levels)"}


def test_mean_and_spread_are_those_of_the_single_rows(compared, found):
    for row in found:
        if row.measure.key == "accuracy_last_step":
            continue
        values = [
            one.estimates[row.measure.key].value
            for one in compared[1]
            if one.condition == row.condition and one.evaluation.network in row.networks
        ]
        assert len(values) == 3
        assert row.spread.mean.value == pytest.approx(np.mean(values), nan_ok=True), row.measure.key
        assert row.spread.sd == pytest.approx(np.std(values, ddof=1), nan_ok=True)
        assert sorted(row.values) == pytest.approx(sorted(values), nan_ok=True)
        low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
        assert (row.spread.mean.low, row.spread.mean.high) == pytest.approx((low, high), nan_ok=True)


def test_accuracy_is_on_all_images_tested(compared, found):
    (row,) = [row for row in found if row.measure.key == "accuracy_last_step" and row.pooled]
    expected = [
        100 * evaluation.answers.right[:, -1].mean()
        for evaluation in compared[0]
        if evaluation.network in row.networks
    ]
    assert row.spread.mean.value == pytest.approx(np.mean(expected))
    assert row.images == len(compared[0][0].answers.labels)
    assert row.spread.on_new_images.low < row.spread.mean.value < row.spread.on_new_images.high


def test_only_measures_with_a_known_sampling_error_have_an_interval_on_new_images(found):
    known = {row.measure.key for row in found if row.pooled and np.isfinite(row.spread.on_new_images.low)}
    assert known == {
        "accuracy_last_step",
        "steepness_network",
        "steepness_difference",
        "accuracy_range_network",
        "sat_rmse",
        *(RESAMPLED - {"response_time_margin"}),  # these runs have no probabilities
    }


def test_networks_alone_have_the_spread_of_accuracy(compared):
    assert {row.measure.key for row in seed_rows(compared[0], [])} == {"accuracy_last_step"}


def test_measures_that_are_not_resampled_do_not_depend_on_the_order_of_the_images(
    runs, found, human_data, tmp_path
):
    turned = []
    for run in runs[:3]:
        turned.append(shutil.copytree(run, tmp_path / run.name))
        path = turned[-1] / "evaluation/blur/predictions.csv"
        head, *lines = path.read_text().splitlines()
        if run == runs[1]:
            lines.reverse()
        path.write_text("\n".join([head, *lines]) + "\n")
    evaluations = read_evaluations(turned)
    again = seed_rows(evaluations, compare(evaluations, read_observer_group(human_data)))
    for row, other in zip(found, again, strict=True):
        if row.measure.key in RESAMPLED:
            assert np.isnan(other.spread.on_new_images.low)
        elif np.isfinite(row.spread.on_new_images.low):
            assert other.spread.on_new_images.low == pytest.approx(row.spread.on_new_images.low)


def changed_config(run, **entries):
    path = run / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("change", ["seed", "weights", "images"])
def test_runs_that_cannot_be_grouped_do_not_appear(change, runs, tmp_path):
    pair = [shutil.copytree(run, tmp_path / run.name) for run in runs[:2]]
    assert seed_rows(read_evaluations(pair), [])
    if change == "seed":
        changed_config(pair[0], seed=0)
    elif change == "weights":
        changed_config(pair[0], weights_sha256="other")
    else:
        path = pair[0] / "evaluation/blur/predictions.csv"
        lines = path.read_text().splitlines()
        path.write_text("\n".join(lines[:-1]) + "\n")
        path = path.with_name("measures.json")
        measures = json.loads(path.read_text())
        path.write_text(json.dumps(measures | {"images": measures["images"] - 1}))
    left = seed_rows(read_evaluations(pair), [])
    # One image less leaves the other levels as they are.
    assert not [row for row in left if row.pooled or change != "images"]


def test_groups_are_named_by_what_their_networks_share():
    assert group_name(["noise-seed0", "noise-seed12"], [0, 12]) == "noise"
    assert group_name(["a", "b"], [0, 1]) == "a, b"
    assert group_name(["noise-seed0", "noise-seed1"], [0, 2]) == "noise-seed0, noise-seed1"
    assert group_name(["noise", "noise-seed1"], [0, 1]) == "noise, noise-seed1"
