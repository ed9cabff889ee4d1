"""Networks over time, one frame per call: state in, state out, in memory that does not grow with time."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.frozen import architecture_of
from convrnn_model.inference.keras_engine import model_from_file, predict_on_batch
from convrnn_model.inference.operations import GROUPS, Architecture, group_stems, layer_name
from convrnn_model.inference.shapes import value_shapes
from convrnn_model.inference.steps import Key, Step, step_at, step_key
from convrnn_model.variants import VARIANTS
from convrnn_model.weights.assignment import ExtraTimesteps, repeated_timestep


@dataclass(frozen=True)
class StreamState:
    """State of a network between two frames, as plain data that can be copied, saved or continued twice.

    Args:
        time: Time step of the next frame, from 0, so the number of frames before it.
        values: Name without a time step, such as `ReLU_Layer_6` -> its value at the last time step, (batch, H, W,
            filters) or (batch, classes).
    """

    time: int = 0
    values: Mapping[str, np.ndarray] = field(default_factory=dict)


def stream(
    network: Any,
    *,
    outputs: str | Sequence[str] = "softmax",
    extra_timesteps: ExtraTimesteps = "repeat-last",
    cumulative_readout: bool = False,
) -> "Stepper":
    """Prepare a network to take frames one by one, any number of them.

    Time steps of BL have a batch normalisation of their own, which further ones lack: weights for 8 time steps do not
    define the network at frame 9. `extra_timesteps` says which one is used from there on.

    Args:
        network: A network of this package, of still images or movies, or the path of a weights file. The stepper shares
            its weights. Feedforward networks take each frame by itself.
        outputs: "softmax"; "pre_softmax", what softmax reads; "features", the last layer averaged over the image; or
            names of layers without a time step, such as "ReLU_Layer_6".
        extra_timesteps: Batch normalisation of frames beyond the network's time steps: "repeat-last" uses that of its
            last time step, a number, from 0, that of this time step, "error" none.
        cumulative_readout: Compute softmax from the sum of all readouts so far; for files only.

    Raises:
        ConvRNNError: The network is not one of this package, or has no such output or time step.
    """
    if isinstance(network, str | os.PathLike):
        return Stepper(
            model_from_file(network, cumulative_readout=cumulative_readout), outputs, extra_timesteps
        )
    if cumulative_readout:
        raise ConvRNNError(
            "cumulative_readout describes a weights file, got a model. Build the model with cumulative_readout=True."
        )
    return Stepper(network, outputs, extra_timesteps)


class Stepper:
    """Network that takes one frame per call, as `stream` returns it.

    Frame by frame, a movie has the outputs of the network unrolled over time: the same bits on TensorFlow and PyTorch;
    on JAX up to float32 rounding. At most one time step more than the network's is prepared, so memory does not grow
    with time.

    Args:
        model: A network of this package.
        outputs: As for `stream`.
        extra_timesteps: As for `stream`.
    """

    def __init__(
        self, model: keras.Model, outputs: str | Sequence[str], extra_timesteps: ExtraTimesteps
    ) -> None:
        self._network = _architecture(model)
        self._model, self._single = model, isinstance(outputs, str)
        self._outputs = _stems(self._network, outputs)
        self._wanted = list(dict.fromkeys(stem for stems in self._outputs.values() for stem in stems))
        steps = self._network.n_timesteps
        self._extra = repeated_timestep(extra_timesteps, steps, self._network.variant) if steps else None
        self._steps: dict[Key, tuple[Step, keras.Model]] = {}
        self._state_inputs: dict[str, tuple[tuple[int | None, ...], str]] = {}
        # Fails here for unknown outputs. Its values have the shapes of the state.
        self._first = step_at(self._network, (0, 0), self._wanted)

    def initial_state(self) -> StreamState:
        """Return the state before the first frame, for any number of images."""
        return StreamState()

    def step(self, frames: Any, state: StreamState | None = None) -> tuple[Any, StreamState]:
        """Compute one time step.

        Args:
            frames: (batch, height, width, channels), float32 in [-1, 1]: the same frame of each movie.
            state: State from the step before; None before the first frame. It is not changed.

        Returns:
            The output, an array for one name, (batch, classes) for softmax, or a dictionary by name for several,
            float32; and the state for the next frame. With readouts of every layer, softmax and pre_softmax are
            (batch, layers, classes).

        Raises:
            TypeError: The dtype is not float32.
            ConvRNNError: The frames have another shape than the network or the state, or `extra_timesteps` is "error"
                and the network has no batch normalisation for this frame.
        """
        state = StreamState() if state is None else state
        images = _checked(frames, self._network)
        step, model = self._prepared(step_key(self._network, state.time, self._extra))
        self._require_state(step, state, images.shape)
        found = predict_on_batch(
            model, {step.image: images} | {name: state.values[name] for name in step.reads}
        )
        outputs = {
            name: _output([np.asarray(found[stem], np.float32) for stem in stems])
            for name, stems in self._outputs.items()
        }
        values = {name: np.asarray(found[name]) for name in step.keeps}
        result = next(iter(outputs.values())) if self._single else outputs
        return result, StreamState(state.time + 1, values)

    def run(self, movie: Iterable[Any], state: StreamState | None = None) -> Iterator[Any]:
        """Yield the output of each frame of a movie, which may be a generator.

        Args:
            movie: Frames, each as for `step`.
            state: State to start from; by default the initial one.
        """
        for frames in movie:
            output, state = self.step(frames, state)
            yield output

    def __repr__(self) -> str:
        """Return the network and the outputs."""
        return f"<Stepper of {self._network.variant}: {', '.join(self._outputs)}>"

    def _prepared(self, key: Key) -> tuple[Step, keras.Model]:
        """Return a time step and the model that computes it, which is kept for later frames."""
        if key not in self._steps:
            if key != (0, 0):
                self._prepared((0, 0))  # its outputs have the shapes and dtypes of the state
            step = step_at(self._network, key, self._wanted)
            self._steps[key] = step, self._built(step)
        return self._steps[key]

    def _require_state(self, step: Step, state: StreamState, shape: tuple[int, ...]) -> None:
        """Raise ConvRNNError unless a state fits a step of frames of a shape."""
        if not step.reads:
            return
        moving = replace(self._network, moving=True)
        shapes = value_shapes(moving, self._first.operations, (shape[1], shape[2]))
        expected = {name: (shape[0], *shapes[self._first.keeps[name]]) for name in step.reads}
        found = {name: state.values[name].shape for name in step.reads if name in state.values}
        if found != expected:
            raise ConvRNNError(
                f"the state must be that of the step before, with {expected} for frames {shape}, got {found}. Start a "
                "new movie with the initial state."
            )

    def _built(self, step: Step) -> keras.Model:
        """Return a model of one time step, of the network's own layers."""
        network = self._network
        shape = (*network.image_size, network.channels)
        inputs = {step.image: keras.Input(shape, dtype="float32", name=step.image)}
        for name in step.reads:
            state_shape, dtype = self._state_inputs[name]
            inputs[name] = keras.Input(state_shape, dtype=dtype, name=name)
        values = {step.image: inputs[step.image]}
        values |= {value: inputs[name] for name, value in step.reads.items()}
        for operation in step.operations:
            arguments = [values[name] for name in operation.inputs]
            layer = self._model.get_layer(operation.weights or layer_name(operation))
            values[operation.output] = layer(
                arguments if operation.kind in ("add", "top_down") else arguments[0]
            )
        found = {name: values[value] for name, value in (step.keeps | step.outputs).items()}
        for name in step.keeps:
            self._state_inputs.setdefault(name, (tuple(found[name].shape[1:]), str(found[name].dtype)))
        model = keras.Model(inputs, found, name=f"{network.variant}_step")
        model.make_predict_function()
        return model


