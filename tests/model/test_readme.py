"""The recipes of the README run as printed, with weights in the cache in place of a download.

They use a narrow BL, and a slow test of the first one BL as published.
"""

import re
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

import convrnn_model
from convrnn_model import bl_net, inspect_weights, save_weights
from convrnn_model.networks import BUILDERS

README = Path(__file__).parents[2] / "packages" / "convrnn-model" / "README.md"
RECIPES = dict(
    re.findall(r"^### (.+?)\n.*?^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
)
N_IMAGES = 2


@pytest.fixture(scope="module")
def cache(tmp_path_factory, fill_golden):
    """Cache directory with weights of BL for 1000 classes."""
    folder = tmp_path_factory.mktemp("cache")
    network = bl_net((128, 128, 3), 1000)
    fill_golden(network)
    save_weights(network, folder / "bl_imagenet.h5")
    return folder


@pytest.fixture
def published(cache, monkeypatch):
    """BL as published, from the cache."""
    monkeypatch.setenv("CONVRNN_CACHE", str(cache))
    monkeypatch.setenv("CONVRNN_MIRROR", "http://127.0.0.1:9")  # no server listens


@pytest.fixture
def narrow(fill_golden, monkeypatch, tmp_path):
    """A narrow BL in place of the published one."""
    build = partial(bl_net, width=1 / 32)
    network = build((128, 128, 3), 1000)
    fill_golden(network)
    save_weights(network, tmp_path / "bl_imagenet.h5")
    monkeypatch.setattr(convrnn_model, "bl_net", build)
    monkeypatch.setattr(convrnn_model, "fetch_weights", lambda name: tmp_path / f"{name}.h5")


@pytest.fixture
def recipe(monkeypatch, tmp_path):
    """A function that runs a recipe and returns its variables."""
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    variables = {
        "images": rng.integers(0, 256, (N_IMAGES, 128, 128, 3), dtype=np.uint8),
        "labels": np.arange(N_IMAGES),
    }

    def run(title):
        exec(compile(RECIPES[title], f"{README.name}: {title}", "exec"), variables)
        return variables

    return run


def test_number_of_recipes():
    assert len(RECIPES) == 7


@pytest.mark.together
@pytest.mark.parametrize("network", ["narrow", pytest.param("published", marks=pytest.mark.slow)])
def test_photograph(network, request, recipe, capsys, tmp_path):
    request.getfixturevalue(network)
    image = pytest.importorskip("PIL.Image", reason="the recipe reads a photograph with pillow")
    image.new("RGB", (300, 200), "teal").save(tmp_path / "photograph.jpg")
    recipe("Predict one photograph")
    lines = capsys.readouterr().out.splitlines()
    assert [re.fullmatch(r"time step (\d): n\d{8}, \d+\.\d%", line)[1] for line in lines] == list("01234567")


@pytest.mark.usefixtures("narrow")
def test_similarity(recipe):
    matrices = recipe("Activations for representational similarity analysis")["dissimilarity"]
    assert len(matrices) == 6
    for matrix in matrices.values():
        assert matrix.shape == (N_IMAGES, N_IMAGES)
        np.testing.assert_allclose(np.diag(matrix), 0, atol=1e-6)
        assert (matrix[~np.eye(N_IMAGES, dtype=bool)] > 0).all()


@pytest.mark.usefixtures("narrow")
def test_own_readout(recipe, capsys, tmp_path):
    network = recipe("A readout for your own categories")["network"]
    assert "ReadoutDense/kernel ReadoutDense/bias" in capsys.readouterr().out
    assert {variable.path for variable in network.trainable_variables} == {
        "ReadoutDense/kernel",
        "ReadoutDense/bias",
    }
    assert inspect_weights(tmp_path / "own_categories.h5").classes == 16


@pytest.mark.usefixtures("narrow")
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="Keras computes through another backend here")
def test_torch_module(recipe):
    saliency = recipe("A `torch.nn.Module` through Keras")["saliency"]
    assert tuple(saliency.shape) == (N_IMAGES, 128, 128)
    assert bool((saliency > 0).any())


@pytest.mark.usefixtures("narrow")
def test_response_times(recipe):
    found = recipe("Response times from entropy")
    assert found["times"].shape == found["chosen"].shape == (N_IMAGES,)
    assert ((found["chosen"] == -1) == np.isnan(found["times"])).all()
    assert len(found["effort"]) == 8


@pytest.mark.usefixtures("narrow")
def test_decisions_among_16_categories(recipe):
    found = recipe("Decisions among 16 categories")
    assert found["scores"].shape == (N_IMAGES, 8, 16)
    assert set(found["answers"]) <= set(convrnn_model.category_classes())


@pytest.mark.usefixtures("narrow")
def test_fast_predictions(recipe, capsys):
    found = recipe("Fast predictions")
    assert "128 x 128 px in batches of 8" in capsys.readouterr().out
    assert found["probabilities"].shape == (N_IMAGES, 8, 1000)
    assert found["features"].shape == (N_IMAGES, 8, 64)
    assert found["early"].shape == (N_IMAGES, 32, 32, 6)


@pytest.mark.parametrize("name", BUILDERS)
def test_table_of_networks(name):
    from convrnn_model import multiply_adds

    row = next(line for line in README.read_text().splitlines() if line.startswith(f"| `{name}` |"))
    cost = multiply_adds(BUILDERS[name]((128, 128, 3), 1000))
    assert f"| {sum(cost.parameters.values()):,} |" in row
    assert f"| {cost.per_timestep[0] / 1e9:.2f} G" in row
