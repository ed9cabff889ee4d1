"""Contrast of a network and humans on the same images: estimates and their corrections."""

import numpy as np
import pytest

from convrnn_experiments.statistics import contrast, measures
from convrnn_experiments.statistics.contrast import Contrast

BEEPS = np.array([500.0, 900, 1100, 1300, 1500])


def make_contrast(seed=0, observers=6, images=96, levels=1, network=None):
    rng = np.random.default_rng(seed)
    blocks = np.tile(np.repeat(np.arange(5), images), levels)
    labels = np.tile(np.arange(16), len(blocks) // 16)
    codes = np.repeat(np.arange(levels), 5 * images)
    ease = np.linspace(-0.2, 0.2, 16)[labels] + 0.12 * blocks
    scores = (rng.random((observers, len(blocks))) < 0.25 + ease).astype(float)
    scores[rng.random(scores.shape) < 0.3] = 1 / 16
    exits = rng.random((len(blocks), 5)) < (0.4 + ease)[:, None] if network is None else network
    return Contrast(labels, codes, blocks, exits[np.arange(len(blocks)), blocks].astype(float), exits, scores)


def test_raw_values_equal_the_plain_measures():
    both = make_contrast()
    network = [100 * both.network[both.blocks == block].mean() for block in range(5)]
    humans = [100 * both.scores[:, both.blocks == block].mean() for block in range(5)]
    assert both.raw_rmse() == pytest.approx(measures.sat_rmse(network, humans))
    categories = [
        [100 * values[..., both.labels == label].mean() for label in range(16)]
        for values in (both.network, both.scores)
    ]
    assert both.raw_correlation() == pytest.approx(measures.category_correlation(*categories))
    slope = both.network_steepness().values[0]
    assert slope == pytest.approx(measures.steepness(np.arange(5), 100 * both.exits.mean(axis=0)))
    assert both.human_steepness(BEEPS).values[0] == pytest.approx(measures.steepness(BEEPS, humans))


def test_the_rmse_of_several_levels_is_over_levels_and_blocks():
    both = make_contrast(levels=3)
    cells = both.levels * 5 + both.blocks
    gaps = [
        100 * (both.network[cells == cell].mean() - both.scores[:, cells == cell].mean())
        for cell in range(15)
    ]
    assert both.raw_rmse() == pytest.approx(np.sqrt(np.mean(np.square(gaps))))
    # A level with images in only some blocks counts in these.
    part = both.levels * 5 + both.blocks != 7
    fewer = Contrast(*(getattr(both, name)[part] for name in ("labels", "levels", "blocks", "network", "exits")),
                     both.scores[:, part])  # fmt: skip
    assert len(fewer.differences.values) == 14
    assert np.isfinite(fewer.rmse().value)


def test_corrections_lower_the_rmse_and_raise_the_correlation():
    both = make_contrast()
    assert both.rmse().value < both.raw_rmse()
    assert abs(both.correlation().value) > abs(both.raw_correlation())
    assert both.rmse().low <= both.rmse().value <= both.rmse().high


def test_accuracies_of_0_and_100_percent_have_an_interval():
    both = make_contrast(network=np.ones((480, 5), dtype=bool))
    network = both.network_accuracies(both.curves[0], both.blocks)
    assert all(one.value == one.high == 100 and one.low < 97 for one in network)
    silent = Contrast(both.labels, both.levels, both.blocks, both.network, both.exits, 0 * both.scores)
    assert all(
        one.value == one.low == 0 and one.high > 10 for one in silent.human_accuracies(silent.curves[1])
    )


def test_halves_that_agree_less_than_by_chance_have_no_ceiling():
    labels = np.repeat(np.arange(16), 10)
    blocks = np.tile(np.arange(5), 32)
    scores = (labels % 5 == np.arange(5)[:, None]).astype(float)  # each observer is right on other categories
    none = np.zeros(len(labels), dtype=int)
    disjoint = contrast.Contrast(labels, none, blocks, none.astype(float), none[:, None] > 0, scores)
    assert np.isnan(contrast.split_halves(disjoint, np.random.default_rng(0)).correlation)


def test_split_halves_of_humans():
    rng = np.random.default_rng(3)
    alike = make_contrast()
    same = Contrast(alike.labels, alike.levels, alike.blocks, alike.network, alike.exits,
                    np.tile(alike.scores[0], (6, 1)))  # fmt: skip
    found = contrast.split_halves(same, rng)
    assert found.rmse == pytest.approx(0)
    assert found.correlation == pytest.approx(1)
    real = contrast.split_halves(make_contrast(observers=20), rng)
    assert 1 < real.rmse < 10
    assert 0.5 < real.correlation < 1
    assert np.isnan(contrast.split_halves(make_contrast(observers=3), rng).rmse)


def test_a_network_does_not_differ_from_itself():
    both = make_contrast()
    for found in (contrast.rmse_difference(both, both), contrast.correlation_difference(both, both)):
        assert found.value == pytest.approx(0)
        assert found.low <= 0 <= found.high
    # The same images and observers on both sides.
    apart, alone = contrast.rmse_difference(both, both), both.rmse()
    assert apart.high - apart.low < 0.5 * (alone.high - alone.low)
    other = make_contrast(network=np.random.default_rng(9).random((480, 5)) < 0.05)
    apart = contrast.rmse_difference(other, Contrast(other.labels, other.levels, other.blocks, both.network,
                                                     both.exits, other.scores))  # fmt: skip
    assert apart.low > 0


def test_a_single_exit_has_no_steepness():
    single = make_contrast()
    single = Contrast(
        single.labels, single.levels, single.blocks, single.network, single.exits[:, :1], single.scores
    )
    assert np.isnan(single.network_steepness().values[0])


def test_the_sampled_rmse_has_the_width_of_its_interval():
    network = np.zeros((480, 5), dtype=bool)
    network[::4] = True
    both = make_contrast(observers=40, network=network)
    found, interval = both.sampled_rmse(), both.rmse()
    assert found.values[0] == interval.value
    width = 2 * 1.96 * np.sqrt(found.covariance[0, 0])
    assert width == pytest.approx(interval.high - interval.low, rel=0.15)
    assert found.freedom[0] > 20


def test_near_0_the_sampled_rmse_has_the_width_of_its_interval():
    both = make_contrast()
    same = Contrast(both.labels, both.levels, both.blocks, both.scores.mean(axis=0), both.exits, both.scores)
    interval = same.rmse()
    assert interval.low == 0
    found = same.sampled_rmse()
    assert found.values[0] == interval.value
    assert 2 * 1.959964 * np.sqrt(found.covariance[0, 0]) == pytest.approx(interval.high)
