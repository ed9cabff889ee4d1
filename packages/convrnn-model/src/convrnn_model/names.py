"""Layer names. They define the weight format, and select activations.

Layers and time steps count from 0. `time` is None for feedforward networks, whose names have no time step.
"""

import difflib
import re
from collections.abc import Mapping, Sequence

from convrnn_model.errors import ConvRNNError

READOUT = "ReadoutDense"
_TIME = re.compile(r"(?P<stem>.+)_Time_(?P<time>[0-9]{1,6})")
_RECURRENT = re.compile(r"RCL_[0-9]+_(BConv|LConv|TConv|ConvSum)")
_READOUT = re.compile(rf"{READOUT}(_Layer_[0-9]+)?")
_WITH_WEIGHTS = re.compile(rf"(Conv_Layer|BatchNorm_Layer)_[0-9]+|RCL_[0-9]+_[BLT]Conv|{_READOUT.pattern}")


def at(stem: str, time: int | None) -> str:
    """Append a time step to a name; None leaves it unchanged."""
    return stem if time is None else f"{stem}_Time_{time}"


def frame(time: int) -> str:
    """Name of the image at one time step, for networks that take movies."""
    return at("Frame", time)


def conv(layer: int) -> str:
    """Name of a feedforward network's convolution."""
    return f"Conv_Layer_{layer}"


def bottom_up(layer: int) -> str:
    """Name of a recurrent layer's bottom-up convolution, shared by all time steps; B-U has one per time step."""
    return f"RCL_{layer}_BConv"


def lateral(layer: int) -> str:
    """Name of a lateral convolution, shared by all time steps except the first; B-U has one per time step."""
    return f"RCL_{layer}_LConv"


def top_down(layer: int) -> str:
    """Name of the transposed convolution from the layer above, shared by all time steps except the first."""
    return f"RCL_{layer}_TConv"


def conv_sum(layer: int) -> str:
    """Name of the sum of a recurrent layer's convolutions, shared by all time steps."""
    return f"RCL_{layer}_ConvSum"


def batch_norm(layer: int, time: int | None = None) -> str:
    """Name of a layer's batch normalisation, of which recurrent networks have one per time step."""
    return at(f"BatchNorm_Layer_{layer}", time)


def relu(layer: int, time: int | None = None) -> str:
    """Name of a layer's output."""
    return at(f"ReLU_Layer_{layer}", time)


def max_pool(layer: int, time: int | None = None) -> str:
    """Name of the pooling before a layer."""
    return at(f"MaxPool_Layer_{layer}", time)


def global_pool(time: int | None = None, layer: int | None = None) -> str:
    """Name of the last layer averaged over the image, the input of the readout, or of `layer` with a readout."""
    return at(_of("GlobalAvgPool", layer), time)


def pre_softmax(time: int | None = None, layer: int | None = None) -> str:
    """Name of the readout before softmax at one time step; `layer` is the layer that it reads, None for the last."""
    return at(_of(READOUT, layer), time)


def cumulative(time: int, layer: int | None = None) -> str:
    """Name of the sum of readouts before softmax up to and including `time`, for `cumulative_readout=True`."""
    return at(_of("CumulativeReadout", layer), time)


def softmax(time: int | None = None, layer: int | None = None) -> str:
    """Name of the softmax. BL's keeps the spelling of the original, on which other code relies."""
    return (
        at("Softmax" if time is None else "Sotfmax", time)
        if layer is None
        else at(_of("Softmax", layer), time)
    )


def split_time(name: str) -> tuple[str, int | None]:
    """Split `ReLU_Layer_2_Time_5` into `("ReLU_Layer_2", 5)`; without a time step, the second is None."""
    match = _TIME.fullmatch(name)
    return (match["stem"], int(match["time"])) if match else (name, None)


def layer_number(name: str) -> int | None:
    """Return the number of the layer in a name, such as 2 of `RCL_2_LConv` or `ReLU_Layer_2_Time_5`, or None."""
    return next((int(part) for part in split_time(name)[0].split("_") if part.isdigit()), None)


def is_recurrent(name: str) -> bool:
    """Return whether only recurrent networks have a layer of this name."""
    return _RECURRENT.fullmatch(split_time(name)[0]) is not None


def is_lateral(name: str) -> bool:
    """Return whether a name is that of a lateral convolution."""
    return _kind(name) == "LConv"


def is_top_down(name: str) -> bool:
    """Return whether a name is that of a transposed convolution from the layer above."""
    return _kind(name) == "TConv"


def is_readout(name: str) -> bool:
    """Return whether a name is that of a readout, of the last layer or of another one."""
    return _READOUT.fullmatch(split_time(name)[0]) is not None


def is_normalization(name: str) -> bool:
    """Return whether a name is that of a batch normalisation."""
    return split_time(name)[0].startswith("BatchNorm_Layer_")


def has_weights(name: str) -> bool:
    """Return whether a name is that of a layer with weights."""
    return _WITH_WEIGHTS.fullmatch(split_time(name)[0]) is not None


def unknown_outputs(network: str, unknown: Sequence[str], uses: Mapping[str, Sequence[str]]) -> ConvRNNError:
    """Return the error for outputs that a network does not have, with the closest names.

    Args:
        network: Name of the network.
        unknown: The names, none if no output was named at all.
        uses: Name of each layer -> names of its outputs, one per time step for shared layers.
    """
    if not unknown:
        return ConvRNNError(f"no layer of {network} was named: pass one name, or several.")
    known = [output for outputs in uses.values() for output in outputs]
    parts = []
    for name in unknown:
        close = uses.get(name) or difflib.get_close_matches(name, known, n=3)
        why = "is applied at several time steps: pass" if name in uses else "did you mean"
        parts.append(f"{name} ({why} {', '.join(close[:3])})" if close else name)
    return ConvRNNError(
        f"{network} has no output called {'; '.join(parts)}. Layers and time steps count from 0."
    )


def _of(stem: str, layer: int | None) -> str:
    return stem if layer is None else f"{stem}_Layer_{layer}"


def _kind(name: str) -> str | None:
    """Return the part of a recurrent layer that a name is that of, or None."""
    match = _RECURRENT.fullmatch(split_time(name)[0])
    return match[1] if match else None
