"""BL as part of a `torch.nn.Module`: a linear readout of its features, alone or fine-tuned with the network."""

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
    """BL's last layer at one time step, averaged over the image, and a linear layer of one's own.

    Args:
        features: A model of convrnn-model, which under this backend is a `torch.nn.Module`.
        categories: Width of the linear layer.
        fine_tune: Whether BL learns, too; its batch statistics stay as they are.
    """

    def __init__(self, features: torch.nn.Module, categories: int, *, fine_tune: bool) -> None:
        super().__init__()
        features.trainable = fine_tune
        self.features = features
        self.readout = torch.nn.Linear(features.output_shape[-1], categories)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """From (batch, 128, 128, 3), channels last, in [-1, 1] to (batch, categories), before softmax."""
        return self.readout(self.features(images))


def seen(features: torch.nn.Module, images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What a network that does not learn answers to all images, (images, features): the same in every epoch."""
    with torch.no_grad():
        return torch.cat([features(batch.to(device)).cpu() for batch in images.split(BATCH)])


def fit(learner: torch.nn.Module, examples: TensorDataset, epochs: int, learning_rate: float) -> None:
    """Train what is trainable."""
    learning = [parameter for parameter in learner.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=learning_rate)
    device = learning[0].device
    for epoch in range(epochs):
        total = 0.0
        for inputs, labels in DataLoader(examples, batch_size=BATCH, shuffle=True):
            loss = torch.nn.functional.cross_entropy(learner(inputs.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(inputs)
        print(f"epoch {epoch + 1}/{epochs}: loss {total / len(examples):.4f}")


def main(
    folder: Annotated[Path, typer.Argument(help="A folder of photographs for each category.")],
    weights: Weights = "bl_imagenet",
    width: Width = 1.0,
    time: Annotated[int, typer.Option(help="The time step that is read out, from 0.")] = 7,
    fine_tune: Annotated[bool, typer.Option(help="Train BL, too.")] = False,
    epochs: int = 10,
    learning_rate: float = 0.001,
    seed: int = 0,
    out: Annotated[Path, typer.Option(help="The trained module.")] = Path("classifier.pt"),
) -> None:
    """Train a linear readout of BL for categories of one's own."""
    torch.manual_seed(seed)
    categories = sorted(path for path in folder.glob("*") if path.is_dir())
    if len(categories) < 2:
        sys.exit(f"{folder} holds {len(categories)} folders; a folder for each category, two or more.")
    files = [(path, label) for label, category in enumerate(categories) for path in photographs(category)]
    images = torch.from_numpy(read([path for path, _ in files]))

    network, _ = network_of(weights, width)
    model = Classifier(activations(network, global_pool(time)), len(categories), fine_tune=fine_tune)
    device = next(model.features.parameters()).device
    model.to(device)
    learner = model if fine_tune else model.readout
    inputs = images if fine_tune else seen(model.features, images, device)
    labels = torch.tensor([label for _, label in files])
    fit(learner, TensorDataset(inputs, labels), epochs, learning_rate)
    torch.save({"categories": [path.name for path in categories], "state": model.state_dict()}, out)
    print(f"{len(files)} photographs, {len(categories)} categories: {out}")


command = command_of(main)

if __name__ == "__main__":
    command()
