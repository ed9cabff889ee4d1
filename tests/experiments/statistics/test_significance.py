"""P-values from intervals and Holm's correction, against t tests and values computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate, normal_interval
from convrnn_experiments.statistics.significance import holm, holm_within, interval_p_value


def test_the_p_value_of_students_interval_is_that_of_the_t_test():
    values = np.random.default_rng(0).normal(0.4, 1, size=12)
    found = normal_interval(values.mean(), values.var(ddof=1) / 12, 11)
    assert interval_p_value(found, 11) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


@given(st.floats(-5, 5), st.floats(0.1, 5), st.floats(0.1, 5), st.integers(1, 100))
def test_p_is_below_5_percent_if_and_only_if_the_interval_excludes_0(value, below, above, freedom):
    estimate = Estimate(value, value - below, value + above)
    excluded = estimate.low > 0 or estimate.high < 0
    p = interval_p_value(estimate, freedom)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == excluded


def test_a_difference_of_0_and_an_undefined_one():
    assert interval_p_value(Estimate(0.0, -1.0, 2.0)) == 1
    assert interval_p_value(Estimate(0.0, 0.0, 0.0)) == 1
    assert np.isnan(interval_p_value(UNDEFINED))


def test_holm_multiplies_the_smallest_by_the_number_of_tests():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.01, np.nan, 0.9]), [0.02, np.nan, 0.9])
    np.testing.assert_allclose(holm([0.6, 0.5]), [1, 1])
    assert holm([]).shape == (0,)
    with pytest.raises(ConvRNNError, match="from 0 to 1"):
        holm([1.5])


def test_families_are_corrected_on_their_own():
    found = holm_within(["a", "b", "a", "b"], [0.01, 0.01, 0.02, float("nan")])
    np.testing.assert_allclose(found, [0.02, 0.01, 0.02, np.nan])


def test_holm_keeps_the_family_wise_error_rate_of_correlated_tests():
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(1000):
        networks = rng.normal(size=4)
        apart = np.subtract.outer(networks, networks)[np.triu_indices(4, 1)] / np.sqrt(2)
        wrong += (holm(2 * stats.norm.sf(np.abs(apart))) < 0.05).any()
    assert wrong / 1000 < 0.07
