"""Export of the weights alone to safetensors, for the modules of `convrnn_model.torch`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from convrnn_model.weights.safetensors import open_tensors, serialized, tensors_of


def write(path: Path, weights: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write weights as the `state_dict` of a network of `convrnn_model.torch`.

    Args:
        path: The file.
        weights: Weights of the published layout by `{layer}/{weight}`.
        metadata: Metadata of the header, by name.
    """
    path.write_bytes(serialized(tensors_of(weights), metadata))


def largest_difference(path: Path, weights: Mapping[str, np.ndarray]) -> float:
    """Return the largest difference of a file's weights from those written, infinite if a weight is missing."""
    with open_tensors(path) as (shapes, read):
        if set(shapes) != set(weights):
            return float("inf")
        found = read(list(weights))
    return max(float(np.abs(found[name] - value).max()) for name, value in weights.items())
