"""Which backend Keras will use, by variable, settings file or default."""

import json
import sys
from pathlib import Path

import keras
import pytest

from convrnn_model import MissingBackendError
from convrnn_model.backend_choice import require_backend, settings_file, wanted_backend


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty home directory, without variables of Keras and before Keras is imported."""
    for name in ("KERAS_HOME", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras")
    return tmp_path


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_settings_file(home, monkeypatch):
    assert settings_file() == home / ".keras/keras.json"
    monkeypatch.setenv("KERAS_HOME", "~/elsewhere")
    assert settings_file() == home / "elsewhere/keras.json"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert settings_file() == Path("/tmp/.keras/keras.json")


def test_an_imported_keras_decides(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    assert wanted_backend() == (keras.config.backend(), "Keras as imported")


def test_the_variable_precedes_the_file_and_the_file_the_default(home, monkeypatch):
    assert wanted_backend() == ("tensorflow", "Keras' default")
    path = home / ".keras/keras.json"
    write(path, json.dumps({"backend": "jax"}))
    assert wanted_backend() == ("jax", str(path))
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert wanted_backend() == ("torch", "the environment variable KERAS_BACKEND")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"floatx": "float32"}', '{"backend": ""}'])
def test_unusable_settings_are_ignored(text, home):
    write(home / ".keras/keras.json", text)
    assert wanted_backend() == ("tensorflow", "Keras' default")


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch", "numpy"])
def test_supported_backends(name, home, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", name)
    require_backend()


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("PyTorch", "torch"),
        ("tf", "tensorflow"),
        ("jaxx", "jax"),
        ("mxnet", "tensorflow"),
        ("openvino", "tensorflow"),
    ],
)
def test_an_unsupported_backend(name, suggestion, home, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(MissingBackendError) as caught:
        require_backend()
    assert f"must be tensorflow, jax or torch, got {name!r} from the environment" in str(caught.value)
    assert f"Set KERAS_BACKEND={suggestion} before" in str(caught.value)
