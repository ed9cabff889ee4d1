"""The layers' names, said once: they are the weight format, and how activations are asked for.

Layers and time steps count from 0. `time` is None for the feedforward networks, whose names carry none.
"""

import re

READOUT = "ReadoutDense"
_TIME = re.compile(r"(?P<stem>.+)_Time_(?P<time>[0-9]{1,6})")
_RECURRENT = re.compile(r"RCL_[0-9]+_(BConv|LConv|ConvSum)")
_WITH_WEIGHTS = re.compile(
    r"(Conv_Layer|BatchNorm_Layer)_[0-9]+(_Time_[0-9]{1,6})?|RCL_[0-9]+_[BL]Conv|ReadoutDense"
)


def at(stem: str, time: int | None) -> str:
    """A name with its time step, which those of the feedforward networks lack."""
    return stem if time is None else f"{stem}_Time_{time}"


def conv(layer: int) -> str:
    """The convolution of a feedforward network's layer."""
    return f"Conv_Layer_{layer}"


def bottom_up(layer: int) -> str:
    """BL's bottom-up convolution, shared by all time steps."""
    return f"RCL_{layer}_BConv"


def lateral(layer: int) -> str:
    """BL's lateral convolution, shared by all time steps but the first, which has none."""
    return f"RCL_{layer}_LConv"


def conv_sum(layer: int) -> str:
    """The sum of BL's bottom-up and lateral convolutions, shared by all time steps."""
    return f"RCL_{layer}_ConvSum"


def batch_norm(layer: int, time: int | None = None) -> str:
    """The batch normalisation of a layer; BL has another one at each time step."""
    return at(f"BatchNorm_Layer_{layer}", time)


def relu(layer: int, time: int | None = None) -> str:
    """A layer's output."""
    return at(f"ReLU_Layer_{layer}", time)


def max_pool(layer: int, time: int | None = None) -> str:
    """The pooling in front of a layer."""
    return at(f"MaxPool_Layer_{layer}", time)


def global_pool(time: int | None = None) -> str:
    """The last layer, averaged over the image: what the readout sees."""
    return at("GlobalAvgPool", time)


def pre_softmax(time: int | None = None) -> str:
    """The readout before softmax, at one time step."""
    return at(READOUT, time)


def cumulative(time: int) -> str:
    """The sum of the readouts before softmax up to and with `time`; only with `cumulative_readout=True`."""
    return at("CumulativeReadout", time)


def softmax(time: int | None = None) -> str:
    """The answer. The original spells BL's this way, and other people's code asks for it so."""
    return "Softmax" if time is None else at("Sotfmax", time)


def split_time(name: str) -> tuple[str, int | None]:
    """`ReLU_Layer_2_Time_5` as `("ReLU_Layer_2", 5)`; a name without a time step with None."""
    match = _TIME.fullmatch(name)
    return (match["stem"], int(match["time"])) if match else (name, None)


def is_recurrent(name: str) -> bool:
    """Whether a name is one of BL's alone."""
    return _RECURRENT.fullmatch(name) is not None


def is_lateral(name: str) -> bool:
    """Whether a name is that of a lateral convolution."""
    match = _RECURRENT.fullmatch(name)
    return match is not None and match[1] == "LConv"


def has_weights(name: str) -> bool:
    """Return whether a name is that of a network's layer with weights."""
    return _WITH_WEIGHTS.fullmatch(name) is not None
