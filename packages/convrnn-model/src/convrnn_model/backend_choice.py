"""Determine which backend Keras will use, without importing Keras."""

import difflib
import json
import os
import sys
from pathlib import Path
from typing import Any

from convrnn_model.errors import MissingBackendError

# The NumPy backend suffices for reading and writing weights.
SUPPORTED = ("tensorflow", "jax", "torch", "numpy")
RECOMMENDED = "tensorflow, jax or torch"
ALIASES = {"pytorch": "torch", "tf": "tensorflow", "theano": "tensorflow", "openvino": "tensorflow"}


def settings_file() -> Path:
    """Return the path of Keras' settings file, which need not exist."""
    home = os.environ.get("KERAS_HOME")
    if home:
        return Path(home).expanduser() / "keras.json"
    base = Path("~").expanduser()
    return (base if os.access(base, os.W_OK) else Path("/tmp")) / ".keras" / "keras.json"


def wanted_backend() -> tuple[str, str]:
    """Return the backend that Keras uses, or will use once imported, and the source of this setting."""
    if "keras" in sys.modules and hasattr(sys.modules["keras"], "config"):
        return str(sys.modules["keras"].config.backend()), "Keras as imported"
    if named := os.environ.get("KERAS_BACKEND"):
        return named, "the environment variable KERAS_BACKEND"
    named = _settings().get("backend")
    return (str(named), str(settings_file())) if named else ("tensorflow", "Keras' default")


def _settings() -> dict[str, Any]:
    try:
        settings = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}


def require_backend() -> None:
    """Raise MissingBackendError if Keras would use an unsupported backend."""
    name, source = wanted_backend()
    if name in SUPPORTED:
        return
    close = (
        ALIASES.get(name.lower()) or (difflib.get_close_matches(name, SUPPORTED, n=1) or ["tensorflow"])[0]
    )
    raise MissingBackendError(
        f"Keras cannot compute here: its backend must be {RECOMMENDED}, got {name!r} from {source}. Set "
        f"KERAS_BACKEND={close} before Python starts, or correct {settings_file()}."
    )
