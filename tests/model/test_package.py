"""Imports: speed, side effects, and errors."""

import json
import os
import subprocess
import sys

import keras
import pytest

pytestmark = pytest.mark.together


def python(code, **environment):
    """Run code in a new interpreter, and parse its last line as JSON."""
    variables = os.environ | {"KERAS_BACKEND": keras.backend.backend()} | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_imports_are_fast_and_register_the_layer():
    """Counts function calls, which do not depend on the load; importing keras and h5py takes a million."""
    found = python(
        "import json, sys, keras, h5py\n"
        "calls = 0\n"
        "def count(frame, event, argument):\n"
        "    global calls\n"
        "    calls += event == 'call'\n"
        "sys.setprofile(count)\n"
        "import convrnn_model\n"
        "known = keras.saving.get_registered_object('convrnn>SameConv2D') is not None\n"
        "for name in convrnn_model.__all__: getattr(convrnn_model, name)\n"
        "sys.setprofile(None)\n"
        "late = {'pooch', 'typer'} & set(sys.modules)\n"
        "print(json.dumps([calls, sorted(late), known]))"
    )
    assert found[0] < 40_000
    assert found[1:] == [[], True]


def test_importing_the_package_and_its_command_does_not_import_keras():
    found = python(
        "import json, sys, convrnn_model, convrnn_model.cli\n"
        "print(json.dumps(sorted({'keras', 'tensorflow', 'jax', 'torch', 'pooch'} & set(sys.modules))))"
    )
    assert found == []


def test_names_that_need_no_backend():
    found = python(
        "import json, sys\n"
        "import numpy as np\n"
        "import convrnn_model as c\n"
        "c.compile_network, c.Predictor, c.fetch_weights, c.inspect_weights, c.relu, c.softmax, c.LoadReport\n"
        "c.entropy(np.ones(2)), c.class_names('ecoset'), c.map_decisions(np.zeros((2, 8, 1000)))\n"
        "scaled = c.preprocess_image(np.array([0, 255], np.uint8))\n"
        "print(json.dumps([scaled.tolist(), sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))]))",
        KERAS_BACKEND="unknown",
    )
    assert found == [[-1, 1], []]


def test_error_of_a_missing_backend_names_the_package_to_install():
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


def test_error_of_missing_pytorch_names_the_package_to_install():
    found = python(
        "import json, sys\n"
        "sys.modules['torch'] = None\n"
        "try: import convrnn_model.torch\n"
        "except ImportError as error: print(json.dumps([type(error).__name__, str(error)]))"
    )
    assert found[0] == "MissingBackendError"
    assert 'pip install "convrnn-model[torch]"' in found[1]
