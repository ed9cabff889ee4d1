"""Evaluate BL at each time step on the datasets of model-vs-human."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from convrnn_model import ConvRNNError, fetch_weights

try:
    import modelvshuman
    import torch
    from modelvshuman.models.pytorch import model_zoo
    from modelvshuman.models.registry import register_model
    from modelvshuman.models.wrappers.pytorch import PyTorchModel

    from convrnn_model.torch import bl, load_weights
except ImportError as error:
    sys.exit(f"cannot import what the example needs: {error}. Install it as README.md says.")

SIDE = 128  # px, at which the published networks were trained
# With these, model-vs-human normalises images, RGB.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class AnswerAt(torch.nn.Module):
    """BL up to one time step, for the images of model-vs-human.

    Args:
        network: BL; its last time step is the answer.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised images (batch, 3, height, width) to logits (batch, 1000)."""
        pixels = (images * self.std + self.mean).clamp(0, 1)
        small = torch.nn.functional.interpolate(pixels, (SIDE, SIDE), mode="bilinear", antialias=True)
        return self.network(2 * small - 1)[:, -1]


def register(weights: Path, n_timesteps: int = 8) -> list[str]:
    """Add the models bl_time_0, bl_time_1, ... to model-vs-human and return their names.

    Args:
        weights: Weights file with ImageNet's 1000 classes, which model-vs-human maps to its 16 categories.
        n_timesteps: Number of models; each computes no more time steps than it needs.
    """
    found = []
    for time in range(n_timesteps):

        def build(model_name: str, *args: Any, time: int = time) -> PyTorchModel:
            network = bl(1000, time + 1)
            load_weights(network, weights)
            return PyTorchModel(AnswerAt(network), model_name, *args)

        build.__name__ = f"bl_time_{time}"
        setattr(model_zoo, build.__name__, register_model("pytorch")(build))
        found.append(build.__name__)
    return found


def main(
    dataset: Annotated[list[str], typer.Argument(help="Names of datasets, such as cue-conflict.")],
    weights: Annotated[str, typer.Option(help="bl_imagenet, or a file.")] = "bl_imagenet",
    batch_size: Annotated[int, typer.Option(help="Images per batch.")] = 16,
) -> None:
    """Write the answers of all time steps into the raw data of model-vs-human."""
    models = register(Path(weights) if Path(weights).exists() else fetch_weights(weights))
    modelvshuman.Evaluate()(models, dataset, batch_size=batch_size, num_workers=4, print_predictions=True)


if __name__ == "__main__":
    try:
        typer.run(main)
    except ConvRNNError as error:
        sys.exit(str(error))
