"""Networks in PyTorch with the golden weights."""

import numpy as np
import pytest

from convrnn_model.inference.frozen import weight_shapes
from convrnn_model.inference.operations import layers_in_order
from convrnn_model.weights import hdf5


@pytest.fixture(scope="session")
def golden_weights_file(golden_weight, tmp_path_factory):
    """A function that writes a file with the golden weights of an architecture, and returns its path."""

    def write(architecture):
        layers = {layer: {} for layer in layers_in_order(architecture)}
        for name, shape in weight_shapes(architecture).items():
            layer, weight = name.split("/")
            layers[layer][weight] = np.asarray(golden_weight(f"{name}:0", shape), np.float32)
        path = tmp_path_factory.mktemp("weights") / f"{architecture.variant}.h5"
        hdf5.write(path, layers)
        return path

    return write
