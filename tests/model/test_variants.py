"""Table of networks: scaling by width, and names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_model import ConvRNNError
from convrnn_model.variants import VARIANTS, require_positive_integer, require_width, variant_named


@given(width=st.floats(0.001, 4), name=st.sampled_from(sorted(VARIANTS)))
def test_width_scales_filters(width, name):
    variant = VARIANTS[name]
    for ours, published in zip(variant.convolutions(width), variant.convolutions(), strict=True):
        assert ours.filters == max(1, round(published.filters * width))
        assert (ours.kernel, ours.pool) == (published.kernel, published.pool)


def test_variants_by_name():
    assert variant_named("B-K") is VARIANTS["b_k_net"]
    with pytest.raises(ConvRNNError, match="choose one of bl_net, b_net"):
        variant_named("resnet")


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "3"])
def test_not_a_positive_integer(value):
    with pytest.raises(ConvRNNError, match="classes must be a positive integer, got"):
        require_positive_integer("classes", value)


@pytest.mark.parametrize("width", [0, -1, float("inf"), float("nan")])
def test_not_a_width(width):
    with pytest.raises(ConvRNNError, match="width must be a positive factor on the filters, got"):
        require_width(width)
