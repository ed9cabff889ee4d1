"""A small network and its weights file."""

from pathlib import Path

import pytest

from convrnn_model import b_net, save_weights


@pytest.fixture(scope="module")
def small_b():
    """B, narrow; tests leave its weights unchanged."""
    return b_net((64, 64, 3), 5, width=0.02)


@pytest.fixture
def weights_file(tmp_path, small_b) -> Path:
    """The weights of `small_b`."""
    save_weights(small_b, tmp_path / "w.h5")
    return tmp_path / "w.h5"
