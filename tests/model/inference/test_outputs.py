"""Outputs that predictions return."""

import pytest

from convrnn_model import ConvRNNError, names
from convrnn_model.inference.frozen import from_keras
from convrnn_model.inference.operations import operations
from convrnn_model.inference.outputs import requested


def test_groups(cumulative_bl):
    frozen = from_keras(cumulative_bl)
    for wanted, name in ((None, names.softmax), ("softmax", names.softmax), ("features", names.global_pool)):
        outputs = requested(frozen, wanted, "bl")
        assert outputs.form == "group"
        assert outputs.values == tuple(name(time) for time in range(3))
        assert [o.output for o in outputs.operations if o.wanted] == list(outputs.values)


def test_one_name_and_several(cumulative_bl):
    frozen = from_keras(cumulative_bl)
    single, several = (requested(frozen, wanted, "bl") for wanted in (names.relu(2, 1), [names.relu(2, 1)]))
    assert (single.form, several.form) == ("single", "several")
    assert single.operations == several.operations == operations(frozen, [names.relu(2, 1)])


def test_two_names_of_one_value(cumulative_bl):
    outputs = requested(from_keras(cumulative_bl), ["RCL_0_BConv", "RCL_0_BConv_Time_0"], "bl")
    assert list(outputs.named) == ["RCL_0_BConv", "RCL_0_BConv_Time_0"]
    assert outputs.values == ("RCL_0_BConv_Time_0",)


def test_unknown_names(cumulative_bl):
    with pytest.raises(ConvRNNError, match="did you mean Sotfmax_Time_1"):
        requested(from_keras(cumulative_bl), "Softmax_Time_1", "bl")
    with pytest.raises(ConvRNNError, match="no layer of bl_net was named"):
        requested(from_keras(cumulative_bl), [], "bl")


def test_other_models_have_names_only():
    assert requested(None, ["a", "b"], "other").named == {"a": "a", "b": "b"}
    assert requested(None, "a", "other").form == "single"
    for wanted in (None, "features"):
        with pytest.raises(ConvRNNError, match=r"groups of outputs belong.*other is another model"):
            requested(None, wanted, "other")
