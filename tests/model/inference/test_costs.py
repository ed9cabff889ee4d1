import pytest

from convrnn_model.inference.costs import costs
from convrnn_model.inference.processor import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_processor_has_a_row(kind):
    row = costs(kind)
    assert min(row.products, row.transforms, row.memory, row.convolution, row.stage) > 0
    assert row.measured_on


def test_seconds_add_up():
    row = costs("avx2")
    assert row.seconds() == 0
    assert row.seconds(products=2e9) == pytest.approx(2 / row.products)
    assert row.seconds(transforms=1e9, moved=1e9) == pytest.approx(1 / row.transforms + 1 / row.memory)
