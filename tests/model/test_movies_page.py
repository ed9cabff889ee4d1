"""Examples of docs/movies.md, with narrow networks in place of the published ones."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import convrnn_model
from convrnn_model import bl_net, save_weights
from convrnn_model.backend import keras

PAGE = Path(__file__).parents[2] / "docs" / "movies.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def variables(monkeypatch, tmp_path):
    """Variables of the examples: a picture and a mask, after the first example."""
    keras.utils.set_random_seed(0)
    path = tmp_path / "bl_imagenet.h5"
    save_weights(bl_net((64, 64, 3), 1000, width=0.02), path)
    monkeypatch.setattr(convrnn_model, "fetch_weights", lambda name: path)
    rng = np.random.default_rng(0)
    picture, mask = (rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2))
    found = {"picture": picture, "mask": mask}
    exec(compile(EXAMPLES[0], PAGE.name, "exec"), found)
    return found


def test_a_masked_picture_has_an_answer_at_each_frame(variables):
    assert len(EXAMPLES) == 3
    assert len(variables["answers"]) == 10
    assert variables["state"].time == 10


def test_noise_is_drawn_anew(variables):
    exec(compile(EXAMPLES[1], PAGE.name, "exec"), variables)
    assert len(variables["certainty"]) == 12
    frames = list(variables["noisy"](variables["picture"], 2))
    assert frames[0].dtype == np.float32
    assert not np.array_equal(frames[0], frames[1])


def test_the_same_movie_in_pytorch(variables, monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; make test-backends installs it")
    import convrnn_model.torch as module

    monkeypatch.setattr(module, "bl", partial(module.bl, width=0.02))
    exec(compile(EXAMPLES[2], PAGE.name, "exec"), variables)
    assert variables["over_time"].shape == (1, 10, 1000)
    torch.testing.assert_close(variables["over_time"].sum(-1), torch.ones(1, 10))
    assert variables["over_time"][0].argmax(-1).tolist() == [int(answer) for answer in variables["answers"]]
