"""Import of TensorFlow and Keras: settings that commands override or refuse, and notices that are not shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runtime import devices, tensorflow


@pytest.fixture
def restored_keras():
    """Restore Keras' global state after the test."""
    yield
    tensorflow.fix_keras()


def change_keras_settings() -> None:
    keras.config.set_floatx("float16")
    keras.config.set_epsilon(0.5)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("float64")
    keras.config.set_max_epochs(1)
    keras.config.set_max_steps_per_epoch(1)


@pytest.mark.usefixtures("restored_keras")
def test_commands_reset_keras_settings() -> None:
    change_keras_settings()
    with tensorflow.quiet_import():
        pass
    state = devices.numerics()
    assert (state["floatx"], state["epsilon"], state["image_data_format"]) == (
        "float32",
        1e-7,
        "channels_last",
    )
    assert keras.config.dtype_policy().name == "float32"
    assert (keras.config.max_epochs(), keras.config.max_steps_per_epoch()) == (None, None)


COMMAND = "import sys; sys.argv[1:] = {!r}; from convrnn_experiments.cli import main; main()"


def run(arguments: list[str], home: Path, settings: dict[str, object], **variables: str) -> tuple[int, str]:
    (home / ".keras").mkdir(parents=True, exist_ok=True)
    defaults = {
        "floatx": "float32",
        "epsilon": 1e-7,
        "backend": "tensorflow",
        "image_data_format": "channels_last",
    }
    (home / ".keras" / "keras.json").write_text(json.dumps(defaults | settings))
    done = subprocess.run(
        [sys.executable, "-c", COMMAND.format(arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"HOME": str(home)} | variables,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("settings", "variables", "problem"),
    [
        ({"backend": "theano"}, {}, "got 'theano' from {home}/.keras/keras.json"),
        (
            {},
            {"KERAS_BACKEND": "torch"},
            "must be tensorflow or jax, got 'torch' from the environment variable",
        ),
        ({}, {"KERAS_BACKEND": "numpy"}, "`convrnn compare` and `report` work under any backend"),
        ({"floatx": "int8"}, {}, "Invalid `floatx`"),
    ],
)
def test_unusable_backends_are_one_line_errors(
    settings: dict[str, object], variables: dict[str, str], problem: str, tmp_path: Path
) -> None:
    code, message = run(["stimuli", "nowhere", "new"], tmp_path, settings, **variables)
    assert (code, message.count("\n")) == (1, 1), message
    assert problem.replace("{home}", str(tmp_path)) in message


def test_notices_are_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with tensorflow.quiet_import():
        os.write(2, b"a notice")
    os.write(2, b"later")
    assert capfd.readouterr().err == "later"


def fail(error: Exception) -> None:
    os.write(2, b"a notice")
    raise error


def test_notices_are_shown_if_the_import_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError, match="no library"), tensorflow.quiet_import():
        fail(ImportError("no library"))
    assert capfd.readouterr().err == "a notice"


def test_an_error_of_this_project_is_shown_without_notices(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConvRNNError, match="wrong input"), tensorflow.quiet_import():
        fail(ConvRNNError("wrong input"))
    assert capfd.readouterr().err == ""


def test_settings_of_the_user_take_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with tensorflow.quiet_import():
        pass
    assert (os.environ["TF_ENABLE_ONEDNN_OPTS"], os.environ["TF_CPP_MIN_LOG_LEVEL"]) == ("1", "0")
