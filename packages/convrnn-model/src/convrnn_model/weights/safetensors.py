"""Strict reading and writing of safetensors files with the names and layout of `convrnn_model.torch`.

A weight `{layer}/{weight}` of the published layout is the tensor `{layer}.{name}` of a module's `state_dict`, with the
axes of PyTorch: kernels are (out, in, height, width), and the readout's (classes, filters).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from convrnn_model import names
from convrnn_model.errors import ConvRNNError
from convrnn_model.io_errors import error_number, io_error
from convrnn_model.weights.hdf5 import require_finite
from convrnn_model.weights.inspection import Shape

SUFFIX = ".safetensors"
INSTALL = 'pip install "convrnn-model[safetensors]"'
NORMALIZATION = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""Names of a batch normalisation's weights in the published layout -> names in PyTorch."""
OTHERS = {"kernel": "weight", "bias": "bias"}
"""Names of the weights of convolutions and of the readout -> names in PyTorch."""
COUNTER = "num_batches_tracked"
"""Number of training steps of a batch normalisation in PyTorch, which the published layout lacks."""
FLOATS = ("F16", "F32", "F64")
"""Dtypes that are read."""

Read = Callable[[Sequence[str]], dict[str, np.ndarray]]


def tensors_of(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the `state_dict` of a network of `convrnn_model.torch`, as arrays.

    Args:
        weights: Weights of the published layout by `{layer}/{weight}`.
    """
    tensors: dict[str, np.ndarray] = {}
    for name, value in weights.items():
        layer, weight = name.split("/")
        normalizes = weight in NORMALIZATION
        tensors[f"{layer}.{(NORMALIZATION if normalizes else OTHERS)[weight]}"] = _transposed(value)
        if normalizes:
            tensors[f"{layer}.{COUNTER}"] = np.zeros((), np.int64)
    return tensors


def serialized(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a safetensors file.

    Args:
        tensors: Arrays by name.
        metadata: Metadata of the header, by name.
    """
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(value) for name, value in tensors.items()}, dict(metadata))


@contextmanager
def open_tensors(path: Path) -> Iterator[tuple[dict[str, Shape], Read]]:
    """Open the weights of a file in the published layout.

    Yields:
        The shape of each weight by `{layer}/{weight}`, in the published layout, and a function that reads some of them
        as float32. Tensors of unknown names keep their name and axes.

    Raises:
        ConvRNNError: The file cannot be read or is damaged, or safetensors is not installed.
    """
    require_safetensors(path)
    from safetensors import safe_open

    with _errors(path):
        file = safe_open(path, framework="numpy")
    with file:
        sources = {_published(name): name for name in file.keys() if not _is_counter(name)}  # noqa: SIM118
        slices = {weight: file.get_slice(name) for weight, name in sources.items()}
        shapes = {weight: _published_shape(stored.get_shape()) for weight, stored in slices.items()}

        def read(wanted: Sequence[str]) -> dict[str, np.ndarray]:
            dtypes = {weight: slices[weight].get_dtype() for weight in wanted}
            if foreign := [f"{weight} is {dtype}" for weight, dtype in dtypes.items() if dtype not in FLOATS]:
                raise ConvRNNError(
                    f"cannot load {path}: weights must be {', '.join(FLOATS)}, got {', '.join(foreign)}. Write the "
                    "file again in float32."
                )
            with _errors(path), np.errstate(over="ignore"):
                values = {
                    weight: _untransposed(file.get_tensor(sources[weight]).astype(np.float32))
                    for weight in wanted
                }
            require_finite(path, values)
            return values

        yield shapes, read


def require_safetensors(path: Path) -> None:
    """Raise ConvRNNError unless safetensors is installed."""
    if find_spec("safetensors") is None:
        raise ConvRNNError(f"{path} needs safetensors, which is not installed. Install it: {INSTALL}.")


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        if path.is_dir():
            raise ConvRNNError(
                f"{path} is a folder: {SUFFIX} weights are one file. Give the path of the file."
            )
        yield
    except SafetensorError as error:
        raise ConvRNNError(
            f"{path} is damaged or truncated: safetensors reports {str(error)!r}. Copy, download or create it again."
        ) from error
    except OSError as error:
        if error_number(error) is None and not path.exists():
            raise ConvRNNError(f"{path} does not exist. Check the path.") from error
        raise io_error(f"cannot read {path}", error) from error


def _is_counter(name: str) -> bool:
    layer, _, weight = name.rpartition(".")
    return weight == COUNTER and names.has_weights(layer)


def _published(name: str) -> str:
    """Return `{layer}/{weight}` of a tensor; tensors of other layers keep their name."""
    layer, _, weight = name.rpartition(".")
    known = NORMALIZATION if names.is_normalization(layer) else OTHERS
    published = {own: weight for weight, own in known.items()}
    return f"{layer}/{published[weight]}" if names.has_weights(layer) and weight in published else name


def _published_shape(shape: Sequence[int]) -> Shape:
    """Return the shape of a tensor with the axes of the published layout."""
    axes = (2, 3, 1, 0) if len(shape) == 4 else tuple(reversed(range(len(shape))))
    return tuple(shape[axis] for axis in axes)


def _transposed(value: np.ndarray) -> np.ndarray:
    """Return a weight of the published layout with the axes of PyTorch."""
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T


def _untransposed(value: np.ndarray) -> np.ndarray:
    """Return a weight of PyTorch with the axes of the published layout."""
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
