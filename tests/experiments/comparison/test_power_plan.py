"""Plans of experiments from the variances of compared networks."""

import numpy as np
import pytest

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.comparison.power_plan import plans
from convrnn_experiments.evaluation.results import read_evaluations


@pytest.fixture(scope="module")
def rows(tmp_path_factory, make_run, human_data):
    folder = tmp_path_factory.mktemp("runs")
    paths = [make_run(folder / name, "blur", human_data, seed=seed) for seed, name in enumerate(("a", "b"))]
    compared = compare(read_evaluations(paths), read_observer_group(human_data))
    return [row for row in compared if row.pooled]


def test_pairs_of_networks_and_networks_with_humans_are_planned(rows):
    found = plans(rows, difference=5, wanted=0.8)
    assert [(plan.network, plan.reference, plan.measure) for plan in found] == [
        ("a", "humans", "accuracy"),
        ("b", "humans", "accuracy"),
        ("a", "b", "accuracy"),
        ("a", "b", "steepness"),
    ]
    gap = found[0]
    assert gap.observed == pytest.approx(np.mean([estimate.value for estimate in rows[0].difference]))
    assert (gap.images, gap.observers) == (rows[0].image_count, rows[0].observer_count)


def test_more_images_find_what_the_data_do_not(rows):
    small, large = (plans(rows, difference=size, wanted=0.8)[2] for size in (1.0, 40.0))
    assert small.power < 0.8 < large.power
    assert small.images_needed is not None
    assert large.images_needed is not None
    assert large.images_needed < large.images < small.images_needed
    assert small.smallest == pytest.approx(large.smallest)
    assert small.observers_needed is None  # networks alone do not depend on observers


def test_seeds_count_for_both_networks(rows):
    known, spread = (plans(rows, difference=8, wanted=0.8, seed_sd=sd)[2] for sd in (0.0, 6.0))
    assert spread.power < known.power
    assert spread.smallest > known.smallest
    assert plans(rows, difference=8, wanted=0.8, seed_sd=6.0, seeds=50)[2].power == pytest.approx(
        known.power, abs=0.05
    )
