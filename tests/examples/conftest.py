"""Weights of a narrow BL, images, and examples as modules."""

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convrnn_model import compile_network
from convrnn_model.inference.frozen import weight_shapes
from convrnn_model.inference.operations import Architecture, layers_in_order
from convrnn_model.names import READOUT
from convrnn_model.variants import variant_named
from convrnn_model.weights import hdf5

EXAMPLES = Path(__file__).parents[2] / "examples"
WIDTH = 0.02


@pytest.fixture(scope="session")
def narrow_bl(tmp_path_factory) -> Path:
    """Provide a weights file of BL with the width `WIDTH`, ImageNet's classes and random weights."""
    rng = np.random.default_rng(0)
    shape = Architecture(
        "bl_net", variant_named("bl_net").convolutions(WIDTH), 1000, 8, False, 3, (None, None)
    )
    layers = {layer: {} for layer in layers_in_order(shape)}
    for name, size in weight_shapes(shape).items():
        layer, weight = name.split("/")
        if weight == "kernel":
            values = rng.normal(size=size) * np.sqrt(2 / np.prod(size[:-1]))
        else:
            values = rng.uniform(0.5, 1.5, size) if weight in ("gamma", "moving_variance") else np.zeros(size)
        layers[layer][weight] = values.astype(np.float32)
    path = tmp_path_factory.mktemp("weights") / "bl_imagenet.h5"
    hdf5.write(path, layers)
    # With readouts of mean 0 and standard deviation 1, answers to different images differ.
    noise = rng.uniform(-1, 1, (4, 16, 16, 3)).repeat(8, 1).repeat(8, 2).astype(np.float32)
    readouts = compile_network(path, outputs="pre_softmax").predict(noise)
    mean, scale = readouts.mean((0, 1)), readouts.std()
    layers[READOUT] = {"kernel": layers[READOUT]["kernel"] / scale, "bias": -mean / scale}
    hdf5.write(path, layers)
    return path


@pytest.fixture
def bl_is_narrow(narrow_bl, monkeypatch):
    """Replace the published weights by those of `narrow_bl`, and `convrnn_model.torch.bl` by a network for them."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    torch_networks = importlib.import_module("convrnn_model.torch")
    published = torch_networks.bl
    monkeypatch.setattr(
        torch_networks, "bl", lambda *args, **options: published(*args, width=WIDTH, **options)
    )
    monkeypatch.setattr("convrnn_model.fetch_weights", lambda name: narrow_bl.with_name(f"{name}.h5"))
    return torch_networks.bl


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """Provide two folders of six PNG images each, 160 x 140 px; those of `dark` are darker."""
    image = pytest.importorskip("PIL.Image", reason="the examples read photographs with pillow")
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(1)
    for category, brightest in (("bright", 256), ("dark", 90)):
        (folder / category).mkdir()
        for number in range(6):
            pixels = rng.integers(0, brightest, (10, 10, 3), dtype=np.uint8)
            large = image.fromarray(pixels).resize((160, 140))
            large.save(folder / category / f"{category}_{number}.png")
    return folder


@pytest.fixture
def load(monkeypatch):
    """A function that imports a file of an example, as a module or as a package with a given name."""

    def load_module(file: str, name: str | None = None):
        path = EXAMPLES / file
        name = name or f"example_{path.stem}"
        folders = [str(path.parent)] if path.name == "__init__.py" else None
        spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=folders)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load_module


@pytest.fixture
def without():
    """A function that runs an example in which a package cannot be imported, and returns exit status and stderr."""

    def run(file: str, package: str) -> tuple[int, str]:
        code = f"import runpy, sys; sys.modules[{package!r}] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, EXAMPLES / file],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    return run
