"""Which backend Keras will take, known before Keras is imported."""

import difflib
import json
import os
import sys
from pathlib import Path
from typing import Any

from convrnn_model.errors import MissingBackendError

# NumPy computes no gradients and no convolutions of ours, but reads and writes weights.
SUPPORTED = ("tensorflow", "jax", "torch", "numpy")
OFFERED = "tensorflow, jax or torch"
ALIASES = {"pytorch": "torch", "tf": "tensorflow", "theano": "tensorflow", "openvino": "tensorflow"}


def settings_file() -> Path:
    """Return where Keras keeps its settings, which need not exist."""
    home = os.environ.get("KERAS_HOME")
    if home:
        return Path(home).expanduser() / "keras.json"
    base = Path("~").expanduser()
    return (base if os.access(base, os.W_OK) else Path("/tmp")) / ".keras" / "keras.json"


def wanted_backend() -> tuple[str, str]:
    """Return the backend that Keras has, or will take when it is imported, and what says so."""
    if "keras" in sys.modules and hasattr(sys.modules["keras"], "config"):
        return str(sys.modules["keras"].config.backend()), "Keras as imported"
    if named := os.environ.get("KERAS_BACKEND"):
        return named, "the environment variable KERAS_BACKEND"
    named = _settings().get("backend")
    return (str(named), str(settings_file())) if named else ("tensorflow", "Keras' default")


def _settings() -> dict[str, Any]:
    try:
        found = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def require_backend() -> None:
    """Raise MissingBackendError where Keras would take a backend that these packages do not compute through."""
    name, source = wanted_backend()
    if name in SUPPORTED:
        return
    close = (
        ALIASES.get(name.lower()) or (difflib.get_close_matches(name, SUPPORTED, n=1) or ["tensorflow"])[0]
    )
    raise MissingBackendError(
        f"Keras cannot compute here: its backend must be {OFFERED}, got {name!r} from {source}. Set "
        f"KERAS_BACKEND={close} before Python starts, or correct {settings_file()}."
    )
