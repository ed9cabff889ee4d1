"""Installed engines."""

from convrnn_model.inference import engine
from convrnn_model.inference.engine import ENGINES, MODULES, missing


def test_every_engine_has_a_module_and_a_command():
    assert set(MODULES) == set(ENGINES)
    assert all(command.startswith("pip install ") for _, command in MODULES.values())


def test_missing_engines_have_a_command(monkeypatch):
    assert missing("keras") is None
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    assert missing("openvino") == 'pip install "convrnn-model[openvino]"'
