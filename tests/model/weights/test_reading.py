"""Reading of weights by names and shapes, without a network."""

import numpy as np
import pytest

from convrnn_model import ConvRNNError, b_net, save_weights
from convrnn_model.weights.load_save import as_array, model_weights
from convrnn_model.weights.reading import read_weights


@pytest.fixture
def network(tmp_path):
    model = b_net((64, 64, 3), 5, width=0.02)
    save_weights(model, tmp_path / "w.h5")
    return {name: as_array(variable) for name, variable in model_weights(model).items()}


def test_values_by_the_names_of_the_network(network, tmp_path):
    shapes = {name: value.shape for name, value in network.items()}
    report, values = read_weights(tmp_path / "w.h5", shapes, "strict", "error")
    assert report.loaded == tuple(shapes) == tuple(values)
    for name, value in network.items():
        np.testing.assert_array_equal(values[name], value)


def test_the_readout_is_skipped(network, tmp_path):
    shapes = {name: value.shape for name, value in network.items()} | {"ReadoutDense/bias": (7,)}
    report, values = read_weights(tmp_path / "w.h5", shapes, "skip", "error")
    assert report.kept == ("ReadoutDense/kernel", "ReadoutDense/bias")
    assert set(shapes) - set(values) == set(report.kept)


def test_options(tmp_path):
    message = "extra_timesteps must be one of 'error', 'repeat-last', or a time step from 0, got 'all'"
    with pytest.raises(ConvRNNError, match=message):
        read_weights(tmp_path / "w.h5", {}, "strict", "all")
