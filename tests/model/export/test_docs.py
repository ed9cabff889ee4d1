"""Examples of docs/export.md that need software of their own, with a narrow network in place of the published one."""

import re
from functools import partial
from pathlib import Path

import pytest

import convrnn_model
from convrnn_model import bl_net, save_weights

PAGE = Path(__file__).parents[3] / "docs" / "export.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A function that runs an example and returns its variables."""
    path = tmp_path / "bl_imagenet.h5"
    save_weights(bl_net((64, 64, 3), 1000, width=0.02), path)
    monkeypatch.setattr(convrnn_model, "fetch_weights", lambda name: path)
    monkeypatch.chdir(tmp_path)

    def execute(example):
        variables = {}
        exec(compile(example, PAGE.name, "exec"), variables)
        return variables

    return execute


def test_number_of_examples():
    assert len(EXAMPLES) == 4


def test_onnx(run):
    for module in ("onnx", "onnxruntime"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    assert run(EXAMPLES[2])["probabilities"].shape == (4, 1000)


def test_safetensors(run, monkeypatch):
    for module in ("safetensors", "torch"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    import convrnn_model.torch as module

    monkeypatch.setattr(module, "bl", partial(module.bl, width=0.02))
    assert run(EXAMPLES[3])["network"].ReadoutDense.out_features == 1000
