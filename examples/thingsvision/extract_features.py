"""Extract BL's features at layers and time steps from a folder of images with thingsvision."""

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from convrnn_model import ConvRNNError, fetch_weights, global_pool, inspect_weights, relu

try:
    from thingsvision import get_extractor_from_model
    from thingsvision.utils.data import DataLoader, ImageDataset
    from torchvision.transforms import CenterCrop, Compose, Resize

    from convrnn_model.torch import Preprocess, bl, load_weights
except ImportError as error:
    sys.exit(f"cannot import what the example needs: {error}. Install it as README.md says.")

SIDE = 128  # px, at which the published networks were trained
LAYERS = [relu(6, 7), global_pool(7)]


def bl_extractor(weights: Path, device: str = "cpu") -> Any:
    """Return a thingsvision extractor of BL, whose modules have the published names of the layers.

    Args:
        weights: Weights file.
        device: "cpu" or "cuda".
    """
    info = inspect_weights(weights)
    network = bl(info.classes, info.n_timesteps, softmax=True)
    load_weights(network, weights)
    preprocess = Compose([Resize(SIDE), CenterCrop(SIDE), Preprocess()])
    return get_extractor_from_model(network, device=device, backend="pt", preprocess=preprocess)


def extract(extractor: Any, folder: Path, layers: list[str], out: Path) -> dict[str, np.ndarray]:
    """Return the features of all images, (images, features), by layer.

    Args:
        extractor: The extractor.
        folder: Folder of images, or of folders of images.
        layers: Names of layers, such as "ReLU_Layer_6_Time_7".
        out: Folder in which thingsvision writes `file_names.txt`, the order of the images.
    """
    backend = extractor.get_backend()
    transforms = extractor.get_transformations()
    images = ImageDataset(root=str(folder), out_path=str(out), backend=backend, transforms=transforms)
    batches = DataLoader(dataset=images, batch_size=32, backend=backend)
    return dict(extractor.extract_features(batches=batches, module_names=layers, flatten_acts=True))


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of images.")],
    weights: Annotated[str, typer.Option(help="Published weights by name, or a file.")] = "bl_imagenet",
    layer: Annotated[list[str], typer.Option(help="Name of a layer; several are possible.")] = LAYERS,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("features"),
) -> None:
    """Write one .npy file per layer, and the order of the images."""
    path = Path(weights) if Path(weights).exists() else fetch_weights(weights)
    for name, features in extract(bl_extractor(path, device), folder, layer, out).items():
        np.save(out / f"{name}.npy", features)
        print(f"{out / name}.npy: {features.shape}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except ConvRNNError as error:
        sys.exit(str(error))
