"""The golden files, unpacked once, and small networks."""

import lzma
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

from convrnn_model import bl_net, load_weights
from convrnn_model.weights.load_save import as_array, model_weights

# NumPy 2.4 warns about conversions of tensors in Keras, under PyTorch and in saving.
KERAS_READS = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
HERE = Path(__file__).parent
SCALES = {"LConv": 0.45, "Readout": 0.3}


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(KERAS_READS))


def golden_value(name, shape):
    """Compute a weight of the golden networks, a pure function of its name and shape."""
    rng = np.random.RandomState(zlib.crc32(("shared" + name).encode()))
    levels = np.array([-1.5, -0.5, 0.5, 1.5], np.float32)[rng.randint(0, 4, size=shape)]
    weight = name.rsplit("/")[-1].removesuffix(":0")
    if weight in ("gamma", "moving_variance"):
        return 1 + np.float32(0.25) * levels
    if weight in ("beta", "moving_mean", "bias"):
        return np.float32(0.1) * levels
    scale = next((scale for part, scale in SCALES.items() if part in name), 0.9)
    return levels * np.float32(scale / np.sqrt(np.prod(shape[:-1])))


@pytest.fixture(scope="session")
def golden_weight():
    """The function from a weight's name and shape to its golden value."""
    return golden_value


@pytest.fixture(scope="session")
def fill_golden():
    """A function that sets every weight of a network to its golden value."""

    def fill(model):
        for name, variable in model_weights(model).items():
            variable.assign(golden_value(f"{name}:0", tuple(variable.shape)))

    return fill


@pytest.fixture(scope="session")
def snapshot():
    """A function that copies a network's weights as bytes, for comparison."""

    def copy(model):
        return {name: as_array(v).tobytes() for name, v in model_weights(model).items()}

    return copy


@pytest.fixture(scope="session")
def golden_file(shared, tmp_path_factory) -> Path:
    """The weights file written by the original software, BL with 565 classes."""
    path = tmp_path_factory.mktemp("golden") / "bl_ecoset.h5"
    with lzma.open(shared / "golden" / "bl_ecoset.h5.xz") as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


@pytest.fixture(scope="session")
def golden_bl(golden_file):
    """BL with the golden weights; tests leave it unchanged."""
    model = bl_net((128, 128, 3), 565)
    load_weights(model, golden_file)
    return model


@pytest.fixture
def tiny_bl():
    """BL with all seven layers, narrow enough to run in a tenth of a second."""
    return bl_net((64, 64, 3), 5, n_timesteps=3, width=0.02)
