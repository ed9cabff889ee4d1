import pytest
from pydantic import ValidationError

from convrnn_data.base.schema import Count, Document


class Box(Document):
    count: Count
    share: float = 0.0


@pytest.mark.parametrize("count", [-1, 2**63, 1.0, "1", True, None])
def test_counts_are_non_negative_integers_of_64_bits(count):
    with pytest.raises(ValidationError):
        Box(count=count)


@pytest.mark.parametrize("share", [float("nan"), float("inf"), "0.5", True])
def test_numbers_are_finite_and_not_converted(share):
    with pytest.raises(ValidationError):
        Box(count=0, share=share)


def test_integers_are_numbers_and_unknown_entries_are_ignored():
    box = Box.model_validate({"count": 2**63 - 1, "share": 1, "later": "x"})
    assert box == Box(count=2**63 - 1, share=1.0)
    with pytest.raises(ValidationError):
        box.count = 0
