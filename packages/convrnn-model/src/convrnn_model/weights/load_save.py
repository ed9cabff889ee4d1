"""Strict reading and writing of weights in the layout of the published files."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from convrnn_model import names
from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError
from convrnn_model.weights import hdf5
from convrnn_model.weights.inspection import PathLike, Shape, identify, n_timesteps


@dataclass(frozen=True)
class LoadReport:
    """Result of `load_weights`, by weight name, `{layer}/{weight}`.

    Args:
        path: The file.
        loaded: Weights of the network set from the file.
        kept: Weights of the network left unchanged (`readout="skip"`).
        repeated: Weights in `loaded` that repeat the file's last time step (`extra_timesteps="repeat-last"`).
        unused: Weights of the file for time steps that the network lacks.
    """

    path: Path
    loaded: tuple[str, ...]
    kept: tuple[str, ...]
    repeated: tuple[str, ...]
    unused: tuple[str, ...]


def load_weights(
    model: keras.Model,
    path: PathLike,
    *,
    readout: Literal["strict", "skip"] = "strict",
    extra_timesteps: Literal["error", "repeat-last"] = "error",
) -> LoadReport:
    """Load a published weights file, or one written by `save_weights`, completely or not at all.

    From a file with more time steps than the network, the first ones are loaded; the report lists the unused weights.

    Args:
        model: A network of this package.
        path: HDF5 in the layout of the original software, weights only or a whole model.
        readout: "skip" leaves the network's readout unchanged.
        extra_timesteps: "repeat-last" reuses the file's last normalisation for further time steps.

    Raises:
        ConvRNNError: Weights are missing, unexpected, mismatched in shape or not finite. One error lists all; the
            network is unchanged.
    """
    _require_choice("readout", readout, ("strict", "skip"))
    _require_choice("extra_timesteps", extra_timesteps, ("error", "repeat-last"))
    path = Path(path)
    variables = model_weights(model)
    with hdf5.open_weights(path) as stored:
        expected = {name: tuple(variable.shape) for name, variable in variables.items()}
        assignment = _Assignment(path, expected, {name: dataset.shape for name, dataset in stored.items()})
        sources = assignment.sources(
            skip_readout=readout == "skip", repeat_last=extra_timesteps == "repeat-last"
        )
        values = _read_all(path, stored, sorted(set(sources.values())))
    for name, source in sources.items():
        variables[name].assign(values[source])
    return LoadReport(
        path,
        loaded=tuple(sources),
        kept=tuple(name for name in variables if name not in sources),
        repeated=tuple(name for name, source in sources.items() if name != source),
        unused=tuple(assignment.unused()),
    )


def save_weights(model: keras.Model, path: PathLike) -> None:
    """Write a network's weights, float32, in the layout of the published files.

    The file is written atomically. Both `load_weights` here and the original code under TensorFlow 1.13 can load it.

    Raises:
        ConvRNNError: The file cannot be written, or two weights would have one name.
    """
    weights = model_weights(model)
    layers: dict[str, dict[str, np.ndarray]] = {}
    for layer in _layers(model):
        # The name of inputs in the original, because Keras 3 numbers them by session.
        is_input = isinstance(layer, keras.layers.InputLayer)
        name = f"input_{sum(key.startswith('input_') for key in layers) + 1}" if is_input else layer.name
        layers.setdefault(name, {}).update(
            {v.name: as_array(weights[f"{name}/{v.name}"]) for v in layer.weights}
        )
    hdf5.write(Path(path), layers)


def model_weights(model: keras.Model) -> dict[str, Any]:
    """Return a network's variables by `{layer}/{weight}`, in order, with nested models flattened.

    Raises:
        ConvRNNError: Two weights have one name, or a weight belongs to no layer.
    """
    found = [(f"{layer.name}/{v.name}", v) for layer in _layers(model) for v in layer.weights]
    duplicates = [name for name, count in Counter(name for name, _ in found).items() if count > 1]
    if duplicates:
        raise ConvRNNError(
            f"{model.name} has several weights called {', '.join(duplicates)}: names must be unique. "
            "Give one network at a time, `model.get_layer(NAME)`."
        )
    known = {id(variable) for _, variable in found}
    if outside := [v.path for v in model.weights if id(v) not in known]:
        raise ConvRNNError(
            f"{model.name} has weights outside of its layers: {', '.join(outside)}. Give the network itself, "
            "`model.get_layer(NAME)`."
        )
    return dict(found)


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a model, each once, with nested and wrapped models flattened."""
    found: dict[int, keras.layers.Layer] = {}

    def visit(layer: Any, *, nested: bool) -> None:
        inner = layer.layers if isinstance(layer, keras.Model) else _wrapped(layer)
        if inner:
            for part in inner:
                visit(part, nested=True)
        elif not (nested and isinstance(layer, keras.layers.InputLayer)):
            found.setdefault(id(layer), layer)

    for layer in model.layers:
        visit(layer, nested=False)
    return list(found.values())


def _wrapped(layer: Any) -> list[Any]:
    """Return the model that a wrapper such as `TimeDistributed` applies, if it is a model."""
    inner = getattr(layer, "layer", None)
    return [inner] if isinstance(inner, keras.Model) else []


