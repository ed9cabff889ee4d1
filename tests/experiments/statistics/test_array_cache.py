"""Cache by content: equal arrays share a result, others do not."""

import numpy as np
import pytest

from convrnn_experiments.statistics.array_cache import cached_by_content, cached_results


@pytest.fixture
def calls():
    return []


@pytest.fixture
def total(calls):
    @cached_by_content
    def function(values, *more, seed=0):
        calls.append(seed)
        return values + seed + len(more)

    return function


def test_equal_content_is_computed_once(total, calls):
    values = np.arange(6.0).reshape(2, 3)
    first = total(values, seed=1)
    np.testing.assert_array_equal(total(values.T.copy().T, seed=1), first)  # another order in memory
    np.testing.assert_array_equal(first, values + 1)
    assert calls == [1]


def test_other_values_shapes_types_and_seeds_are_computed(total, calls):
    values = np.arange(6.0)
    for other in (values, values + 1, values.reshape(2, 3), values.astype(np.float32), values.astype(int)):
        np.testing.assert_array_equal(total(other), other)
    np.testing.assert_array_equal(total(values, values), values + 1)
    np.testing.assert_array_equal(total(values, seed=1), values + 1)
    assert len(calls) == 7


def test_the_oldest_result_is_dropped(calls):
    @cached_results(2)
    def function(value):
        calls.append(value)
        return value

    for value in (1, 2, 1, 3, 1, 2):
        assert function(value) == value
    assert calls == [1, 2, 3, 2]


def test_a_change_of_an_argument_is_noticed(total):
    values = np.zeros(3)
    total(values)
    values[0] = 5
    np.testing.assert_array_equal(total(values), [5, 0, 0])


def test_a_shared_array_cannot_be_changed(total):
    with pytest.raises(ValueError, match="read-only"):
        total(np.zeros(3))[0] = 1
