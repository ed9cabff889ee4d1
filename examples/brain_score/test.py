"""Tests of the plugin, in the form that Brain-Score asks for; they download the published weights."""

from brainscore_vision import load_model

from .model import LAYERS, READOUT


def test_identifier() -> None:
    """The model is registered."""
    assert load_model("convrnn-bl").identifier == "convrnn-bl"


def test_layers() -> None:
    """Every committed layer is a module of the network."""
    activations_model = load_model("convrnn-bl").activations_model
    assert {*LAYERS, READOUT} <= {name for name, _ in activations_model.layers()}
