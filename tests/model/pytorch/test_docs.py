"""Examples of docs/pytorch.md, with narrow networks and golden weights in place of the published ones."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import convrnn_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import convrnn_model.torch as module

PAGE = Path(__file__).parents[3] / "docs" / "pytorch.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def run(golden_weights_file, monkeypatch, tmp_path):
    """A function that runs an example and returns its variables."""
    build = partial(module.bl, width=0.02)
    path = golden_weights_file(build(1000).architecture)
    monkeypatch.setattr(module, "bl", build)
    monkeypatch.setattr(convrnn_model, "fetch_weights", lambda name: path)
    monkeypatch.chdir(tmp_path)

    def execute(example):
        variables = {"images": IMAGES, "labels": torch.tensor([3, 5])}
        exec(compile(example, PAGE.name, "exec"), variables)
        return variables

    return execute


def test_number_of_examples():
    assert len(EXAMPLES) == 2


def test_prediction(run):
    found = run(EXAMPLES[0])
    assert found["probabilities"].shape == (2, 8, 1000)
    assert set(found["features"]) == {"ReLU_Layer_4_Time_0", "ReLU_Layer_4_Time_7"}
    torch.testing.assert_close(found["probabilities"].sum(-1), torch.ones(2, 8))


def test_training(run, capsys, tmp_path):
    assert torch.isfinite(run(EXAMPLES[1])["loss"])
    assert "not loaded: ReadoutDense/kernel ReadoutDense/bias" in capsys.readouterr().out
    assert convrnn_model.inspect_weights(tmp_path / "own_categories.h5").classes == 16
