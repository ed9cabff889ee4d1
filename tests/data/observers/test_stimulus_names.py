"""Stimuli by their file names."""

import pytest

from convrnn_data.observers.stimulus_names import named_stimulus, plain_level


def test_names():
    stimulus = named_stimulus("14_noise_0.160_bicycle_exit3.JPEG")
    assert stimulus == ("noise", "0.16", "bicycle", "14_noise_0.160_bicycle.JPEG", 3)
    assert stimulus.in_block(4) == "14_noise_0.160_bicycle_exit4.JPEG"
    assert named_stimulus("n03662601_12531.png") is None


@pytest.mark.parametrize(
    ("level", "plain"), [(0, "0"), (0.0, "0"), ("0.0", "0"), ("C", "c"), (" g ", "g"), ("0.16", "0.16")]
)
def test_levels(level, plain):
    assert plain_level(level) == plain
