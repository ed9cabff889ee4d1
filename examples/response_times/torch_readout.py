"""Train a linear PyTorch readout of BL's features, alone or together with the network."""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before anything imports Keras

import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from response_times import BATCH, Weights, Width, command_of, network_of, photographs, read
from torch.utils.data import DataLoader, TensorDataset

from convrnn_model import activations, global_pool


class Classifier(torch.nn.Module):
    """Linear classifier of BL's last layer at one time step, averaged over the image.

    Args:
        features: A model of convrnn-model, a `torch.nn.Module` under this backend.
        categories: Number of categories.
        fine_tune: Whether to train BL, too; its batch statistics do not change.
    """

    def __init__(self, features: torch.nn.Module, categories: int, *, fine_tune: bool) -> None:
        super().__init__()
        features.trainable = fine_tune
        self.features = features
        self.readout = torch.nn.Linear(features.output_shape[-1], categories)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, 128, 128, 3), channels last, in [-1, 1] to logits (batch, categories)."""
        return self.readout(self.features(images))


def precompute(features: torch.nn.Module, images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Compute the features of all images once, (images, features); a frozen network gives the same in every epoch."""
    with torch.no_grad():
        return torch.cat([features(batch.to(device)).cpu() for batch in images.split(BATCH)])


def fit(module: torch.nn.Module, examples: TensorDataset, epochs: int, learning_rate: float) -> None:
    """Train the trainable parameters of a module."""
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr=learning_rate)
    device = trainable[0].device
    for epoch in range(epochs):
        total = 0.0
        for inputs, labels in DataLoader(examples, batch_size=BATCH, shuffle=True):
            loss = torch.nn.functional.cross_entropy(module(inputs.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(inputs)
        print(f"epoch {epoch + 1}/{epochs}: loss {total / len(examples):.4f}")


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with one folder of photographs per category.")],
    weights: Weights = "bl_imagenet",
    width: Width = 1.0,
    time: Annotated[int, typer.Option(help="Time step to read out, from 0.")] = 7,
    fine_tune: Annotated[bool, typer.Option(help="Train BL, too.")] = False,
    epochs: int = 10,
    learning_rate: float = 0.001,
    seed: int = 0,
    out: Annotated[Path, typer.Option(help="Output file of the trained module.")] = Path("classifier.pt"),
) -> None:
    """Train a linear readout of BL for your own categories."""
    torch.manual_seed(seed)
    categories = sorted(path for path in folder.glob("*") if path.is_dir())
    if len(categories) < 2:
        sys.exit(f"{folder} must have at least two folders, one per category, got {len(categories)}.")
    files = [(path, label) for label, category in enumerate(categories) for path in photographs(category)]
    images = torch.from_numpy(read([path for path, _ in files]))

    network, _ = network_of(weights, width)
    model = Classifier(activations(network, global_pool(time)), len(categories), fine_tune=fine_tune)
    device = next(model.features.parameters()).device
    model.to(device)
    module = model if fine_tune else model.readout
    inputs = images if fine_tune else precompute(model.features, images, device)
    labels = torch.tensor([label for _, label in files])
    fit(module, TensorDataset(inputs, labels), epochs, learning_rate)
    torch.save({"categories": [path.name for path in categories], "state": model.state_dict()}, out)
    print(f"{len(files)} photographs, {len(categories)} categories: {out}")


command = command_of(main)

if __name__ == "__main__":
    command()
