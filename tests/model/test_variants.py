"""Table of networks: scaling by width, and names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_model import ConvRNNError
from convrnn_model.variants import VARIANTS, variant_named


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
