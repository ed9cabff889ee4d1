"""Graphs to export."""

import numpy as np

from convrnn_model.export.graph import TO_CHANNELS_FIRST, channels_last


def test_channels_last():
    maps = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(channels_last(maps.transpose(TO_CHANNELS_FIRST)), maps)
    np.testing.assert_array_equal(channels_last(maps[0, 0]), maps[0, 0])
