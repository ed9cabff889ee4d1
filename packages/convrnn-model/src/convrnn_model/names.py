"""Layer names. They define the weight format, and select activations.

Layers and time steps count from 0. `time` is None for feedforward networks, whose names have no time step.
"""

import difflib
import re
from collections.abc import Mapping, Sequence

from convrnn_model.errors import ConvRNNError

READOUT = "ReadoutDense"
_TIME = re.compile(r"(?P<stem>.+)_Time_(?P<time>[0-9]{1,6})")
_RECURRENT = re.compile(r"RCL_[0-9]+_(BConv|LConv|ConvSum)")
_WITH_WEIGHTS = re.compile(
    r"(Conv_Layer|BatchNorm_Layer)_[0-9]+(_Time_[0-9]{1,6})?|RCL_[0-9]+_[BL]Conv|ReadoutDense"
)


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
    """Name of BL's bottom-up convolution, shared by all time steps."""
    return f"RCL_{layer}_BConv"


def lateral(layer: int) -> str:
    """Name of BL's lateral convolution, shared by all time steps except the first, which has none."""
    return f"RCL_{layer}_LConv"


def conv_sum(layer: int) -> str:
    """Name of the sum of BL's bottom-up and lateral convolutions, shared by all time steps."""
    return f"RCL_{layer}_ConvSum"


def batch_norm(layer: int, time: int | None = None) -> str:
    """Name of a layer's batch normalisation, of which BL has one per time step."""
    return at(f"BatchNorm_Layer_{layer}", time)


def relu(layer: int, time: int | None = None) -> str:
    """Name of a layer's output."""
    return at(f"ReLU_Layer_{layer}", time)


def max_pool(layer: int, time: int | None = None) -> str:
    """Name of the pooling before a layer."""
    return at(f"MaxPool_Layer_{layer}", time)


def global_pool(time: int | None = None) -> str:
    """Name of the last layer averaged over the image, the input of the readout."""
    return at("GlobalAvgPool", time)


def pre_softmax(time: int | None = None) -> str:
    """Name of the readout before softmax at one time step."""
    return at(READOUT, time)


def cumulative(time: int) -> str:
    """Name of the sum of readouts before softmax up to and including `time`, for `cumulative_readout=True`."""
    return at("CumulativeReadout", time)


def softmax(time: int | None = None) -> str:
    """Name of the softmax. BL's keeps the spelling of the original, on which other code relies."""
    return "Softmax" if time is None else at("Sotfmax", time)


def split_time(name: str) -> tuple[str, int | None]:
    """Split `ReLU_Layer_2_Time_5` into `("ReLU_Layer_2", 5)`; without a time step, the second is None."""
    match = _TIME.fullmatch(name)
    return (match["stem"], int(match["time"])) if match else (name, None)


def is_recurrent(name: str) -> bool:
    """Return whether only BL has a layer of this name."""
    return _RECURRENT.fullmatch(name) is not None


def is_lateral(name: str) -> bool:
    """Return whether a name is that of a lateral convolution."""
    match = _RECURRENT.fullmatch(name)
    return match is not None and match[1] == "LConv"


def is_normalization(name: str) -> bool:
    """Return whether a name is that of a batch normalisation."""
    return split_time(name)[0].startswith("BatchNorm_Layer_")


def has_weights(name: str) -> bool:
    """Return whether a name is that of a layer with weights."""
    return _WITH_WEIGHTS.fullmatch(name) is not None


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
