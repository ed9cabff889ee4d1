"""Assignment of a file's weights to those of a network, by names and shapes, before arrays are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from convrnn_model import names
from convrnn_model.errors import ConvRNNError
from convrnn_model.weights.inspection import Shape, identify, n_timesteps

ExtraTimesteps = Literal["error", "repeat-last"] | int
"""Time step whose batch normalisation serves time steps without one."""


@dataclass
class Assignment:
    """Weights of a file and of a network, compared strictly.

    Args:
        path: The file, for messages.
        expected: The network's weights.
        stored: The file's weights.
    """

    path: Path
    expected: Mapping[str, Shape]
    stored: Mapping[str, Shape]

    def sources(self, *, skip_readout: bool, extra_timesteps: ExtraTimesteps) -> dict[str, str]:
        """Map each weight of the network to one of the file, or raise one error that lists all problems."""
        file_steps = n_timesteps(self.stored)
        repeated = repeated_timestep(extra_timesteps, file_steps, str(self.path)) if file_steps else None
        # Without the option, the last one stands in for the time steps that the error lists.
        extra = file_steps - 1 if repeated is None else repeated
        sources = {
            name: _with_time(name, file_steps, extra) if file_steps else name
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
        too_few = any(name != source for name, source in sources.items()) and repeated is None
        if problems or too_few:
            first, *further = self._headlines(file_steps if too_few else None)
            further += [f"weights {'; '.join(problems)}"] if problems else []
            sentences = [first, *(line[0].upper() + line[1:] for line in further)]
            raise ConvRNNError(f"cannot load {self.path}: {'. '.join(sentences)}.")
        return sources

    def unused(self) -> list[str]:
        """Return the file's weights of time steps that the network lacks."""
        own_steps, file_steps = n_timesteps(self.expected), n_timesteps(self.stored)
        return [
            name
            for name, layer in ((name, name.split("/")[0]) for name in self.stored)
            if own_steps
            and (
                own_steps <= (names.split_time(layer)[1] or 0) < file_steps
                or (own_steps == 1 and (names.is_lateral(layer) or names.is_top_down(layer)))
            )
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
        if stored and expected and stored.layer_readouts != expected.layer_readouts:
            wanted = "every layer" if expected.layer_readouts else "the last layer only"
            lines.append(
                f"{wanted} must have a readout, unlike in the file. Build the network with "
                f"layer_readouts={stored.layer_readouts}, or pass readout='skip' to keep the network's readouts"
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
                "extra_timesteps='repeat-last', or a time step, to reuse its batch normalisation in further steps"
            )
        return lines or ["its weights do not fit this network"]


def require_extra_timesteps(value: ExtraTimesteps) -> None:
    """Raise ConvRNNError unless a value of the option `extra_timesteps` is a word or a time step."""
    is_number = hasattr(value, "__index__") and not isinstance(value, bool)
    if not (is_number and int(value) >= 0) and value not in ("error", "repeat-last"):
        raise ConvRNNError(
            f"extra_timesteps must be one of 'error', 'repeat-last', or a time step from 0, got {value!r}."
        )


def repeated_timestep(extra_timesteps: ExtraTimesteps, n_timesteps: int, owner: str) -> int | None:
    """Return the time step whose batch normalisation serves further time steps, or None for "error".

    Args:
        extra_timesteps: The option.
        n_timesteps: Time steps that have a batch normalisation of their own.
        owner: Network or file that has them, for messages.

    Raises:
        ConvRNNError: The option is neither a word nor one of the time steps.
    """
    require_extra_timesteps(extra_timesteps)
    if isinstance(extra_timesteps, str):
        return n_timesteps - 1 if extra_timesteps == "repeat-last" else None
    if extra_timesteps >= n_timesteps:
        raise ConvRNNError(
            f"extra_timesteps must be a time step of {owner}, from 0 to {n_timesteps - 1}, got {extra_timesteps}."
        )
    return int(extra_timesteps)


def _with_time(name: str, steps: int, extra: int) -> str:
    """Return the name of a weight at its time step, or at `extra` for time steps from `steps` on."""
    layer, weight = name.split("/")
    stem, time = names.split_time(layer)
    return name if time is None or time < steps else f"{names.at(stem, extra)}/{weight}"


def _is_readout(name: str) -> bool:
    return names.is_readout(name.split("/")[0])


def _shape_problem(name: str, stored: Shape, expected: Shape) -> str:
    permuted = sorted(stored) == sorted(expected)
    hint = ", its axes in another order: kernels are (height, width, in, out)" if permuted else ""
    return f"{name} must be {expected}, got {stored}{hint}"
