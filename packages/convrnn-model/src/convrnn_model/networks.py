"""Network builders over the table of variants."""

from collections.abc import Sequence
from typing import Any

from convrnn_model import names
from convrnn_model.backend import keras, layers, precision
from convrnn_model.errors import ConvRNNError
from convrnn_model.layers import POOLING, ConvSum, Frame, Method, SameConv2D, require_method
from convrnn_model.variants import VARIANTS, Variant, require_positive_integer, require_width

REGULARISATION = 1e-6
# Explicit, so that settings of Keras cannot change the meaning of the weights.
NORMALISATION: dict[str, Any] = {"axis": -1, "momentum": 0.99, "epsilon": 1e-3}


def bl_net(
    input_tensor: Any,
    classes: int,
    n_timesteps: int | None = None,
    cumulative_readout: bool = False,
    *,
    width: float = 1.0,
    convolution: Method = "auto",
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

    Returns:
        A model from (batch, H, W, 3), or (batch, time, H, W, 3), to a list of `n_timesteps` arrays (batch, classes),
        also for one time step.

    Raises:
        ConvRNNError: An argument is out of range, the image is too small for six poolings, or the number of frames is
            unknown or not `n_timesteps`.
    """
    image = _as_input(input_tensor, VARIANTS["bl_net"])
    steps = _timesteps(image, n_timesteps)
    return _build(VARIANTS["bl_net"], image, classes, steps, cumulative_readout, width, convolution)


def b_net(
    input_tensor: Any, classes: int, *, width: float = 1.0, convolution: Method = "auto"
) -> keras.Model:
    """Build B: feedforward, seven convolutions. Arguments as for `bl_net`; returns (batch, classes)."""
    return _build(VARIANTS["b_net"], input_tensor, classes, None, False, width, convolution)


def b_k_net(
    input_tensor: Any, classes: int, *, width: float = 1.0, convolution: Method = "auto"
) -> keras.Model:
    """Build B-K: B with larger kernels. Arguments as for `bl_net`; returns (batch, classes)."""
    return _build(VARIANTS["b_k_net"], input_tensor, classes, None, False, width, convolution)


def b_f_net(
    input_tensor: Any, classes: int, *, width: float = 1.0, convolution: Method = "auto"
) -> keras.Model:
    """Build B-F: B with twice the filters. Arguments as for `bl_net`; returns (batch, classes)."""
    return _build(VARIANTS["b_f_net"], input_tensor, classes, None, False, width, convolution)


def b_d_net(
    input_tensor: Any, classes: int, *, width: float = 1.0, convolution: Method = "auto"
) -> keras.Model:
    """Build B-D: B with each convolution twice. Arguments as for `bl_net`; returns (batch, classes)."""
    return _build(VARIANTS["b_d_net"], input_tensor, classes, None, False, width, convolution)


BUILDERS = {function.__name__: function for function in (bl_net, b_net, b_k_net, b_f_net, b_d_net)}


def _build(
    variant: Variant,
    input_tensor: Any,
    classes: int,
    n_timesteps: int | None,
    cumulative_readout: bool,
    width: float,
    convolution: Method,
) -> keras.Model:
    _check(classes, width, convolution)
    image = _as_input(input_tensor, variant)
    dtype = precision()
    times = [None] if n_timesteps is None else list(range(n_timesteps))
    pooled = _unroll(variant, image, times, width, convolution, dtype)
    readout = layers.Dense(
        classes,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=keras.regularizers.L2(REGULARISATION),
        dtype=dtype,
        name=names.READOUT,
    )
    logits = [readout(features) for features in pooled]
    if cumulative_readout:
        logits = _cumulative_sums(logits, dtype)
    softmax = [
        layers.Activation("softmax", dtype=dtype, name=names.softmax(time))(step)
        for time, step in zip(times, logits, strict=True)
    ]
    outputs = softmax if variant.recurrent else softmax[0]
    return keras.Model(image, outputs, name=variant.name)


def _unroll(
    variant: Variant, image: Any, times: Sequence[int | None], width: float, convolution: Method, dtype: str
) -> list[Any]:
    """Return the globally pooled last layer, (batch, filters), at each time step."""
    table = variant.convolutions(width)
    name = names.bottom_up if variant.recurrent else names.conv
    bottom_up = [_convolution(c.filters, c.kernel, name(n), convolution, dtype) for n, c in enumerate(table)]
    lateral = [
        _convolution(c.filters, c.kernel, names.lateral(n), convolution, dtype) for n, c in enumerate(table)
    ]
    # The convolution of a still image is computed once, and all sums of layer 0 share it.
    sums = [(layers.Add if n else ConvSum)(dtype=dtype, name=names.conv_sum(n)) for n in range(len(table))]
    from_image = [bottom_up[0](frame) for frame in _frames(image, times, dtype)]
    previous: list[Any] = [None] * len(table)
    pooled = []
    for step, time in enumerate(times):
        x = from_image[min(step, len(from_image) - 1)]
        for n, stage in enumerate(table):
            if stage.pool:
                x = layers.MaxPooling2D(**POOLING, dtype=dtype, name=names.max_pool(n, time))(x)
            x = bottom_up[n](x) if n else x
            if variant.recurrent:
                x = sums[n]([x] if previous[n] is None else [x, lateral[n](previous[n])])
            x = layers.BatchNormalization(**NORMALISATION, dtype=dtype, name=names.batch_norm(n, time))(x)
            x = previous[n] = layers.Activation("relu", dtype=dtype, name=names.relu(n, time))(x)
        average = layers.GlobalAveragePooling2D(
            data_format="channels_last", dtype=dtype, name=names.global_pool(time)
        )
        pooled.append(average(x))
    return pooled


def _convolution(filters: int, kernel: int, name: str, convolution: Method, dtype: str) -> SameConv2D:
    return SameConv2D(
        filters,
        kernel,
        convolution=convolution,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=keras.regularizers.L2(REGULARISATION),
        dtype=dtype,
        name=name,
    )


def _cumulative_sums(logits: Sequence[Any], dtype: str) -> list[Any]:
    """Return cumulative sums over time of (batch, classes)."""
    sums: list[Any] = []
    for time, step in enumerate(logits):
        terms = [sums[-1], step] if sums else [step]
        sums.append(layers.Add(dtype=dtype, name=names.cumulative(time))(terms))
    return sums


def _frames(image: Any, times: Sequence[int | None], dtype: str) -> list[Any]:
    """Return the frames of a movie, one per time step, or the only image."""
    if len(image.shape) == 4:
        return [image]
    return [Frame(time, dtype=dtype, name=names.frame(time))(image) for time in times if time is not None]


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


def _check(classes: int, width: float, convolution: str) -> None:
    require_positive_integer("classes", classes)
    require_width(width)
    require_method(convolution)
