"""Functions that build the networks in the table of variants."""

from convrnn_model.torch.networks import Network


def bl(
    classes: int,
    n_timesteps: int = 8,
    *,
    width: float = 1.0,
    cumulative_readout: bool = False,
    channels: int = 3,
    softmax: bool = False,
    layer_readouts: bool = False,
) -> Network:
    """Build BL: a lateral, recurrent convolution in every layer, unrolled over time (Spoerer et al. 2020).

    `convrnn_model.bl_net` documents the equations; weights and outputs are the same.

    Args:
        classes: Number of classes; published weights have 565 (ecoset) or 1000 (ImageNet).
        n_timesteps: Time steps, at least 1; the published weights have 8.
        width: Factor on the number of filters of every layer.
        cumulative_readout: Return at t the sum of the readouts up to t.
        channels: Channels of the image.
        softmax: Return probabilities instead of logits.
        layer_readouts: Read out every layer, with weights of its own, instead of the last one only.

    Returns:
        A module from images (batch, channels, height, width) in [-1, 1] to logits (batch, time, classes), which
        `torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(n_timesteps))` takes.

    Raises:
        ConvRNNError: An argument is out of range.
    """
    return Network(
        "bl_net",
        classes,
        n_timesteps,
        cumulative_readout=cumulative_readout,
        width=width,
        channels=channels,
        softmax=softmax,
        layer_readouts=layer_readouts,
    )


def bt(
    classes: int,
    n_timesteps: int = 8,
    *,
    width: float = 1.0,
    cumulative_readout: bool = False,
    channels: int = 3,
    softmax: bool = False,
    layer_readouts: bool = False,
) -> Network:
    """Build BT: BL with top-down instead of lateral connections, see `convrnn_model.bt_net`. Arguments as for `bl`."""
    return Network(
        "bt_net",
        classes,
        n_timesteps,
        cumulative_readout=cumulative_readout,
        width=width,
        channels=channels,
        softmax=softmax,
        layer_readouts=layer_readouts,
    )


def blt(
    classes: int,
    n_timesteps: int = 8,
    *,
    width: float = 1.0,
    cumulative_readout: bool = False,
    channels: int = 3,
    softmax: bool = False,
    layer_readouts: bool = False,
) -> Network:
    """Build BLT: BL with top-down connections in addition. Arguments as for `bl`."""
    return Network(
        "blt_net",
        classes,
        n_timesteps,
        cumulative_readout=cumulative_readout,
        width=width,
        channels=channels,
        softmax=softmax,
        layer_readouts=layer_readouts,
    )


def b_u(
    classes: int,
    n_timesteps: int = 8,
    *,
    width: float = 1.0,
    cumulative_readout: bool = False,
    channels: int = 3,
    softmax: bool = False,
    layer_readouts: bool = False,
) -> Network:
    """Build B-U: BL unfolded, with other weights at each time step. Arguments as for `bl`."""
    return Network(
        "b_u_net",
        classes,
        n_timesteps,
        cumulative_readout=cumulative_readout,
        width=width,
        channels=channels,
        softmax=softmax,
        layer_readouts=layer_readouts,
    )


def b(
    classes: int,
    *,
    width: float = 1.0,
    channels: int = 3,
    softmax: bool = False,
    layer_readouts: bool = False,
) -> Network:
    """Build B: feedforward, seven convolutions. Arguments as for `bl`; returns (batch, classes)."""
    return Network(
        "b_net", classes, width=width, channels=channels, softmax=softmax, layer_readouts=layer_readouts
    )


def b_k(
    classes: int,
    *,
    width: float = 1.0,
    channels: int = 3,
    softmax: bool = False,
    layer_readouts: bool = False,
) -> Network:
    """Build B-K: B with larger kernels. Arguments as for `bl`; returns (batch, classes)."""
    return Network(
        "b_k_net", classes, width=width, channels=channels, softmax=softmax, layer_readouts=layer_readouts
    )


def b_f(
    classes: int,
    *,
    width: float = 1.0,
    channels: int = 3,
    softmax: bool = False,
    layer_readouts: bool = False,
) -> Network:
    """Build B-F: B with twice the filters. Arguments as for `bl`; returns (batch, classes)."""
    return Network(
        "b_f_net", classes, width=width, channels=channels, softmax=softmax, layer_readouts=layer_readouts
    )


def b_d(
    classes: int,
    *,
    width: float = 1.0,
    channels: int = 3,
    softmax: bool = False,
    layer_readouts: bool = False,
) -> Network:
    """Build B-D: B with each convolution twice. Arguments as for `bl`; returns (batch, classes)."""
    return Network(
        "b_d_net", classes, width=width, channels=channels, softmax=softmax, layer_readouts=layer_readouts
    )