def _architecture(model: Any) -> Architecture:
    if not isinstance(model, keras.Model):
        raise ConvRNNError(
            f"stream takes a Keras model or the path of a weights file, got {type(model).__name__}."
        )
    try:
        return architecture_of(model)
    except ConvRNNError as error:
        raise ConvRNNError(
            f"cannot stream {model.name}: it must be a network as convrnn_model builds it. Give the network itself, "
            "`model.get_layer(NAME)` if it is part of another model."
        ) from error


def _stems(network: Architecture, outputs: str | Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Map each requested output to its names without a time step, several for readouts of every layer."""
    wanted = [outputs] if isinstance(outputs, str) else list(outputs)
    return {name: group_stems(network, name) if name in GROUPS else (name,) for name in wanted}


def _output(values: list[np.ndarray]) -> np.ndarray:
    """Return the value of an output; those of several layers become an axis."""
    return values[0] if len(values) == 1 else np.stack(values, 1)


def _checked(frames: Any, network: Architecture) -> np.ndarray:
    """Return frames as an array, or raise an error if their dtype or shape does not fit."""
    images = np.asarray(frames)
    if images.dtype != np.float32:
        raise TypeError(
            f"step takes float32 in [-1, 1], got {images.dtype}. Convert 8-bit images with preprocess_image."
        )
    expected = (None, *network.image_size, network.channels)
    if images.ndim != 4 or any(
        want not in (None, have) for want, have in zip(expected, images.shape, strict=True)
    ):
        raise ConvRNNError(
            f"frames for {network.variant} must have the shape (batch, height, width, channels) = "
            f"{tuple('any' if length is None else length for length in expected)}, got {images.shape}. Pass one frame "
            "of each movie: movies[:, time]."
        )
    side = VARIANTS[network.variant].smallest_side
    if not images.shape[0] or min(images.shape[1:3]) < side:
        raise ConvRNNError(
            f"step needs at least one image, with sides of at least {side} px, got the shape {images.shape}."
        )
    return images
