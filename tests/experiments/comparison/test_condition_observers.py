"""Observers as arrays: selection, response times and confusions."""

import numpy as np
from comparison_by_hand import agreeing_network


def test_times_are_standardised_within_observer_and_block():
    _, observers, _ = agreeing_network()
    standard = observers.standardized_times()
    for block in range(2):
        values = standard[:, observers.blocks == block]
        np.testing.assert_allclose(np.nanmean(values, axis=1), 0, atol=1e-12)
        np.testing.assert_allclose(np.nanstd(values, axis=1, ddof=1), 1)
    right = observers.standardized_times(correct=True)
    assert np.isnan(right[observers.correct != 1]).all()


def test_selecting_images_drops_observers_without_a_trial_on_them():
    _, observers, _ = agreeing_network(observers=3, images=32)
    missed = observers.missed.copy()
    observers.scores[0, :16], missed[0, :16] = np.nan, False
    observers.missed[:] = missed
    selected = observers.select(np.arange(32) < 16)
    assert selected.ids == ["1", "2"]
    assert selected.scores.shape == (2, 16)
    np.testing.assert_array_equal(selected.blocks, observers.blocks[:16])


def test_mean_times_are_averaged_by_observer_first():
    _, observers, _ = agreeing_network()
    for block in (0, 1):
        in_block = observers.blocks == block
        expected = np.mean([np.nanmean(times[in_block]) for times in observers.times])
        np.testing.assert_allclose(observers.mean_times[block], expected)
        assert len(observers.block_times(block)) == (~np.isnan(observers.times[:, in_block])).sum()
    assert np.isnan(observers.mean_times[2:]).all()


def test_confusions_count_every_answer_once():
    answers, observers, _ = agreeing_network()
    counts = observers.confusions(answers.labels)
    assert counts.shape == (5, 16, 16)
    assert counts.sum() == (observers.answers >= 0).sum()
    assert counts[0].sum() == counts[0].trace()  # these observers answer with the category