def as_array(variable: Any) -> np.ndarray:
    """Return a variable's value as float32."""
    # Through a tensor without gradient, because NumPy warns about the direct conversion of TensorFlow's variables.
    tensor = keras.ops.stop_gradient(variable.value)
    return np.asarray(keras.ops.convert_to_numpy(tensor), dtype=np.float32)


@dataclass
class _Assignment:
    """Assignment of a file's weights to those of a network, by names and shapes, before arrays are read.

    Args:
        path: The file, for messages.
        expected: The network's weights.
        stored: The file's weights.
    """

    path: Path
    expected: Mapping[str, Shape]
    stored: Mapping[str, Shape]

    def sources(self, *, skip_readout: bool, repeat_last: bool) -> dict[str, str]:
        """Map each weight of the network to one of the file, or raise one error that lists all problems."""
        file_steps = n_timesteps(self.stored)
        sources = {
            name: _clamp_time(name, file_steps - 1) if file_steps else name
            for name in self.expected
            if not (skip_readout and _is_readout(name))
        }
        unknown = set(self.stored) - set(sources.values()) - set(self.unused())
        unexpected = [
            name for name in self.stored if name in unknown and not (skip_readout and _is_readout(name))
        ]
        wanted = dict.fromkeys(sources.values())
        missing = [source for source in wanted if source not in self.stored]
        mismatched = [
            _shape_problem(source, self.stored[source], self.expected[name])
            for name, source in sources.items()
            if source in self.stored and self.stored[source] != self.expected[name]
        ]
        problems = [
            f"{problem}: {', '.join(weights)}"
            for problem, weights in (
                ("missing", missing),
                ("unexpected", unexpected),
                ("mismatched", mismatched),
            )
            if weights
        ]
        too_few = any(name != source for name, source in sources.items()) and not repeat_last
        if problems or too_few:
            first, *further = self._headlines(file_steps if too_few else None)
            further += [f"weights {'; '.join(problems)}"] if problems else []
            sentences = [first, *(line[0].upper() + line[1:] for line in further)]
            raise ConvRNNError(f"cannot load {self.path}: {'. '.join(sentences)}.")
        return sources

    def unused(self) -> list[str]:
        """Return the file's weights of time steps that the network lacks."""
        own_steps, file_steps = n_timesteps(self.expected), n_timesteps(self.stored)
        laterals = (
            {f"{names.lateral(n)}/kernel" for n in range(len(self.stored))} if own_steps == 1 else set()
        )
        return [
            name
            for name in self.stored
            if own_steps
            and (own_steps <= (names.split_time(name.split("/")[0])[1] or 0) < file_steps or name in laterals)
        ]

    def _headlines(self, too_few: int | None) -> list[str]:
        """Return the general problems with their remedies, as sentences without a final period."""
        stored, expected = identify(self.stored), identify(self.expected)
        lines = []
        if stored and expected and stored.variant != expected.variant:
            lines.append(
                f"it must contain {expected.variant}, got {stored.variant}. Give a weights file of {expected.variant}"
            )
        elif stored and expected and stored.filters != expected.filters:
            lines.append(
                f"filters must be {expected.filters}, got {stored.filters}. Build the network with "
                "the file's `width`"
            )
        if stored and expected and stored.classes != expected.classes:
            dataset = f" ({stored.dataset})" if stored.dataset else ""
            lines.append(
                f"the readout must have {expected.classes} classes, got {stored.classes}{dataset}. "
                "Pass readout='skip' to keep the network's readout"
            )
        if too_few is not None:
            lines.append(
                f"it must have {n_timesteps(self.expected)} time steps, got {too_few}. Pass "
                "extra_timesteps='repeat-last' to reuse the last step's batch normalisation in further steps"
            )
        return lines or ["its weights do not fit this network"]


def _clamp_time(name: str, last: int) -> str:
    """Return the name of a weight at its time step or at `last`, whichever is earlier."""
    layer, weight = name.split("/")
    stem, time = names.split_time(layer)
    return name if time is None or time <= last else f"{names.at(stem, last)}/{weight}"


def _is_readout(name: str) -> bool:
    return name.startswith(f"{names.READOUT}/")


def _shape_problem(name: str, stored: Shape, expected: Shape) -> str:
    permuted = sorted(stored) == sorted(expected)
    hint = ", its axes in another order: kernels are (height, width, in, out)" if permuted else ""
    return f"{name} must be {expected}, got {stored}{hint}"


def _read_all(path: Path, stored: Mapping[str, Any], wanted: list[str]) -> dict[str, np.ndarray]:
    """Read the wanted weights, which must be finite floating-point numbers."""
    foreign = [f"{name} is {stored[name].dtype}" for name in wanted if stored[name].dtype.kind != "f"]
    if foreign:
        raise ConvRNNError(
            f"cannot load {path}: weights must be floating-point numbers, got {', '.join(foreign)}. Give another file."
        )
    values = {name: hdf5.read(path, name, stored[name]) for name in wanted}
    not_finite = [
        f"{name} ({np.count_nonzero(~np.isfinite(value))} of {value.size})"
        for name, value in values.items()
        if not np.isfinite(value).all()
    ]
    if not_finite:
        raise ConvRNNError(
            f"cannot load {path}: weights must be finite, got NaN or infinite values in {', '.join(not_finite)}. The "
            "training diverged or the file is damaged: give another file."
        )
    return values


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConvRNNError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")
