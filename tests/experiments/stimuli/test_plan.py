"""Plan of new stimuli: balance, repeated images, levels and reproducibility."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.stimuli.plan import LEVELS, plan_stimuli, with_levels


def levels_numbered(count):
    return {experiment: tuple(map(str, range(count))) for experiment in LEVELS}


def test_published_block_size_is_as_even_as_whole_numbers_allow():
    labels = np.repeat(np.arange(16), 70)
    planned = plan_stimuli(labels, LEVELS, 210, seed=0)
    for experiment, levels in LEVELS.items():
        for block in range(5):
            chosen = [one for one in planned if (one.experiment, one.block) == (experiment, block)]
            assert set(Counter(labels[one.row] for one in chosen).values()) == {13, 14}
            assert set(Counter(one.level for one in chosen).values()) == {210 // len(levels)}
            cells = Counter((labels[one.row], one.level) for one in chosen)
            assert set(cells.values()) == ({4, 5} if len(levels) == 3 else {6, 7})


@settings(max_examples=30, deadline=None)
@given(
    images=st.lists(st.integers(1, 40), min_size=16, max_size=16),
    per_block=st.integers(1, 120),
    levels=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_images_repeat_only_where_a_category_has_too_few(images, per_block, levels, seed):
    labels = np.repeat(np.arange(16), images)
    planned = plan_stimuli(labels, levels_numbered(levels), per_block, seed)
    assert len(planned) == 3 * 5 * per_block
    for experiment in LEVELS:
        chosen = [one for one in planned if one.experiment == experiment]
        for scope in (chosen, *([one for one in chosen if one.block == block] for block in range(5))):
            uses = np.bincount([one.row for one in scope], minlength=len(labels))
            for label, available in enumerate(images):
                uses_of_label = uses[labels == label]
                assert uses_of_label.max() <= -(-uses_of_label.sum() // available)
        assert len({(one.block, one.name) for one in chosen}) == 5 * per_block


def test_plan_is_a_function_of_labels_settings_and_seed():
    labels = np.repeat(np.arange(16), 30)
    first, second, other = (plan_stimuli(labels, LEVELS, 48, seed) for seed in (0, 0, 1))
    assert first == second != other


def test_levels_can_be_replaced():
    assert with_levels((0.0, 0.1), (1.5,))["noise"] == ("0", "0.1")
    assert with_levels((0.0,), (1.5,))["blur"] == ("1.5",)
    with pytest.raises(ConvRNNError, match="at least 0"):
        with_levels((-0.1,), (1.5,))
