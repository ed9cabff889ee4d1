"""Builders of the networks in the table of variants."""

from typing import Any

from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError
from convrnn_model.inference.keras_graph import keras_model
from convrnn_model.inference.operations import Architecture
from convrnn_model.layers import Method, require_method
from convrnn_model.variants import VARIANTS, Variant, require_positive_integer, require_width


def bl_net(
    input_tensor: Any,
    classes: int,
    n_timesteps: int | None = None,
    cumulative_readout: bool = False,
    *,
    width: float = 1.0,
    convolution: Method = "auto",
    layer_readouts: bool = False,
) -> keras.Model:
    """Build BL: a lateral, recurrent convolution in every layer, unrolled over time (Spoerer et al. 2020).

    At time t, layer n is ReLU(BN_{n,t}(bottom_up_n(pool(a[n-1,t])) + lateral_n(a[n,t-1]))), without the
    lateral term at t = 0. Kernels and the readout are shared over time, batch normalisation is not.

    With a time axis, the input is a movie: frame t is the image at time step t. Weights, names and outputs are those of
    a still image, which is a movie of one repeated frame. `stream` takes any number of frames, in constant memory.

    Args:
        input_tensor: A Keras tensor, or a shape, of images in [-1, 1]: (128, 128, 3), or (20, 128, 128, 3) for movies
            of 20 frames.
        classes: Number of classes; published weights have 565 (ecoset) or 1000 (ImageNet).
        n_timesteps: Time steps, at least 1. By default 8, as in the published weights, or one per frame.
        cumulative_readout: Compute softmax at t from the sum of the readouts up to t.
        width: Factor on the number of filters of every layer.
        convolution: "direct", "fft" for Fourier transforms, or "auto" for the faster one; outputs agree up to float32
            rounding.
        layer_readouts: Read out every layer, with weights of its own, instead of the last one only.

    Returns:
        A model from (batch, H, W, 3), or (batch, time, H, W, 3), to a list of `n_timesteps` arrays (batch, classes),
        also for one time step. With `layer_readouts`, a list of `n_timesteps` times 7 arrays, those of all layers at
        t = 0 first.

    Raises:
        ConvRNNError: An argument is out of range, the image is too small for six poolings, or the number of frames is
            unknown or not `n_timesteps`.
    """
    return _build(
        "bl_net",
        input_tensor,
        classes,
        n_timesteps,
        cumulative_readout,
        width=width,
        convolution=convolution,
        layer_readouts=layer_readouts,
    )


def bt_net(
    input_tensor: Any,
    classes: int,
    n_timesteps: int | None = None,
    cumulative_readout: bool = False,
    *,
    width: float = 1.0,
    convolution: Method = "auto",
    layer_readouts: bool = False,
) -> keras.Model:
    """Build BT: BL with top-down instead of lateral connections.

    At time t, layer n is ReLU(BN_{n,t}(bottom_up_n(pool(a[n-1,t])) + top_down_n(a[n+1,t-1]))). `top_down_n` is a
    bias-free transposed convolution with stride 2 and the kernel size of layer n; see `TopDownConv2D`. The last layer
    has none. Spoerer et al. 2017 (doi 10.3389/fpsyg.2017.01551) introduced B, BL, BT and BLT; publications differ in
    the details of the top-down connection, see docs/protocol.md.

    Arguments, results and errors are those of `bl_net`.
    """
    return _build(
        "bt_net",
        input_tensor,
        classes,
        n_timesteps,
        cumulative_readout,
        width=width,
        convolution=convolution,
        layer_readouts=layer_readouts,
    )


def blt_net(
    input_tensor: Any,
    classes: int,
    n_timesteps: int | None = None,
    cumulative_readout: bool = False,
    *,
    width: float = 1.0,
    convolution: Method = "auto",
    layer_readouts: bool = False,
) -> keras.Model:
    """Build BLT: BL with the top-down connections of BT in addition. Arguments and results as for `bl_net`."""
    return _build(
        "blt_net",
        input_tensor,
        classes,
        n_timesteps,
        cumulative_readout,
        width=width,
        convolution=convolution,
        layer_readouts=layer_readouts,
    )


def b_u_net(
    input_tensor: Any,
    classes: int,
    n_timesteps: int | None = None,
    cumulative_readout: bool = False,
    *,
    width: float = 1.0,
    convolution: Method = "auto",
    layer_readouts: bool = False,
) -> keras.Model:
    """Build B-U: BL unfolded, the feedforward network with BL's graph and other weights at each time step.

    With the weights of BL at all time steps, its outputs are those of BL. The convolution of the image, which BL
    computes once, has other weights at each time step too, and so has the readout.

    Arguments, results and errors are those of `bl_net`.
    """
    return _build(
        "b_u_net",
        input_tensor,
        classes,
        n_timesteps,
        cumulative_readout,
        width=width,
        convolution=convolution,
        layer_readouts=layer_readouts,
    )


