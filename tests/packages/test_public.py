"""Public interface of each package: `__all__`, exports, and documentation."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

API = Path(__file__).parents[2] / "docs/api.md"
STABLE = {
    "convrnn_data": {
        *("CATEGORIES", "ConvRNNError", "list_stimuli", "open_set", "prepare", "reformat", "verify")
    },
    "convrnn_model": {
        *("bl_net", "b_net", "b_k_net", "b_f_net", "b_d_net", "preprocess_image"),
        *("load_weights", "save_weights"),
        *("inspect_weights", "fetch_weights", "activations", "response_times", "entropy", "multiply_adds"),
        *("class_names", "map_decisions", "relu", "ConvRNNError"),
    },
    "convrnn_experiments": {
        *("perturb", "Condition", "sat_rmse", "category_correlation", "steepness", "error_consistency"),
        "read_observers",
    },
}
"""Names that code outside this repository relies on."""

each_package = pytest.mark.parametrize("name", STABLE)


@each_package
def test_all_lists_the_exports(name):
    package = import_module(name)
    exported = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(Path(package.__file__).read_text()))
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == name
        for alias in node.names
    ]
    assert sorted([*(public for _, public in exported), "__version__"]) == sorted(package.__all__)
    assert set(package.__all__) >= STABLE[name]
    for module, public in exported:
        value = getattr(package, public)
        assert public in dir(package)
        assert value.__doc__
        if module != name:
            assert getattr(import_module(module), public) is value
    with pytest.raises(AttributeError, match="no attribute 'resnet'"):
        _ = package.resnet


@each_package
def test_the_page_documents_every_export(name):
    text = API.read_text(encoding="utf-8")
    section = re.search(rf"^## {name}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)[1]
    listed = set(
        re.findall(r"^\.\. (?:auto(?:function|class|exception)|data):: (\w+)$", section, re.MULTILINE)
    )
    documented = set(listed)
    for module in re.findall(rf"^\.\. automodule:: ({name}\.\w+)$", section, re.MULTILINE):
        documented |= {module.rpartition(".")[2]} | set(vars(import_module(module)))
    exported = set(import_module(name).__all__)
    assert listed <= exported
    assert exported - {"__version__"} <= documented


def test_measures_import_neither_keras_nor_pandas():
    code = (
        "import sys, convrnn_experiments\n"
        "convrnn_experiments.sat_rmse, convrnn_experiments.Condition\n"
        "assert not {'keras', 'tensorflow', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_earlier_import_path_of_read_observers():
    from convrnn_experiments import observers, read_observers

    assert observers.read_observers is read_observers
    with pytest.raises(AttributeError, match="no attribute 'read_answers'"):
        _ = observers.read_answers
