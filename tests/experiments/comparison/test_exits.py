"""Exits and response times: positions, fitted maps, and their score on images that they were not fitted on."""

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
        where = exit_matching.fit(np.zeros((1, 5, exits)), np.zeros((1, 5)), axis).positions
    else:
        where = exit_matching.unfitted_positions(exits, match)
    assert where.shape == (5,)
    assert 0 <= where.min() <= where.max() <= exits - 1
    assert (np.diff(where) >= 0).all()


def test_the_best_linear_map_is_found():
    curve = np.array([5.0, 9, 20, 33, 35, 36, 50, 70])
    people = np.interp([1, 2.25, 3.5, 4.75, 6], np.arange(8), curve)
    axis = exit_matching.axis_of(Exits.LINEAR, STEPS, TIMES)
    np.testing.assert_allclose(
        exit_matching.fit(np.tile(curve, (1, 5, 1)), people[None], axis).positions, [1, 2.25, 3.5, 4.75, 6]
    )


def test_speed_and_delay_are_recovered():
    """A network whose time step k is at 400 + 150 k ms, steps counted from 1."""
    curve = 80 / (1 + np.exp(-(STEPS - 4)))
    people = np.interp((TIMES - 400) / 150, STEPS, curve)
    found = exit_matching.fit(np.tile(curve, (2, 5, 1)), np.tile(people, (2, 1)), Axis(STEPS, TIMES))
    assert found.speed == pytest.approx(150, rel=0.05)
    assert found.delay == pytest.approx(400, abs=40)
    np.testing.assert_allclose(found.positions, (TIMES - 400) / 150 - 1, atol=0.15)


def test_people_slower_or_faster_than_every_step_take_the_ends():
    curve = np.linspace(10, 80, 8)
    people = np.array([[10.0, 10, 10, 80, 80]])
    where = exit_matching.fit(np.tile(curve, (1, 5, 1)), people, Axis(STEPS, TIMES)).positions
    assert where[0] == 0
    assert where[-1] == 7


def test_multiply_adds_are_an_axis_of_their_own():
    costs = np.array([1.0, 2, 4, 8])
    curve = np.array([10.0, 20, 40, 80])  # linear in the cost
    people = np.interp(np.linspace(1, 8, 5), costs, curve)
    found = exit_matching.fit(np.tile(curve, (1, 5, 1)), people[None], Axis(costs, np.arange(5.0)))
    np.testing.assert_allclose(
        np.interp(found.positions, np.arange(4), costs), np.linspace(1, 8, 5), atol=0.1
    )


def trials(seed):
    """A network at chance at every step, and people who are far from it: a fit can only follow noise."""
    rng = np.random.default_rng(seed)
    blocks = np.repeat(np.arange(5), 16)
    scores = rng.random((4, 80)) < np.array([0.3, 0.4, 0.5, 0.6, 0.7])[blocks]
    zeros = np.zeros(80, dtype=int)
    return Trials(rng.random((80, 8)) < 0.5, scores.astype(float), zeros, blocks, blocks)


def test_a_fit_is_scored_on_other_images():
    """What noise gains on the images that were fitted is gone on the others."""
    gains = {"same": [], "others": []}
    axis = Axis(STEPS, TIMES)
    for seed in range(12):
        made = trials(seed)
        people = np.array([made.scores[:, made.blocks == block].mean() for block in range(5)])
        where = made.match(np.arange(80), axis).positions
        for kind, score in {
            "same": exit_matching.per_image(made.right, made.blocks, where),
            "others": exit_matching.cross_fitted(made, axis, np.random.default_rng(seed)),
        }.items():
            curve = np.array([score[made.blocks == block].mean() for block in range(5)])
            gains[kind].append(np.mean((curve - people) ** 2))
    assert np.mean(gains["same"]) < np.mean(gains["others"])


def test_cross_fitting_repeats_by_seed_and_changes_no_constant_network():
    made = trials(0)
    axis = Axis(STEPS, TIMES)
    one, again = (exit_matching.cross_fitted(made, axis, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    constant = Trials(
        np.repeat(made.right[:, :1], 8, axis=1), made.scores, made.levels, made.blocks, made.strata
    )
    np.testing.assert_allclose(
        exit_matching.cross_fitted(constant, axis, np.random.default_rng(0)), constant.right[:, 0]
    )


def test_all_exits_and_a_feedforward_network():
    np.testing.assert_allclose(exit_matching.unfitted_positions(8, Exits.ALL), [0, 1.75, 3.5, 5.25, 7])
    np.testing.assert_allclose(exit_matching.unfitted_positions(1, Exits.INDEX), 0)
    right = np.array([[True, False], [True, False]])
    where = np.array([0.25, 1, 1, 1, 1])
    np.testing.assert_allclose(exit_matching.per_image(right, np.array([0, 4]), where), [0.75, 0])
    assert exit_matching.nearest(right, np.array([0, 4]), where).tolist() == [True, False]
    match = exit_matching.Match(where, 150.0, 400.0)
    assert exit_matching.describe(match, Exits.INDEX) == "RT 1-5 at steps 1.25, 2, 2, 2, 2"
    assert "150 ms per time step, delay 400 ms" in exit_matching.describe(match, Exits.AFFINE)
