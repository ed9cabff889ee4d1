"""Balanced designs: even over blocks, categories and levels, and determined by the seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_experiments.stimuli.balance import balanced_counts, share


@settings(max_examples=60, deadline=None)
@given(per_block=st.integers(1, 400), levels=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_designs_are_as_even_as_whole_numbers_allow(per_block, levels, seed):
    """Check that cells, categories and levels differ by at most one, within each block and over all blocks."""
    counts = balanced_counts(5, 16, levels, per_block, np.random.default_rng(seed))
    assert (counts.sum(axis=(1, 2)) == per_block).all()
    for table in (*counts, counts.sum(axis=0)):
        for even in (table, table.sum(axis=1), table.sum(axis=0)):
            assert 0 <= even.min() <= even.max() <= even.min() + 1


def test_a_design_that_divides_evenly_has_one_solution():
    counts = balanced_counts(5, 16, 3, 240, np.random.default_rng(0))
    assert counts.shape == (5, 16, 3)
    assert (counts == 5).all()


def test_the_generator_determines_the_rounding():
    first, second, other = (balanced_counts(5, 16, 3, 50, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


@pytest.mark.parametrize("seed", range(5))
def test_a_share_rounds_cells_sums_and_total(seed):
    table = np.array([[3, 4, 0], [5, 1, 7]])
    found = share(table, 4, np.random.default_rng(seed))
    for whole, part in (
        (table, found),
        (table.sum(axis=0), found.sum(axis=0)),
        (table.sum(axis=1), found.sum(axis=1)),
    ):
        assert (part >= whole // 4).all()
        assert (part <= -(-whole // 4)).all()
    assert found.sum() == 5


def test_the_shares_of_a_table_add_up_to_it():
    rng = np.random.default_rng(3)
    table = rng.integers(0, 20, (6, 4))
    remaining, total = table, np.zeros_like(table)
    for parts in range(7, 0, -1):
        part = share(remaining, parts, rng)
        remaining, total = remaining - part, total + part
    np.testing.assert_array_equal(total, table)
    assert (remaining == 0).all()
