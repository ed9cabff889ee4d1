"""What is public, and what importing costs."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import convrnn_model

pytestmark = pytest.mark.together

PROMISED = {
    *("bl_net", "b_net", "b_k_net", "b_f_net", "b_d_net", "preprocess_image", "load_weights", "save_weights"),
    *("inspect_weights", "fetch_weights", "activations", "response_times", "entropy", "multiply_adds"),
    *("class_names", "relu", "ConvRNNError"),
}


def python(code, **environment):
    """A fresh interpreter's last line, as JSON."""
    surroundings = os.environ | {"KERAS_BACKEND": keras.backend.backend()} | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=surroundings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_public_names_exist_once_and_are_said():
    assert set(convrnn_model.__all__) >= PROMISED
    assert len(set(convrnn_model.__all__)) == len(convrnn_model.__all__)
    for name in convrnn_model.__all__:
        public = getattr(convrnn_model, name)
        assert public.__doc__
        assert name in dir(convrnn_model)
    with pytest.raises(AttributeError, match="no attribute 'resnet'"):
        _ = convrnn_model.resnet


def test_type_checkers_see_what_python_does():
    tree = ast.parse(Path(convrnn_model.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = {alias.name for node in imports if node.module.startswith("convrnn_model") for alias in node.names}
    assert ours == set(convrnn_model.__all__)
    for node in imports:
        for alias in node.names:
            if node.module.startswith("convrnn_model."):
                assert getattr(sys.modules[node.module], alias.name) is getattr(convrnn_model, alias.name)


def test_importing_costs_next_to_nothing_and_tells_keras_the_layer():
    found = python(
        "import json, sys, time, keras, h5py\n"
        "start = time.process_time()\n"
        "import convrnn_model\n"
        "known = keras.saving.get_registered_object('convrnn>SameConv2D') is not None\n"
        "for name in convrnn_model.__all__: getattr(convrnn_model, name)\n"
        "late = {'pooch', 'typer'} & set(sys.modules)\n"
        "print(json.dumps([time.process_time() - start, sorted(late), known]))"
    )
    assert found[0] < 0.2
    assert found[1:] == [[], True]


def test_importing_alone_and_the_command_leave_keras_alone():
    found = python(
        "import json, sys, convrnn_model, convrnn_model.cli\n"
        "print(json.dumps(sorted({'keras', 'tensorflow', 'jax', 'torch', 'pooch'} & set(sys.modules))))"
    )
    assert found == []


def test_missing_backend_says_what_to_install():
    found = python(
        "import json, sys\n"
        "sys.modules['jax'] = None\n"
        "import convrnn_model\n"
        "try: convrnn_model.bl_net\n"
        "except ImportError as error: print(json.dumps([type(error).__name__, str(error)]))",
        KERAS_BACKEND="jax",
    )
    assert found[0] == "MissingBackendError"
    assert "jax" in found[1]
    assert 'pip install "convrnn-model[tensorflow]"' in found[1]
