"""Networks and weights under all settings of Keras, and errors of missing backends."""

import json
import os
import subprocess
import sys

import keras
import pytest

SETTINGS = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "backend": keras.backend.backend(),  # the only one that is installed where the package is tested alone
    "image_data_format": "channels_last",
}
HASH = """
import hashlib, json, sys
import keras
from convrnn_model import b_net, bl_net, load_weights, save_weights, inspect_weights, preprocess_image
import numpy as np
keras.utils.set_random_seed(3)
network = bl_net((64, 64, 3), 5, 2, True, width=0.02)
assert all(weight.dtype == "float32" for weight in network.weights)
save_weights(network, sys.argv[1])
again = bl_net((64, 64, 3), 5, 2, True, width=0.02)
load_weights(again, sys.argv[1])
images = preprocess_image(np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8))
# Keras' own predict rounds arrays to floatx before the network sees them.
answers = np.stack([keras.ops.convert_to_numpy(answer) for answer in again(images, training=False)])
print(json.dumps([inspect_weights(sys.argv[1]).sha256, str(answers.dtype), answers.astype(float).tolist()]))
"""


@pytest.fixture
def python(tmp_path):
    """A function that runs code in a new interpreter with a `keras.json` and environment variables."""

    def run(code, *arguments, settings=None, **variables):
        home = tmp_path / "home"
        (home / ".keras").mkdir(parents=True, exist_ok=True)
        if settings is not None:
            text = settings if isinstance(settings, str) else json.dumps(SETTINGS | settings)
            (home / ".keras" / "keras.json").write_text(text)
        others = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")}
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=others | {"HOME": str(home)} | variables,
        )

    return run


@pytest.fixture
def answers(python, tmp_path):
    """A function that saves, loads and runs a network; returns the file's sha256, the dtype and the outputs."""

    def run(**settings):
        done = python(HASH, tmp_path / "w.h5", **settings)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_settings_of_keras_have_no_effect(answers, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "here.h5")])
    exec(HASH, {})
    expected = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert expected[1] == "float32"
    for settings in (
        {"floatx": "float16", "image_data_format": "channels_first"},
        {"floatx": "float64", "epsilon": 0.5},
    ):
        assert answers(settings=settings) == expected


SUMMARY = "import sys; sys.argv[1:] = ['summary', 'b', '--width', '0.02']; from convrnn_model.cli import main; main()"


@pytest.mark.parametrize(
    ("settings", "variables", "says"),
    [
        ({}, {"KERAS_BACKEND": "theano"}, "got 'theano' from the environment variable KERAS_BACKEND. Set"),
        ({}, {"KERAS_BACKEND": "pytorch"}, "Set KERAS_BACKEND=torch before"),
        ({}, {"KERAS_BACKEND": "tensorfow"}, "Set KERAS_BACKEND=tensorflow before"),
        (
            {"backend": "openvino"},
            {},
            "got 'openvino' from {home}/.keras/keras.json. Set KERAS_BACKEND=tensorflow",
        ),
        ({"backend": "mxnet"}, {"KERAS_HOME": "{home}/.keras"}, "got 'mxnet' from {home}/.keras/keras.json"),
        (
            {"floatx": "bfloat16"},
            {},
            f"with backend '{keras.backend.backend()}' .*Invalid `floatx`.*Correct or delete {{home}}",
        ),
        ("[]", {}, "cannot be imported with backend 'tensorflow'"),
        ({}, {"KERAS_MAX_EPOCHS": "many"}, "check the KERAS_* environment variables"),
    ],
)
@pytest.mark.parametrize(
    "code", [SUMMARY, "import convrnn_model.networks", "import convrnn_model; convrnn_model.bl_net"]
)
def test_unusable_settings_are_one_line(settings, variables, says, code, python, tmp_path):
    home = str(tmp_path / "home")
    variables = {name: value.replace("{home}", home) for name, value in variables.items()}
    done = python(code, settings=settings, **variables)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert all(part in last for part in says.replace("{home}", home).split(".*")), last
    if code == SUMMARY:
        assert done.stderr.count("\n") == 1
        assert last.startswith("convrnn-model: error: Keras ")
    else:
        assert last.startswith("convrnn_model.errors.MissingBackendError: Keras ")


def test_a_backend_that_is_not_installed(python):
    code = "import sys; sys.modules['jax'] = None\n" + SUMMARY
    done = python(code, settings={"backend": "jax"})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "its backend 'jax' (from" in done.stderr
    assert 'pip install "convrnn-model[tensorflow]"' in done.stderr


def test_commands_without_keras_ignore_the_backend(python):
    code = "import sys; sys.argv[1:] = ['inspect', 'no.h5']; from convrnn_model.cli import main; main()"
    assert "no.h5 does not exist" in python(code, settings={}, KERAS_BACKEND="theano").stderr
