"""Multiply-adds and parameters, against published numbers and counts by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nested_models import in_model

from convrnn_model import (
    ConvRNNError,
    b_d_net,
    b_net,
    bl_net,
    multiply_adds,
    names,
)


@pytest.fixture(scope="module")
def network(fill_golden):
    model = bl_net((64, 64, 3), 5, 3, width=0.02)
    fill_golden(model)
    return model


@pytest.mark.parametrize(
    ("side", "first", "step", "total"), [(128, 1.99, 11.64, 83.5), (224, 6.08, 35.64, 255.5)]
)
def test_published_multiply_adds(side, first, step, total):
    cost = multiply_adds(bl_net((side, side, 3), 1000))
    assert [round(count / 1e9, 2) for count in cost.per_timestep] == [first] + [step] * 7
    assert round(cost.total / 1e9, 1) == total
    assert cost.cumulative[-1] == cost.total
    assert sum(cost.parameters.values()) == 28_939_016
    later = cost.per_timestep[1]
    assert round(100 * cost.layers[names.lateral(0)][1] / later) == 64
    second = (names.bottom_up(1), names.lateral(1))
    assert round(100 * sum(cost.layers[name][1] for name in second) / later) == 25


def test_image_is_convolved_once_and_lateral_convolutions_begin_later(network):
    layers = multiply_adds(network).layers
    assert layers[names.bottom_up(0)][0] > 0
    assert layers[names.bottom_up(0)][1:] == (0, 0)
    assert all(layers[names.lateral(n)][0] == 0 < layers[names.lateral(n)][1] for n in range(7))


@given(height=st.integers(64, 300), width=st.integers(64, 300))
def test_cost_at_a_given_image_size(height, width, any_size):
    steps = multiply_adds(any_size, (height, width)).per_timestep
    by_hand = 0
    before = 3
    for n, layer in enumerate(any_size.get_layer(f"Conv_Layer_{n}") for n in range(14)):
        side = (height >> (n // 2)) * (width >> (n // 2))
        by_hand += side * before * layer.filters * layer.kernel_size[0] ** 2
        before = layer.filters
    assert steps == (by_hand,)


@pytest.fixture(scope="module")
def any_size():
    return b_d_net((None, None, 3), 5, width=0.02)


def test_cost_requires_an_image_size(any_size):
    with pytest.raises(ConvRNNError, match="image_size"):
        multiply_adds(any_size)


def test_nested_networks_are_refused():
    with pytest.raises(
        ConvRNNError, match=r"must not contain other models, got b_net.*model.get_layer\('b_net'\)"
    ):
        multiply_adds(in_model(b_net((64, 64, 3), 5, width=0.02)))
