"""Network given to `compile_network`: a Keras model or a weights file, in the forms that engines take."""

import os
import sys
from functools import cached_property
from typing import Any

from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.engine import Precision
from convrnn_model.inference.frozen import FrozenNetwork, architecture_of, from_file, from_keras
from convrnn_model.inference.operations import Architecture
from convrnn_model.weights.inspection import PathLike

ImageShape = tuple[int | None, int | None, int | None]
"""Height, width and channels that a network accepts; None where any number is accepted."""


class ModelSource:
    """Functional Keras model.

    Args:
        model: The model.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.architecture: Architecture | None = None
        """Architecture of a network of this package, or None."""
        self.foreign: str | None = None
        """Error of a model that is not a network of this package, or None."""
        try:
            self.architecture = architecture_of(model)
        except ConvRNNError as error:
            self.foreign = str(error)
        self.name = str(getattr(model, "name", "network"))
        self.image_shape = _image_shape(model)

    @property
    def has_accelerator(self) -> bool:
        """Whether the model's backend computes on a GPU or another accelerator."""
        from convrnn_model.inference.keras_engine import has_accelerator

        return has_accelerator()

    @cached_property
    def frozen(self) -> FrozenNetwork:
        """Copy of the network as plain data."""
        return from_keras(self._model)

    def keras_model(self, precision: Precision) -> Any:
        """Return the model, or a copy of it if it computes in another precision."""
        from convrnn_model.inference.keras_engine import in_precision

        return in_precision(self._model, precision, foreign=self.foreign is not None)


class FileSource:
    """Weights file, from which only `keras_model` builds a network.

    Args:
        path: The file.
        n_timesteps: Time steps, at most those of the file; None for all.
        cumulative_readout: Compute softmax from cumulative readouts.
    """

    foreign: str | None = None
    has_accelerator = False
    """The backend is not imported to find out."""

    def __init__(self, path: PathLike, n_timesteps: int | None, cumulative_readout: bool) -> None:
        self._path, self._n_timesteps, self._cumulative = path, n_timesteps, cumulative_readout
        self.frozen = from_file(path, n_timesteps, cumulative_readout=cumulative_readout)
        self.architecture: Architecture | None = self.frozen
        self.name = self.frozen.variant
        self.image_shape: ImageShape = (None, None, self.frozen.channels)

    def keras_model(self, precision: Precision) -> Any:
        """Build the network and load its weights."""
        from convrnn_model.inference.keras_engine import in_precision, model_from_file

        model = model_from_file(self._path, self._n_timesteps, cumulative_readout=self._cumulative)
        return in_precision(model, precision, foreign=False)


Source = ModelSource | FileSource


def open_source(network: Any, n_timesteps: int | None = None, *, cumulative_readout: bool = False) -> Source:
    """Return the source of a Keras model or of the path of a weights file.

    Raises:
        ConvRNNError: The file cannot be read, or a model is given together with the options of a file.
    """
    if isinstance(network, str | os.PathLike):
        return FileSource(network, n_timesteps, cumulative_readout)
    if n_timesteps is not None or cumulative_readout:
        raise ConvRNNError(
            "n_timesteps and cumulative_readout describe a weights file, got a model. Build the model with them."
        )
    keras = sys.modules.get("keras")
    if keras is None or not isinstance(network, keras.Model):
        raise ConvRNNError(
            f"compile_network takes a Keras model or the path of a weights file, got {type(network).__name__}."
        )
    return ModelSource(network)


def _image_shape(model: Any) -> ImageShape:
    shapes = [tuple(tensor.shape[1:]) for tensor in getattr(model, "inputs", None) or ()]
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise ConvRNNError(
            f"cannot compile {getattr(model, 'name', model)}: it must be a functional model of images (batch, height, "
            f"width, channels), got {f'inputs {shapes}' if shapes else 'a model without a graph'}."
            + (" Use `stream`, or the model's `predict`, for movies." if [*map(len, shapes)] == [4] else "")
        )
    height, width, channels = shapes[0]
    return height, width, channels
