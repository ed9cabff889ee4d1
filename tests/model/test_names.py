"""Layer names, which published files and other code rely on."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrnn_model import names


@pytest.mark.parametrize(
    ("name", "published"),
    [
        (names.conv(3), "Conv_Layer_3"),
        (names.bottom_up(0), "RCL_0_BConv"),
        (names.lateral(6), "RCL_6_LConv"),
        (names.conv_sum(6), "RCL_6_ConvSum"),
        (names.top_down(5), "RCL_5_TConv"),
        (names.global_pool(None, 2), "GlobalAvgPool_Layer_2"),
        (names.pre_softmax(None, 2), "ReadoutDense_Layer_2"),
        (names.pre_softmax(3, 2), "ReadoutDense_Layer_2_Time_3"),
        (names.cumulative(3, 2), "CumulativeReadout_Layer_2_Time_3"),
        (names.softmax(None, 2), "Softmax_Layer_2"),
        (names.softmax(3, 2), "Softmax_Layer_2_Time_3"),
        (names.batch_norm(2), "BatchNorm_Layer_2"),
        (names.batch_norm(2, 7), "BatchNorm_Layer_2_Time_7"),
        (names.relu(2), "ReLU_Layer_2"),
        (names.relu(2, 0), "ReLU_Layer_2_Time_0"),
        (names.max_pool(1, 3), "MaxPool_Layer_1_Time_3"),
        (names.global_pool(), "GlobalAvgPool"),
        (names.global_pool(7), "GlobalAvgPool_Time_7"),
        (names.pre_softmax(), "ReadoutDense"),
        (names.pre_softmax(1), "ReadoutDense_Time_1"),
        (names.cumulative(4), "CumulativeReadout_Time_4"),
        (names.softmax(), "Softmax"),
        # Misspelt in the original.
        (names.softmax(3), "Sotfmax_Time_3"),
    ],
)
def test_published_names(name, published):
    assert name == published


@given(stem=st.from_regex(r"[A-Za-z]+_Layer_[0-9]{1,2}", fullmatch=True), time=st.integers(0, 999_999))
def test_a_time_step_can_be_split_off_again(stem, time):
    assert names.split_time(names.at(stem, time)) == (stem, time)
    assert names.split_time(names.at(stem, None)) == (stem, None)


@pytest.mark.parametrize(
    "name", ["ReLU_Layer_2_Time_", "Time_3", "_Time_3", "ReLU_Time_-1", "ReLU_Time_1234567"]
)
def test_other_names_have_no_time_step(name):
    assert names.split_time(name) == (name, None)


@pytest.mark.parametrize(
    ("name", "recurrent", "lateral", "weights"),
    [
        (names.bottom_up(2), True, False, True),
        (names.at(names.bottom_up(2), 3), True, False, True),
        (names.lateral(2), True, True, True),
        (names.at(names.lateral(2), 3), True, True, True),
        (names.top_down(2), True, False, True),
        (names.pre_softmax(3, 2), False, False, True),
        (names.conv_sum(2), True, False, False),
        (names.conv(13), False, False, True),
        (names.batch_norm(13), False, False, True),
        (names.batch_norm(2, 7), False, False, True),
        (names.READOUT, False, False, True),
        (names.relu(2, 7), False, False, False),
        (names.max_pool(2, 7), False, False, False),
        (names.softmax(7), False, False, False),
        ("my_RCL_2_LConv", False, False, False),
    ],
)
def test_properties_of_layers(name, recurrent, lateral, weights):
    assert names.is_recurrent(name) is recurrent
    assert names.is_lateral(name) is lateral
    assert names.has_weights(name) is weights


def test_layers_that_names_mention():
    found = [names.layer_number(name) for name in ("RCL_2_TConv", "Conv_Layer_13", "ReLU_Layer_6_Time_7")]
    assert found == [2, 13, 6]
    assert names.layer_number("ReadoutDense_Time_3") is None
    assert [names.is_readout(names.pre_softmax(*of)) for of in ((), (3,), (None, 2), (3, 2))] == [True] * 4
    assert not names.is_readout("MyReadoutDense")
    assert [names.is_top_down(name) for name in ("RCL_2_TConv", "RCL_2_TConv_Time_1", "RCL_2_LConv")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("unknown", "says"),
    [
        (["ReLU_2"], r"bl has no output called ReLU_2 \(did you mean ReLU_1\)"),
        (["Shared"], r"Shared \(is applied at several time steps: pass Shared_Time_0, Shared_Time_1\)"),
        (["xyz"], r"called xyz\. Layers and time steps count from 0"),
        ([], "no layer of bl was named"),
    ],
)
def test_errors_of_unknown_outputs(unknown, says):
    uses = {"ReLU_1": ["ReLU_1"], "Shared": ["Shared_Time_0", "Shared_Time_1"]}
    assert re.search(says, str(names.unknown_outputs("bl", unknown, uses)))
