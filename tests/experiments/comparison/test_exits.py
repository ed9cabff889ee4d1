"""Matching of exits and response times: positions, fitted maps, and scores on held-out images."""

import numpy as np
import pytest

from convrnn_experiments.comparison import exits as exit_matching
from convrnn_experiments.comparison.exits import Axis, Exits, Trials

TIMES = np.array([634.0, 970, 1140, 1311, 1481])
STEPS = np.arange(1.0, 9)


@pytest.mark.parametrize("exits", [1, 3, 5, 8])
@pytest.mark.parametrize("match", list(Exits))
def test_positions_are_on_the_exits(match, exits):
    if match in exit_matching.FITTED:
        axis = exit_matching.axis_of(match, 1e6 * (1 + 5.0 * np.arange(exits)), TIMES)
        positions = exit_matching.fit(np.zeros((1, 5, exits)), np.zeros((1, 5)), axis).positions
    else:
        positions = exit_matching.unfitted_positions(exits, match)
    assert positions.shape == (5,)
    assert 0 <= positions.min() <= positions.max() <= exits - 1
    assert (np.diff(positions) >= 0).all()


def test_the_best_linear_map_is_found():
    curve = np.array([5.0, 9, 20, 33, 35, 36, 50, 70])
    human_curve = np.interp([1, 2.25, 3.5, 4.75, 6], np.arange(8), curve)
    axis = exit_matching.axis_of(Exits.LINEAR, STEPS, TIMES)
    np.testing.assert_allclose(
        exit_matching.fit(np.tile(curve, (1, 5, 1)), human_curve[None], axis).positions,
        [1, 2.25, 3.5, 4.75, 6],
    )


def test_speed_and_delay_are_recovered():
    """Simulate a network whose time step k is at 400 + 150 k ms, counted from 1."""
    curve = 80 / (1 + np.exp(-(STEPS - 4)))
    human_curve = np.interp((TIMES - 400) / 150, STEPS, curve)
    found = exit_matching.fit(np.tile(curve, (2, 5, 1)), np.tile(human_curve, (2, 1)), Axis(STEPS, TIMES))
    assert found.speed == pytest.approx(150, rel=0.05)
    assert found.delay == pytest.approx(400, abs=40)
    np.testing.assert_allclose(found.positions, (TIMES - 400) / 150 - 1, atol=0.15)


def test_humans_slower_or_faster_than_every_step_take_the_ends():
    curve = np.linspace(10, 80, 8)
    human_curve = np.array([[10.0, 10, 10, 80, 80]])
    positions = exit_matching.fit(np.tile(curve, (1, 5, 1)), human_curve, Axis(STEPS, TIMES)).positions
    assert positions[0] == 0
    assert positions[-1] == 7


def test_multiply_adds_are_an_axis_of_their_own():
    costs = np.array([1.0, 2, 4, 8])
    curve = np.array([10.0, 20, 40, 80])  # linear in the cost
    human_curve = np.interp(np.linspace(1, 8, 5), costs, curve)
    found = exit_matching.fit(np.tile(curve, (1, 5, 1)), human_curve[None], Axis(costs, np.arange(5.0)))
    np.testing.assert_allclose(
        np.interp(found.positions, np.arange(4), costs), np.linspace(1, 8, 5), atol=0.1
    )


def trials(seed):
    """Return a network at chance at every step, and humans far from it: a fit can only follow noise."""
    rng = np.random.default_rng(seed)
    blocks = np.repeat(np.arange(5), 16)
    scores = rng.random((4, 80)) < np.array([0.3, 0.4, 0.5, 0.6, 0.7])[blocks]
    zeros = np.zeros(80, dtype=int)
    return Trials(rng.random((80, 8)) < 0.5, scores.astype(float), zeros, blocks, blocks)


def test_a_fit_is_scored_on_held_out_images():
    # Gains of a fit to noise must vanish on held-out images.
    gains = {"same": [], "others": []}
    axis = Axis(STEPS, TIMES)
    for seed in range(12):
        data = trials(seed)
        human_curve = np.array([data.scores[:, data.blocks == block].mean() for block in range(5)])
        positions = data.match(np.arange(80), axis).positions
        for kind, score in {
            "same": exit_matching.per_image(data.right, data.blocks, positions),
            "others": exit_matching.cross_fitted(data, axis, np.random.default_rng(seed)),
        }.items():
            curve = np.array([score[data.blocks == block].mean() for block in range(5)])
            gains[kind].append(np.mean((curve - human_curve) ** 2))
    assert np.mean(gains["same"]) < np.mean(gains["others"])


def test_cross_fitting_depends_on_the_seed_and_keeps_constant_networks():
    data = trials(0)
    axis = Axis(STEPS, TIMES)
    one, repeated = (exit_matching.cross_fitted(data, axis, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, repeated)
    constant = Trials(
        np.repeat(data.right[:, :1], 8, axis=1), data.scores, data.levels, data.blocks, data.strata
    )
    np.testing.assert_allclose(
        exit_matching.cross_fitted(constant, axis, np.random.default_rng(0)), constant.right[:, 0]
    )


def test_unfitted_positions_and_scores_by_hand():
    np.testing.assert_allclose(exit_matching.unfitted_positions(8, Exits.ALL), [0, 1.75, 3.5, 5.25, 7])
    np.testing.assert_allclose(exit_matching.unfitted_positions(1, Exits.INDEX), 0)
    right = np.array([[True, False], [True, False]])
    positions = np.array([0.25, 1, 1, 1, 1])
    np.testing.assert_allclose(exit_matching.per_image(right, np.array([0, 4]), positions), [0.75, 0])
    assert exit_matching.nearest(right, np.array([0, 4]), positions).tolist() == [True, False]
    match = exit_matching.Match(positions, 150.0, 400.0)
    assert exit_matching.describe(match, Exits.INDEX) == "RT 1-5 at steps 1.25, 2, 2, 2, 2"
    assert "150 ms per time step, delay 400 ms" in exit_matching.describe(match, Exits.AFFINE)
