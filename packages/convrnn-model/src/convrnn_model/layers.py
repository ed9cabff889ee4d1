"""Keras layers: convolution by Fourier transforms where that is faster, and a sum with reproducible gradients."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, get_args

from convrnn_model.backend import keras
from convrnn_model.errors import ConvRNNError
from convrnn_model.fourier import FourierPlan, fourier_convolution
from convrnn_model.variants import top_down_margins

Method = Literal["auto", "direct", "fft"]
# "auto" uses Fourier transforms only where the estimated speedup exceeds this factor. Below it, the faster method
# depends on the processor and on the build of TensorFlow's matrix products; see docs/performance.md.
CLEAR_GAIN = 1.5
# Assumed by both methods. Explicit, so that a configured `channels_first` cannot change the kernels' meaning.
FIXED: dict[str, Any] = {
    "strides": 1,
    "padding": "same",
    "data_format": "channels_last",
    "dilation_rate": 1,
    "groups": 1,
    "activation": None,
    "use_bias": False,
}
# The padding "same" is not aligned alike on all backends, so the layer crops.
TRANSPOSED: dict[str, Any] = {
    "strides": 2,
    "padding": "valid",
    "output_padding": None,
    "data_format": "channels_last",
    "dilation_rate": 1,
    "activation": None,
    "use_bias": False,
}
POOLING: dict[str, Any] = {
    "pool_size": 2,
    "strides": 2,
    "padding": "valid",
    "data_format": "channels_last",
}


@keras.saving.register_keras_serializable(package="convrnn")
class SameConv2D(keras.layers.Conv2D):
    """Bias-free convolution with stride 1 and zero padding to the input's size, by a selectable method.

    Both methods compute the same function up to float32 rounding; only speed differs.

    Args:
        filters: Output channels.
        kernel_size: Side of the square kernel, px.
        convolution: "direct", "fft", or "auto", which selects by shape, precision and device.
        **kwargs: As for `keras.layers.Conv2D`, except the arguments in `FIXED`.
    """

    def __init__(
        self, filters: int, kernel_size: int, *, convolution: Method = "auto", **kwargs: Any
    ) -> None:
        require_method(convolution)
        super().__init__(filters, kernel_size, **FIXED, **kwargs)
        self.convolution = convolution

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the kernel for inputs of shape `input_shape`, (batch, H, W, channels)."""
        if self.convolution == "fft" and None in input_shape[1:3]:
            raise ConvRNNError(
                f"convolution='fft' needs a known image size, got {input_shape}. Pass (height, width, 3)."
            )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Convolve `inputs`, (batch, H, W, channels), to (batch, H, W, filters)."""
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        plan = fourier_plan(self.convolution, tuple(inputs.shape[1:3]), tuple(self.kernel.shape), dtype)
        return fourier_convolution(inputs, self.kernel, plan) if plan else super().call(inputs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        config = super().get_config()
        kept = {name: value for name, value in config.items() if name not in FIXED}
        return kept | {"kernel_size": self.kernel_size[0], "convolution": self.convolution}


def require_method(convolution: str) -> None:
    """Raise an error if `convolution` is not a method."""
    methods = get_args(Method)
    if convolution not in methods:
        raise ConvRNNError(f"convolution must be one of {', '.join(methods)}, got {convolution!r}.")


def fourier_plan(
    method: Method, image: tuple[int | None, ...], kernel: tuple[int, ...], dtype: str = "float32"
) -> FourierPlan | None:
    """Return the plan of a convolution by Fourier transforms, or None for direct convolution.

    In float32 on CPUs, Fourier transforms pay off for large kernels with many channels on large maps. In bfloat16,
    processors that support it multiply matrices many times as fast, and direct convolution is fastest.

    Args:
        method: The method that the network was built with.
        image: Height and width of the input, px; None where unknown.
        kernel: (height, width, input channels, filters).
        dtype: The dtype of the computation.
    """
    height, width = image
    # A 1 x 1 kernel is already a matrix product.
    if method == "direct" or kernel[0] == 1 or height is None or width is None:
        return None
    if method == "auto" and not (dtype == "float32" and _fourier_can_be_faster()):
        return None
    plan = FourierPlan.best((height, width), kernel)
    return plan if method == "fft" or plan.direct_cost > CLEAR_GAIN * plan.cost else None


@cache
def _fourier_can_be_faster() -> bool:
    """Return whether the backend is TensorFlow on a CPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")


