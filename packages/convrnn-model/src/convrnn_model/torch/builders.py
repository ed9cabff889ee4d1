"""Functions that build the networks in the table of variants."""

from typing import TypedDict, Unpack

from convrnn_model.torch.networks import Network


class NetworkOptions(TypedDict, total=False):
    """Options of every network, as for `Network`."""

    width: float
    channels: int
    softmax: bool
    layer_readouts: bool


class RecurrentOptions(NetworkOptions, total=False):
    """Options of networks with time steps."""

    cumulative_readout: bool


def bl(classes: int, n_timesteps: int = 8, **options: Unpack[RecurrentOptions]) -> Network:
    """Build BL: a lateral, recurrent convolution in every layer, unrolled over time (Spoerer et al. 2020).

    `convrnn_model.bl_net` documents the equations; weights and outputs are the same.

    Args:
        classes: Number of classes; published weights have 565 (ecoset) or 1000 (ImageNet).
        n_timesteps: Time steps, at least 1; the published weights have 8.
        options: Keywords:
            width (float, 1): factor on the number of filters of every layer.
            cumulative_readout (bool, False): return at t the sum of the readouts up to t.
            channels (int, 3): channels of the image.
            softmax (bool, False): return probabilities instead of logits.
            layer_readouts (bool, False): read out every layer, with weights of its own, instead of the last one only.

    Returns:
        A module from images (batch, channels, height, width) in [-1, 1] to logits (batch, time, classes), which
        `torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(n_timesteps))` takes.

    Raises:
        ConvRNNError: An argument is out of range.
    """
    return Network("bl_net", classes, n_timesteps, **options)


def bt(classes: int, n_timesteps: int = 8, **options: Unpack[RecurrentOptions]) -> Network:
    """Build BT: BL with top-down instead of lateral connections, see `convrnn_model.bt_net`. Arguments as for `bl`."""
    return Network("bt_net", classes, n_timesteps, **options)


def blt(classes: int, n_timesteps: int = 8, **options: Unpack[RecurrentOptions]) -> Network:
    """Build BLT: BL with top-down connections in addition. Arguments as for `bl`."""
    return Network("blt_net", classes, n_timesteps, **options)


def b_u(classes: int, n_timesteps: int = 8, **options: Unpack[RecurrentOptions]) -> Network:
    """Build B-U: BL unfolded, with other weights at each time step. Arguments as for `bl`."""
    return Network("b_u_net", classes, n_timesteps, **options)


def b(classes: int, **options: Unpack[NetworkOptions]) -> Network:
    """Build B: feedforward, seven convolutions. Options as for `bl`; returns (batch, classes)."""
    return Network("b_net", classes, **options)


def b_k(classes: int, **options: Unpack[NetworkOptions]) -> Network:
    """Build B-K: B with larger kernels. Options as for `bl`; returns (batch, classes)."""
    return Network("b_k_net", classes, **options)


def b_f(classes: int, **options: Unpack[NetworkOptions]) -> Network:
    """Build B-F: B with twice the filters. Options as for `bl`; returns (batch, classes)."""
    return Network("b_f_net", classes, **options)


def b_d(classes: int, **options: Unpack[NetworkOptions]) -> Network:
    """Build B-D: B with each convolution twice. Options as for `bl`; returns (batch, classes)."""
    return Network("b_d_net", classes, **options)
