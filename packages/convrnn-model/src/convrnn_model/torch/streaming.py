"""Networks over time, one frame per call: state in, state out, in memory that does not grow with time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.operations import group_stems, layer_name
from convrnn_model.inference.steps import Key, Step, step_at, step_key
from convrnn_model.torch.networks import Network, _checked
from convrnn_model.weights.assignment import ExtraTimesteps, repeated_timestep


@dataclass(frozen=True)
class StreamState:
    """State of a network between two frames.

    Args:
        time: Time step of the next frame, from 0.
        values: Name without a time step, such as `ReLU_Layer_6` -> its value at the last time step.
    """

    time: int = 0
    values: Mapping[str, Tensor] = field(default_factory=dict)

    def detach(self) -> "StreamState":
        """Return the state without its history, so that gradients end here (truncated backpropagation through time)."""
        return StreamState(self.time, {name: value.detach() for name, value in self.values.items()})


class Stepper:
    """Network that takes one frame per call; it shares the weights and the mode of the module.

    A movie that repeats a picture has the outputs of the picture. In training, batch normalisation uses the statistics
    of the batch at each time step, and gradients flow through the state; `StreamState.detach` cuts them.

    Args:
        network: A network of `convrnn_model.torch`. Feedforward networks take each frame by itself.
        softmax: Return probabilities instead of logits.
        extra_timesteps: Batch normalisation of frames beyond the network's time steps: "repeat-last" uses that of its
            last time step, a number, from 0, that of this time step, "error" none.

    Raises:
        ConvRNNError: The argument is not a network, or `extra_timesteps` is not one of its time steps.
    """

    def __init__(
        self, network: Network, *, softmax: bool = False, extra_timesteps: ExtraTimesteps = "repeat-last"
    ) -> None:
        if not isinstance(network, Network):
            raise ConvRNNError(
                f"a stepper takes a network of convrnn_model.torch, got {type(network).__name__}. Give the network "
                "itself, not a module that contains it."
            )
        shape = network.architecture
        self._network = network
        self._outputs = group_stems(shape, "softmax" if softmax else "pre_softmax")
        steps = shape.n_timesteps
        self._extra = repeated_timestep(extra_timesteps, steps, shape.variant) if steps else None
        self._steps: dict[Key, Step] = {}

    def step(self, frames: Tensor, state: StreamState | None = None) -> tuple[Tensor, StreamState]:
        """Compute one time step.

        Args:
            frames: (batch, channels, height, width) in [-1, 1]: the same frame of each movie.
            state: State from the step before; None before the first frame. It is not changed.

        Returns:
            Logits or probabilities, (batch, classes), or (batch, layers, classes) with readouts of every layer; and the
            state for the next frame.

        Raises:
            ConvRNNError: The frames have another shape than the network or the state, or `extra_timesteps` is "error"
                and the network has no batch normalisation for this frame.
        """
        state = StreamState() if state is None else state
        network = self._network
        step = self._prepared(step_key(network.architecture, state.time, self._extra))
        values: dict[str, Any] = {step.image: _checked(frames, network.architecture)}
        for name, value in step.reads.items():
            values[value] = _of_batch(state, name, frames)
        for operation in step.operations:
            layer = getattr(network, operation.weights or layer_name(operation))
            values[operation.output] = layer(*(values[name] for name in operation.inputs))
        kept = {name: values[value] for name, value in step.keeps.items()}
        outputs = [values[step.outputs[name]] for name in self._outputs]
        output = torch.stack(outputs, 1) if network.architecture.layer_readouts else outputs[0]
        return output, StreamState(state.time + 1, kept)

    def run(self, movie: "Tensor | Iterable[Tensor]", state: StreamState | None = None) -> Iterator[Tensor]:
        """Yield the output of each frame.

        Args:
            movie: (batch, time, channels, height, width), or frames as for `step`, which a generator may make.
            state: State to start from; by default the initial one.
        """
        for frames in movie.unbind(1) if isinstance(movie, Tensor) else movie:
            output, state = self.step(frames, state)
            yield output

    def __call__(self, movie: Tensor) -> Tensor:
        """Return the outputs of all frames, (batch, time, ...) with the axes of `step`.

        Args:
            movie: (batch, time, channels, height, width) in [-1, 1], any number of frames.
        """
        if movie.dim() != 5:
            raise ConvRNNError(
                f"a movie is (batch, time, channels, height, width), got {tuple(movie.shape)}. Use movie[:, None] for "
                "one frame."
            )
        return torch.stack(list(self.run(movie)), 1)

    def _prepared(self, key: Key) -> Step:
        if key not in self._steps:
            self._steps[key] = step_at(self._network.architecture, key, self._outputs)
        return self._steps[key]


def _of_batch(state: StreamState, name: str, frames: Tensor) -> Tensor:
    """Return a value of the state, which must be that of a step before with as many movies."""
    value = state.values.get(name)
    if value is None or len(value) != len(frames):
        raise ConvRNNError(
            f"the state must be that of the step before for {len(frames)} movies, got "
            f"{'no ' + name if value is None else len(value)}. Start a new movie with the initial state."
        )
    return value