@keras.saving.register_keras_serializable(package="convrnn")
class Frame(keras.layers.Layer):
    """Image at one time step of a movie.

    Args:
        time: Time step, from 0.
        **kwargs: As for `keras.layers.Layer`.
    """

    def __init__(self, time: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.time = time

    def call(self, inputs: Any) -> Any:
        """Return frame `time` of `inputs`, (batch, time, H, W, channels)."""
        return inputs[:, self.time]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return super().get_config() | {"time": self.time}


@keras.saving.register_keras_serializable(package="convrnn")
class TopDownConv2D(keras.layers.Conv2DTranspose):
    """Bias-free transposed convolution with stride 2, from a layer to the one below, whose size the result takes.

    Pooling 2 x 2 px to one drops the last row or column of an odd side. The transposed convolution has twice the sides
    of its input, as with the padding "same" of Keras, and the rows and columns that pooling dropped are zero.

    Args:
        filters: Output channels.
        kernel_size: Side of the square kernel, px of the output, at least 2.
        **kwargs: As for `keras.layers.Conv2DTranspose`, except the arguments in `TRANSPOSED`.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, **TRANSPOSED, **kwargs)
        self.input_spec = None

    def build(self, input_shape: Sequence[tuple[int | None, ...]]) -> None:
        """Create the kernel for the shapes of `call`'s inputs."""
        super().build(input_shape[0])
        # That of the superclass is for a single input.
        self.input_spec = None

    def call(self, inputs: Sequence[Any]) -> Any:
        """Convolve the first tensor, (batch, H, W, channels), to the height and width of the second."""
        above, below = inputs
        before, after = top_down_margins(self.kernel_size[0])
        kept = slice(before, -after or None)
        doubled = super().call(above)[:, kept, kept]
        height, width = keras.ops.shape(below)[1:3]
        if tuple(doubled.shape[1:3]) == (height, width):
            return doubled
        return keras.ops.pad(doubled, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, :height, :width]

    def compute_output_shape(self, input_shape: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """Return the shape of the result for the shapes of `call`'s inputs."""
        return (*input_shape[1][:3], self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        config = super().get_config()
        kept = {name: value for name, value in config.items() if name not in TRANSPOSED}
        return kept | {"kernel_size": self.kernel_size[0]}


@keras.saving.register_keras_serializable(package="convrnn")
class ConvSum(keras.layers.Add):
    """Sum of convolutions, the first of which several time steps share, with gradients reproducible to the bit.

    The gradient of a shared tensor is a sum (AddN), which TensorFlow begins with the first term that it may overwrite.
    If other operations read the terms too, timing decides which one that is, and so decides the order of summation and
    its rounding error. Each term of a `ConvSum`, except the last, therefore has a copy of the gradient of its own.
    """

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        """Add tensors (batch, H, W, filters)."""
        if training and keras.backend.backend() == "tensorflow":
            # All but one: TensorFlow would merge equal copies.
            inputs = [*map(_with_own_gradient, inputs[:-1]), inputs[-1]]
        return super().call(inputs)


def _with_own_gradient(tensor: Any) -> Any:
    """Return the tensor, with a gradient that no other operation reads."""
    import tensorflow as tf

    @tf.custom_gradient
    def identity(tensor: Any) -> Any:
        return tf.identity(tensor), lambda upstream: tf.raw_ops.Snapshot(input=upstream)

    return identity(tensor)


@keras.saving.register_keras_serializable(package="convrnn", name="BatchNormalization")
class _FormerBatchNormalization(keras.layers.BatchNormalization):
    """Loads the batch normalisation of networks saved by earlier versions."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.Layer:
        """Return the layer of Keras."""
        return keras.layers.BatchNormalization.from_config(config)


@keras.saving.register_keras_serializable(package="convrnn", name="ReLU")
class _FormerReLU(keras.layers.Activation):
    """Loads the ReLU of networks saved by earlier versions."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.Layer:
        """Return the layer of Keras."""
        config = {name: value for name, value in config.items() if name != "pooled"}
        return keras.layers.Activation.from_config(config)


@keras.saving.register_keras_serializable(package="convrnn", name="MaxPooling2D")
class _FormerMaxPooling2D(keras.layers.MaxPooling2D):
    """Loads the pooling of networks saved by earlier versions."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.Layer:
        """Return the layer of Keras."""
        return keras.layers.MaxPooling2D.from_config(POOLING | config)
