"""Weights of a file and of a network, compared by names and shapes."""

from pathlib import Path

import numpy as np
import pytest

from convrnn_model import ConvRNNError
from convrnn_model.weights.assignment import Assignment

BL = {
    "RCL_0_BConv/kernel": (7, 7, 3, 2),
    "RCL_0_LConv/kernel": (7, 7, 2, 2),
    "BatchNorm_Layer_0_Time_0/gamma": (2,),
    "BatchNorm_Layer_0_Time_1/gamma": (2,),
    "ReadoutDense/kernel": (2, 5),
}


def sources(expected, stored, *, skip_readout=False, extra_timesteps="error"):
    assignment = Assignment(Path("w.h5"), expected, stored)
    return assignment.sources(skip_readout=skip_readout, extra_timesteps=extra_timesteps)


def without(name):
    return {key: shape for key, shape in BL.items() if key != name}


def test_equal_weights():
    assert sources(BL, BL) == {name: name for name in BL}
    assert Assignment(Path("w.h5"), BL, BL).unused() == []


def test_one_error_lists_all_problems():
    stored = without("RCL_0_BConv/kernel") | {"RCL_0_LConv/kernel": (2, 2, 7, 7), "other/kernel": (1,)}
    with pytest.raises(
        ConvRNNError, match=r"missing: RCL_0_BConv.*unexpected: other.*\(7, 7, 2, 2\), got .*axes"
    ):
        sources(BL, stored)


def test_fewer_time_steps_leave_weights_unused():
    expected = without("BatchNorm_Layer_0_Time_1/gamma")
    assert set(sources(expected, BL)) == set(expected)
    # A network of one time step has no lateral term.
    unused = {"RCL_0_LConv/kernel", "BatchNorm_Layer_0_Time_1/gamma"}
    assert set(Assignment(Path("w.h5"), expected, BL).unused()) == unused


def test_further_time_steps_repeat_the_last():
    stored = without("BatchNorm_Layer_0_Time_1/gamma")
    with pytest.raises(ConvRNNError, match="repeat-last"):
        sources(BL, stored)
    found = sources(BL, stored, extra_timesteps="repeat-last")
    assert found["BatchNorm_Layer_0_Time_1/gamma"] == "BatchNorm_Layer_0_Time_0/gamma"


def test_further_time_steps_use_one_that_is_given():
    further = BL | {"BatchNorm_Layer_0_Time_2/gamma": BL["BatchNorm_Layer_0_Time_1/gamma"]}
    for step in (0, np.int64(1)):
        found = sources(further, BL, extra_timesteps=step)
        assert found["BatchNorm_Layer_0_Time_2/gamma"] == f"BatchNorm_Layer_0_Time_{step}/gamma"
        assert found["BatchNorm_Layer_0_Time_1/gamma"] == "BatchNorm_Layer_0_Time_1/gamma"
    for step in (2, 9):
        with pytest.raises(ConvRNNError, match=f"must be a time step of w.h5, from 0 to 1, got {step}"):
            sources(further, BL, extra_timesteps=step)
    for step in (-1, True, 0.5, None):
        with pytest.raises(ConvRNNError, match=f"or a time step from 0, got {step}"):
            sources(further, BL, extra_timesteps=step)


def test_the_readout_can_be_skipped():
    stored = BL | {"ReadoutDense/kernel": (2, 7)}
    with pytest.raises(ConvRNNError, match="ReadoutDense"):
        sources(BL, stored)
    assert "ReadoutDense/kernel" not in sources(BL, stored, skip_readout=True)
