"""A prepared set small enough to train on in a test."""

from pathlib import Path

import pytest

from convrnn_data import PreparedSet, prepare
from convrnn_data.sample import draw_sample


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn sample: 3 images per category, blocks of 16 stimuli, 2 simulated observers."""
    folder = tmp_path_factory.mktemp("drawn") / "sample"
    draw_sample(folder, images_per_category=3, trials=16, observers=2)
    return folder


@pytest.fixture(scope="session")
def prepared(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """The drawn images as shards, two thirds for training."""
    folder = tmp_path_factory.mktemp("prepared") / "set"
    prepare(drawn / "imagenet", folder, images="all", val=0.34, workers=1)
    return PreparedSet(folder)
