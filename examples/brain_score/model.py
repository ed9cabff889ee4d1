"""BL for Brain-Score: layers at time steps by name, and the answer at the last time step as logits."""

from functools import partial

import torch
from brainscore_vision.model_helpers.activations.pytorch import PytorchWrapper, load_preprocess_images

from convrnn_model import fetch_weights, global_pool, relu
from convrnn_model.torch import bl, load_weights

SIDE = 128  # px, at which the published networks were trained
TIMES = (0, 7)  # all layers at one time step take 10 MB per image
LAYERS = [f"network.{relu(layer, time)}" for time in TIMES for layer in range(7)]
READOUT = f"network.{global_pool(7)}"


class LastAnswer(torch.nn.Module):
    """BL with the logits of its last time step as output, computed by the last module, as Brain-Score expects.

    Args:
        network: BL.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.logits = torch.nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, 3, 128, 128) in [-1, 1] to logits (batch, 1000)."""
        return self.logits(self.network(images)[:, -1])


def get_model(identifier: str) -> PytorchWrapper:
    """Return the activations model of BL with the published ImageNet weights."""
    network = bl(1000)
    load_weights(network, fetch_weights("bl_imagenet"))
    half = (0.5, 0.5, 0.5)
    preprocessing = partial(load_preprocess_images, image_size=SIDE, normalize_mean=half, normalize_std=half)
    wrapper = PytorchWrapper(identifier=identifier, model=LastAnswer(network), preprocessing=preprocessing)
    wrapper.image_size = SIDE
    return wrapper


def get_bibtex(identifier: str) -> str:
    """Return the reference of the network."""
    return """@article{Spoerer2020,
  title = {Recurrent neural networks can explain flexible trading of speed and accuracy in biological vision},
  author = {Spoerer, Courtney J. and Kietzmann, Tim C. and Mehrer, Johannes and Charest, Ian and
            Kriegeskorte, Nikolaus},
  journal = {PLOS Computational Biology},
  volume = {16},
  number = {10},
  year = {2020},
  doi = {10.1371/journal.pcbi.1008215}
}"""