def b_net(
    input_tensor: Any,
    classes: int,
    *,
    width: float = 1.0,
    convolution: Method = "auto",
    layer_readouts: bool = False,
) -> keras.Model:
    """Build B: feedforward, seven convolutions.

    Arguments as for `bl_net`; returns (batch, classes), or with `layer_readouts` a list of them, one per layer.
    """
    return _build(
        "b_net", input_tensor, classes, width=width, convolution=convolution, layer_readouts=layer_readouts
    )


def b_k_net(
    input_tensor: Any,
    classes: int,
    *,
    width: float = 1.0,
    convolution: Method = "auto",
    layer_readouts: bool = False,
) -> keras.Model:
    """Build B-K: B with larger kernels. Arguments and results as for `b_net`."""
    return _build(
        "b_k_net", input_tensor, classes, width=width, convolution=convolution, layer_readouts=layer_readouts
    )


def b_f_net(
    input_tensor: Any,
    classes: int,
    *,
    width: float = 1.0,
    convolution: Method = "auto",
    layer_readouts: bool = False,
) -> keras.Model:
    """Build B-F: B with twice the filters. Arguments and results as for `b_net`."""
    return _build(
        "b_f_net", input_tensor, classes, width=width, convolution=convolution, layer_readouts=layer_readouts
    )


def b_d_net(
    input_tensor: Any,
    classes: int,
    *,
    width: float = 1.0,
    convolution: Method = "auto",
    layer_readouts: bool = False,
) -> keras.Model:
    """Build B-D: B with each convolution twice. Arguments and results as for `b_net`."""
    return _build(
        "b_d_net", input_tensor, classes, width=width, convolution=convolution, layer_readouts=layer_readouts
    )


BUILDERS = {
    function.__name__: function
    for function in (bl_net, b_net, b_k_net, b_f_net, b_d_net, b_u_net, bt_net, blt_net)
}


def _build(
    name: str,
    input_tensor: Any,
    classes: int,
    n_timesteps: int | None = None,
    cumulative_readout: bool = False,
    *,
    width: float,
    convolution: Method,
    layer_readouts: bool,
) -> keras.Model:
    require_positive_integer("classes", classes)
    require_width(width)
    require_method(convolution)
    variant = VARIANTS[name]
    image = _as_input(input_tensor, variant)
    architecture = Architecture(
        name,
        variant.convolutions(width),
        classes,
        _timesteps(image, n_timesteps) if variant.recurrent else None,
        cumulative_readout,
        image.shape[-1],
        (image.shape[-3], image.shape[-2]),
        moving=len(image.shape) == 5,
        layer_readouts=layer_readouts,
    )
    return keras_model(architecture, image, convolution)


def _timesteps(image: Any, n_timesteps: int | None) -> int:
    """Return the number of time steps for an image or a movie."""
    if n_timesteps is not None:
        require_positive_integer("n_timesteps", n_timesteps)
    if len(image.shape) == 4:
        return 8 if n_timesteps is None else n_timesteps
    frames = image.shape[1]
    if frames is None:
        raise ConvRNNError(
            f"a network unrolled over time takes a fixed number of frames, got the shape {tuple(image.shape)}. Pass "
            "a number, such as (20, 128, 128, 3), or use `stream` for any number."
        )
    if n_timesteps not in (None, frames):
        raise ConvRNNError(
            f"n_timesteps must be the number of frames, {frames}, got {n_timesteps}. Leave it out, or change the shape."
        )
    require_positive_integer("the number of frames", frames)
    return int(frames)


def _as_input(input_tensor: Any, variant: Variant) -> Any:
    if not hasattr(input_tensor, "shape"):
        input_tensor = keras.Input(tuple(input_tensor), dtype="float32")
    shape = tuple(input_tensor.shape)
    if len(shape) not in (4, 5) or shape[-1] is None:
        raise ConvRNNError(
            f"{variant.name} takes images of shape (batch, height, width, channels), got {shape}. Pass an image size "
            "with channels, such as (128, 128, 3)."
        )
    if len(shape) == 5 and not variant.recurrent:
        raise ConvRNNError(
            f"{variant.name} is feedforward and takes images of shape (batch, height, width, channels), got the movie "
            f"{shape}. Pass frames as a batch, or use `stream`, which takes them one by one."
        )
    side = variant.smallest_side
    height, width = shape[-3:-1]
    if any(length is not None and length < side for length in (height, width)):
        raise ConvRNNError(
            f"{variant.name} halves an image {side.bit_length() - 1} times, so its sides must be at least "
            f"{side} px, got {height} x {width}. Choose a larger image size."
        )
    return input_tensor
