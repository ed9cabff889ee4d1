"""Brain-Score plugin of BL with the published ImageNet weights."""

from brainscore_vision import model_registry
from brainscore_vision.model_helpers.brain_transformation import ModelCommitment

from .model import LAYERS, READOUT, get_model


def commitment() -> ModelCommitment:
    """Return BL, for which Brain-Score chooses the layer and time step of each region from `LAYERS`."""
    return ModelCommitment(
        identifier="convrnn-bl",
        activations_model=get_model("convrnn-bl"),
        layers=LAYERS,
        behavioral_readout_layer=READOUT,
    )


model_registry["convrnn-bl"] = commitment
