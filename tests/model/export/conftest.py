"""Small weights files, and their networks computed in NumPy."""

import subprocess
import sys

import numpy as np
import plain_engine
import pytest

from convrnn_model import b_net, bl_net, save_weights
from convrnn_model.export.graph import Graph
from convrnn_model.inference.frozen import from_file
from convrnn_model.inference.outputs import requested

WITHOUT_THE_PACKAGE = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "convrnn_model":
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import numpy as np
images = np.load("images.npy")
"""
SAVE = "\nnp.savez('outputs.npz', **outputs)\n"
BUILDERS = {
    "bl": lambda: bl_net((64, 64, 3), 5, 3, width=0.02),
    "b": lambda: b_net((64, 64, 3), 5, width=0.02),
}


@pytest.fixture(scope="session")
def files(fill_golden, tmp_path_factory):
    """Weights files with golden weights, by the name of the network; BL has 3 time steps."""
    folder = tmp_path_factory.mktemp("export")
    paths = {}
    for name, build in BUILDERS.items():
        model = build()
        fill_golden(model)
        paths[name] = folder / f"{name}.h5"
        save_weights(model, paths[name])
    return paths


@pytest.fixture(params=BUILDERS)
def file(request, files):
    """Each weights file."""
    return files[request.param]


@pytest.fixture
def graph(files):
    """A function that returns the graph of a weights file."""

    def make(name="bl", outputs=None, *, image_size=(64, 71), batch=None, **options):
        network = from_file(files[name], **options)
        found = requested(network, outputs, name)
        return Graph(files[name], network, found.operations, found.values, image_size, batch)

    return make


@pytest.fixture
def images():
    """A function that returns random images, (batch, H, W, 3) in [-1, 1]."""
    return lambda *shape: np.random.default_rng(1).uniform(-1, 1, (*shape, 3)).astype(np.float32)


@pytest.fixture
def expected():
    """A function that computes the outputs of a graph in NumPy."""

    def compute(graph, images):
        values = plain_engine.run(graph.network, graph.operations, images)
        return {name: values[name] for name in graph.outputs}

    return compute


@pytest.fixture
def assert_close():
    """A function that compares outputs by name, to 1e-5 of the largest value if that is above 1."""

    def compare(found, expected):
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert found[name].dtype == np.float32
            tolerance = 1e-5 * max(1, np.abs(value).max())
            np.testing.assert_allclose(found[name], value, rtol=0, atol=tolerance, err_msg=name)

    return compare


@pytest.fixture
def run_without_the_package(tmp_path):
    """A function that runs code in a process in which convrnn_model cannot be imported.

    The code finds `images` and assigns the dictionary `outputs`, which the function returns.
    """

    def run(code, images):
        np.save(tmp_path / "images.npy", images)
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_THE_PACKAGE + code + SAVE],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        with np.load(tmp_path / "outputs.npz") as stored:
            return dict(stored)

    return run
