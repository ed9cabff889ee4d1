"""Metadata that exported files contain: what the network is, and what it takes and returns."""

import json
from collections.abc import Sequence
from importlib.metadata import version

from convrnn_model.inference.operations import IMAGE, Architecture
from convrnn_model.readout import class_names
from convrnn_model.weights.inspection import DATASETS

KEY = "convrnn"
"""Name under which formats with nested metadata contain it."""


def network_metadata(network: Architecture, sha256: str | None = None) -> dict[str, str]:
    """Describe a network, by name; lists are JSON.

    Args:
        network: The network.
        sha256: Hash of its weights file, hexadecimal; None for weights without a file.
    """
    dataset = DATASETS.get(network.classes)
    found = {
        "variant": network.variant,
        "dataset": dataset or "unknown",
        "classes": str(network.classes),
        "n_timesteps": str(network.n_timesteps or 1),
        "cumulative_readout": json.dumps(network.cumulative_readout),
        "input_range": "[-1, 1]",
        "package_version": version("convrnn-model"),
    }
    if sha256:
        found["weights_sha256"] = sha256
    if dataset:
        found["categories"] = json.dumps(list(class_names(dataset)))
    return found


def graph_metadata(layout: str, image_size: tuple[int, int], outputs: Sequence[str]) -> dict[str, str]:
    """Describe input and outputs of a computational graph, by name; lists are JSON.

    Args:
        layout: Order of the axes of images and of outputs of convolutional layers, "NCHW" or "NHWC".
        image_size: Height and width, px.
        outputs: Names of the outputs.
    """
    return {
        "input_name": IMAGE,
        "input_layout": layout,
        "image_size": json.dumps(list(image_size)),
        "outputs": json.dumps(list(outputs)),
    }
