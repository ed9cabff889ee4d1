"""Readers execute no content of files: no unpickling, no evaluation, no code from saved models."""

import ast
from pathlib import Path

import keras
import pytest

from convrnn_model import bl_net

PACKAGES = Path(__file__).resolve().parents[2] / "packages"
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}
# PyTorch computes, but its files are pickles.
UNPICKLING = {"torch.load", "torch.hub", "torch.jit", "torch.package"}
WRITTEN_HERE = {"keras_file.py": ["load_model"]}
"""Calls that open only a file that the same function has just written, to check it."""
CALLS = {"eval", "exec", "load_model", "enable_unsafe_deserialization", "unsafe_load", "read_pickle"}


def offences(tree: ast.AST) -> list[str]:
    """Return imports and calls that could execute content of a file."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.ImportFrom):
            found += [name for alias in node.names if (name := f"{node.module}.{alias.name}") in UNPICKLING]
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in UNPICKLING:
            found.append(ast.unparse(node))
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            unsafe = {word.arg for word in node.keywords if word.arg in ("allow_pickle", "safe_mode")}
            found += [name] if name in CALLS else sorted(unsafe)
    return found


@pytest.mark.parametrize("package", ["data", "model", "experiments"])
def test_readers_have_no_calls_that_execute_content(package):
    files = sorted((PACKAGES / f"convrnn-{package}" / "src").rglob("*.py"))
    assert files
    found = {file: offences(ast.parse(file.read_text())) for file in files}
    assert {
        str(file): calls for file, calls in found.items() if calls != WRITTEN_HERE.get(file.name, [])
    } == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from dill import loads",
        "eval(x)",
        "np.load(f, allow_pickle=True)",
        "torch.load(f)",
        "from torch import load",
        "torch.hub.load(f, x)",
    ],
)
def test_the_scan_finds_offences(line):
    assert offences(ast.parse(line))


def test_a_saved_model_with_code_in_it_is_refused(tmp_path):
    image = keras.Input((64, 64, 3))
    model = keras.Model(
        image, bl_net((64, 64, 3), 2, 1, width=0.02)(keras.layers.Lambda(lambda x: x * 2)(image))
    )
    model.save(tmp_path / "with_code.keras")
    with pytest.raises(ValueError, match=r"unsafe|Lambda"):
        keras.saving.load_model(tmp_path / "with_code.keras")
