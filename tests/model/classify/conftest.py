"""Weights files of narrow networks, and photos."""

from pathlib import Path

import numpy as np
import pytest

from convrnn_model import b_net, bl_net, save_weights
from convrnn_model.backend import keras


def _with_contrast(model, seed):
    """Fill the readout so that answers differ between photos."""
    rng = np.random.default_rng(seed)
    readout = model.get_layer("ReadoutDense")
    kernel, bias = readout.get_weights()
    readout.set_weights([rng.normal(0, 2, kernel.shape), rng.normal(0, 1, bias.shape)])
    return model


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> dict[str, Path]:
    """BL with the classes of ImageNet and of ecoset, 16 and 5 classes, and B with those of ImageNet."""
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(0)
    networks = {"b_imagenet": b_net((64, 64, 3), 1000, width=0.03)}
    for name, classes in (("imagenet", 1000), ("ecoset", 565), ("sixteen", 16), ("five", 5)):
        networks[name] = bl_net((64, 64, 3), classes, n_timesteps=3, width=0.03)
    for seed, (name, network) in enumerate(networks.items()):
        save_weights(_with_contrast(network, seed), folder / f"{name}.h5")
    return {name: folder / f"{name}.h5" for name in networks}


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> list[Path]:
    """Two photos of different sizes."""
    image = pytest.importorskip("PIL.Image", reason="photos need Pillow, an extra of convrnn-model")
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    paths = [folder / "first.png", folder / "second.jpg"]
    for path, size in zip(paths, ((80, 64, 3), (70, 90, 3)), strict=True):
        image.fromarray(rng.integers(0, 256, size, np.uint8)).save(path)
    return paths
