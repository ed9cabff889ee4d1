"""All examples: what they import from convrnn-model, and their pages."""

import ast
import importlib
from pathlib import Path

import pytest

import convrnn_model

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[2] / "examples").glob("*/README.md"))
TORCH = {"Preprocess", "bl", "load_weights"}
"""Names of convrnn_model.torch, which needs PyTorch, that examples import."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_everything_they_import_is_public(folder):
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("convrnn_"):
                public = {"convrnn_model": {*convrnn_model.__all__}, "convrnn_model.torch": TORCH}
                assert {name.name for name in node.names} <= public[node.module], path


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_their_pages_name_only_files_that_exist(folder):
    page = (folder / "README.md").read_text(encoding="utf-8")
    scripts = {word for line in page.splitlines() if line.startswith("python ") for word in line.split()[1:2]}
    assert all((folder / script).is_file() for script in scripts if script.endswith(".py"))


def test_names_from_pytorch_are_public():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    assert set(importlib.import_module("convrnn_model.torch").__all__) >= TORCH
