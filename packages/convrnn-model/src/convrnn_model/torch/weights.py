"""Loading and saving of weights in the layout of the published files."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convrnn_model.errors import ConvRNNError
from convrnn_model.export.metadata import network_metadata
from convrnn_model.files import write_whole
from convrnn_model.inference.operations import layers_in_order
from convrnn_model.torch.networks import Network
from convrnn_model.weights import hdf5, safetensors
from convrnn_model.weights.assignment import ExtraTimesteps
from convrnn_model.weights.inspection import PathLike
from convrnn_model.weights.reading import LoadReport, Readout, read_weights
from convrnn_model.weights.safetensors import NORMALIZATION


def load_weights(
    module: nn.Module,
    path: PathLike,
    *,
    readout: Readout = "strict",
    extra_timesteps: ExtraTimesteps = "error",
) -> LoadReport:
    """Load a published weights file, or one written by `save_weights`, completely or not at all.

    From a file with more time steps than the network, the first ones are loaded; the report lists the unused weights.

    Args:
        module: A `Network`, or a module that contains one, such as that of `torch.compile`.
        path: HDF5 in the layout of the original software, weights only or a whole model; or `.safetensors`, as
            `save_weights` and `convrnn_model.export_network` write it.
        readout: "skip" leaves the network's readout unchanged.
        extra_timesteps: For time steps beyond the file's, "repeat-last" reuses its last batch normalisation, and a
            number, from 0, that of this time step.

    Raises:
        ConvRNNError: Weights are missing, unexpected, mismatched in shape or not finite. One error lists all; the
            network is unchanged.
    """
    weights = {
        f"{layer}/{name}": view for layer, parts in _views(module).items() for name, view in parts.items()
    }
    shapes = {name: tuple(view.shape) for name, view in weights.items()}
    report, values = read_weights(Path(path), shapes, readout, extra_timesteps)
    for name, value in values.items():
        weights[name].copy_(torch.from_numpy(value))
    return report


def save_weights(module: nn.Module, path: PathLike) -> None:
    """Write a network's weights, float32, in the layout of the published files, or as safetensors.

    The file is written atomically. `convrnn_model.load_weights` reads both, the original code under TensorFlow 1.13 the
    former, and `safetensors.torch.load_file` the latter, for `load_state_dict` of the network.

    Args:
        module: A `Network`, or a module that contains one.
        path: The file; an existing one is replaced. The suffix `.safetensors` selects that format.

    Raises:
        ConvRNNError: The file cannot be written, safetensors is not installed, or the module does not contain exactly
            one network.
    """
    if Path(path).suffix == safetensors.SUFFIX:
        safetensors.require_safetensors(Path(path))
        network = _network(module)
        tensors = {name: _portable(value) for name, value in network.state_dict().items()}
        write_whole(Path(path), safetensors.serialized(tensors, network_metadata(network.architecture)))
        return
    layers = {
        layer: {name: view.to("cpu", torch.float32).contiguous().numpy() for name, view in parts.items()}
        for layer, parts in _views(module).items()
    }
    hdf5.write(Path(path), layers)


def _views(module: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Return the layers in the order of the file, each with views of its weights in the layout of the file."""
    network = _network(module)
    order = layers_in_order(network.architecture)
    return {layer: _layer_views(network._modules.get(layer)) for layer in order}


def _portable(value: Tensor) -> np.ndarray:
    """Return a tensor as an array, float32 unless it is an integer."""
    value = value.detach().to("cpu")
    return (value.to(torch.float32) if value.is_floating_point() else value).contiguous().numpy()


def _network(module: nn.Module) -> Network:
    """Return the network that a module is or contains."""
    networks = [part for part in module.modules() if isinstance(part, Network)]
    if len(networks) != 1:
        raise ConvRNNError(
            f"weights belong to one network of convrnn_model.torch, got {type(module).__name__} with {len(networks)} "
            "of them. Pass the network itself."
        )
    return networks[0]


def _layer_views(layer: Any) -> dict[str, Tensor]:
    match layer:
        # In both, the first two axes are the last ones of the file, in reverse.
        case nn.Conv2d() | nn.ConvTranspose2d():
            found = {"kernel": layer.weight.detach().permute(2, 3, 1, 0)}
        case nn.Linear():
            found = {"kernel": layer.weight.detach().T, "bias": layer.bias.detach()}
        case nn.modules.batchnorm._BatchNorm():
            found = {name: getattr(layer, own).detach() for name, own in NORMALIZATION.items()}
        case _:
            found = {}
    return found
