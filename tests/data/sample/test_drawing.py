import numpy as np
import pytest

from convrnn_data.categories import CATEGORIES
from convrnn_data.sample.drawing import draw


@pytest.mark.parametrize("category", CATEGORIES)
def test_an_object_is_large_and_stands_out_in_gray(category):
    """The object is the difference between drawings with and without it on the same background."""
    for index in range(3):
        with_it = draw(np.random.default_rng([5, index]), category, (160, 120)).convert("L")
        without = draw(np.random.default_rng([5, index]), None, (160, 120)).convert("L")
        changed = np.abs(np.asarray(with_it, dtype=int) - np.asarray(without, dtype=int)) > 40
        assert changed.mean() > 0.01
        rows, columns = np.nonzero(changed)
        assert max(np.ptp(rows) / 120, np.ptp(columns) / 120) > 0.4
