"""Snapshot of a network in NumPy arrays, from a Keras model or from a weights file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_model import names
from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.operations import Architecture, kernel_shape, operations, readout_shape
from convrnn_model.variants import VARIANTS, Convolution
from convrnn_model.weights import hdf5
from convrnn_model.weights.assignment import Assignment
from convrnn_model.weights.inspection import Identity, PathLike, Shape, identify, require_identity

EPSILON = 1e-3
"""Epsilon of batch normalisation in all networks."""
CUMULATIVE = names.cumulative(0), names.cumulative(0, 0)
"""Names of the first cumulative readout."""
STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclass(frozen=True, eq=False)
class FrozenNetwork(Architecture):
    """Network as plain data; later changes of the model or file have no effect.

    Args:
        kernels: Name of a convolution -> kernel in the layout of `kernel_shape`, float32.
        normalizations: Name of a batch normalisation -> its scale and shift (filters,), float32.
        readouts: Name of a readout -> its kernel (filters, classes) and bias (classes,), float32.
    """

    kernels: Mapping[str, np.ndarray]
    normalizations: Mapping[str, tuple[np.ndarray, np.ndarray]]
    readouts: Mapping[str, tuple[np.ndarray, np.ndarray]]


def from_file(
    path: PathLike, n_timesteps: int | None = None, *, cumulative_readout: bool = False
) -> FrozenNetwork:
    """Read a network from a weights file, without building it or importing Keras.

    Args:
        path: HDF5 in the layout of the published files.
        n_timesteps: Time steps, at most those of the file; by default all. None for feedforward networks.
        cumulative_readout: Compute softmax at t from the sum of the readouts up to t, which files do not record.

    Raises:
        ConvRNNError: The file cannot be read, or does not have exactly the weights of one of the networks.
    """
    return _freeze(*read_network(path, n_timesteps, cumulative_readout=cumulative_readout))


def read_network(
    path: PathLike, n_timesteps: int | None = None, *, cumulative_readout: bool = False
) -> tuple[Architecture, dict[str, np.ndarray]]:
    """Read a weights file as `from_file` does, and return the architecture and the weights by `{layer}/{weight}`.

    Raises:
        ConvRNNError: As for `from_file`.
    """
    path = Path(path)
    with hdf5.open_weights(path) as stored:
        shapes = {name: dataset.shape for name, dataset in stored.items()}
        identity = require_identity(path, shapes)
        recurrent = VARIANTS[identity.variant].recurrent
        steps = _checked_timesteps(path, identity, n_timesteps) if recurrent else None
        if not recurrent and (n_timesteps is not None or cumulative_readout):
            raise ConvRNNError(
                f"n_timesteps and cumulative_readout belong to recurrent networks, and {path} contains "
                f"{identity.variant}. Leave them out."
            )
        architecture = Architecture(
            identity.variant,
            _layers(identity),
            identity.classes,
            steps,
            cumulative_readout,
            identity.channels,
            (None, None),
            layer_readouts=identity.layer_readouts,
        )
        assignment = Assignment(path, weight_shapes(architecture), shapes)
        sources = assignment.sources(skip_readout=False, extra_timesteps="error")
        return architecture, hdf5.read_all(path, stored, list(sources))


def from_keras(model: Any) -> FrozenNetwork:
    """Copy a network of this package, on any backend.

    Raises:
        ConvRNNError: The model differs from the networks of this package.
    """
    # Imported here, because files are read without Keras.
    from convrnn_model.weights.load_save import as_array

    architecture = architecture_of(model)
    return _freeze(architecture, {name: as_array(v).copy() for name, v in _variables(model).items()})


def architecture_of(model: Any) -> Architecture:
    """Recognise a Keras model as a network of this package.

    Raises:
        ConvRNNError: The model differs from the networks of this package.
    """
    from convrnn_model.inference.recognition import difference

    if not getattr(model, "outputs", None):
        raise _foreign(model, "it is not a functional model")
    shapes = {name: tuple(variable.shape) for name, variable in _variables(model).items()}
    identity = identify(shapes)
    if identity is None:
        raise _foreign(model, "its layers have other names or kernel sizes")
    *size, channels = model.inputs[0].shape[1:]
    architecture = Architecture(
        identity.variant,
        _layers(identity),
        identity.classes,
        identity.n_timesteps if VARIANTS[identity.variant].recurrent else None,
        any(layer.name in CUMULATIVE for layer in model.layers),
        channels,
        (size[-2], size[-1]),
        moving=len(size) == 3,
        layer_readouts=identity.layer_readouts,
    )
    if changed := set(shapes.items()) ^ set(weight_shapes(architecture).items()):
        raise _foreign(model, f"the weights {', '.join(sorted({name for name, _ in changed}))} differ")
    if found := difference(model, architecture):
        raise _foreign(model, found)
    return architecture


def _variables(model: Any) -> dict[str, Any]:
    return {f"{layer.name}/{v.name}": v for layer in model.layers for v in layer.weights}


def weight_shapes(architecture: Architecture) -> dict[str, Shape]:
    """Return the shape of every weight by `{layer}/{weight}`, in the layout of the published files."""
    shapes: dict[str, Shape] = {}
    for operation in operations(architecture):
        layer = operation.weights
        if layer is None:
            continue
        if operation.kind == "normalization":
            filters = architecture.layers[names.layer_number(layer) or 0].filters
            shapes |= {f"{layer}/{statistic}": (filters,) for statistic in STATISTICS}
        elif operation.kind == "dense":
            shapes[f"{layer}/kernel"] = readout_shape(architecture, layer)
            shapes[f"{layer}/bias"] = (architecture.classes,)
        else:
            shapes[f"{layer}/kernel"] = kernel_shape(architecture, layer)
    return shapes


def _freeze(architecture: Architecture, weights: Mapping[str, np.ndarray]) -> FrozenNetwork:
    """Assemble a network from its weights by `{layer}/{weight}`, float32, with batch normalisation folded."""
    by_layer: dict[str, dict[str, np.ndarray]] = {}
    for name, value in weights.items():
        layer, weight = name.split("/")
        by_layer.setdefault(layer, {})[weight] = value
    readouts = {
        layer: (values["kernel"], values["bias"]) for layer, values in by_layer.items() if "bias" in values
    }
    return FrozenNetwork(
        **vars(architecture),
        kernels={
            layer: values["kernel"]
            for layer, values in by_layer.items()
            if "kernel" in values and layer not in readouts
        },
        normalizations={layer: _folded(values) for layer, values in by_layer.items() if "gamma" in values},
        readouts=readouts,
    )


def _foreign(model: Any, found: str) -> ConvRNNError:
    return ConvRNNError(
        f"cannot compile {getattr(model, 'name', model)}: it must be a network as convrnn_model builds it, but {found}"
        ". Pass engine='keras', which runs any functional model."
    )


def _folded(statistics: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the scale and shift of batch normalisation, folded in float64."""
    gamma, beta, mean, variance = (statistics[name].astype(np.float64) for name in STATISTICS)
    scale = gamma / np.sqrt(variance + EPSILON)
    return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _layers(identity: Identity) -> tuple[Convolution, ...]:
    table = VARIANTS[identity.variant].convolutions()
    return tuple(
        Convolution(filters, layer.kernel, layer.pool)
        for filters, layer in zip(identity.filters, table, strict=True)
    )


def _checked_timesteps(path: Path, identity: Identity, wanted: int | None) -> int:
    if wanted is not None and not 1 <= wanted <= identity.n_timesteps:
        raise ConvRNNError(
            f"cannot read {path}: n_timesteps must be between 1 and {identity.n_timesteps}, the file's time steps, got "
            f"{wanted}. For more, build the network and load the file with extra_timesteps='repeat-last'."
        )
    return wanted or identity.n_timesteps
