"""The one layer that Keras does not have: a `same` convolution that may go through the FFT."""

from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import ops

from convrnn_model.errors import ConvRNNError

Method = Literal["auto", "direct", "fft"]
METHODS: tuple[Method, ...] = ("auto", "direct", "fft")
# What all methods take for granted; said, so that a configured `channels_first` cannot turn the kernels.
FIXED: dict[str, Any] = {
    "strides": 1,
    "padding": "same",
    "data_format": "channels_last",
    "dilation_rate": 1,
    "groups": 1,
    "activation": None,
    "use_bias": False,
}


@keras.saving.register_keras_serializable(package="convrnn")
class SameConv2D(keras.layers.Conv2D):
    """A bias-free convolution with stride 1 and zero padding to the input's size, by a method of choice.

    Every method computes the same function of the same kernel, up to float32 rounding; only speed differs.

    Args:
        filters: Output channels.
        kernel_size: Side of the square kernel, px.
        convolution: "direct", "fft", or "auto", which decides by shape and backend.
        **kwargs: As for `keras.layers.Conv2D`, but for what `FIXED` says.
    """

    def __init__(
        self, filters: int, kernel_size: int, *, convolution: Method = "auto", **kwargs: Any
    ) -> None:
        if convolution not in METHODS:
            raise ConvRNNError(f"convolution must be one of {', '.join(METHODS)}; {convolution!r} came.")
        super().__init__(filters, kernel_size, **FIXED, **kwargs)
        self.convolution = convolution

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the kernel for inputs of `input_shape`, (batch, H, W, channels)."""
        if self.convolution == "fft" and None in input_shape[1:3]:
            raise ConvRNNError(
                "convolution='fft' needs a known image size: give input_tensor as (height, width, 3)."
            )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Convolve `inputs`, (batch, H, W, channels), to (batch, H, W, filters)."""
        image = tuple(inputs.shape[1:3])
        if choose_method(self.convolution, image, tuple(self.kernel.shape)) == "direct":
            return super().call(inputs)
        return fft_convolution(inputs, ops.convert_to_tensor(self.kernel))

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this layer again."""
        config = super().get_config()
        kept = {name: value for name, value in config.items() if name not in FIXED}
        return kept | {"kernel_size": self.kernel_size[0], "convolution": self.convolution}


def choose_method(
    wanted: Method, image: tuple[int | None, ...], kernel: tuple[int, ...]
) -> Literal["direct", "fft"]:
    """Which method a convolution takes.

    Args:
        wanted: What the network was built with.
        image: Height and width of the input, px; None where unknown.
        kernel: (height, width, input channels, filters).
    """
    # The seam: a rule for "auto", by shape and backend, goes here.
    return "fft" if wanted == "fft" else "direct"


def fft_convolution(images: Any, kernel: Any) -> Any:
    """Convolve as `direct` does, by a product of Fourier transforms.

    Plain, and hungry: it keeps the complex spectrum of every kernel at the image's size, gigabytes for BL at
    full width.

    Args:
        images: (batch, H, W, channels), floating.
        kernel: (height, width, channels, filters); correlated, not flipped, as networks do.

    Returns:
        (batch, H, W, filters), in the dtype of `images`.
    """
    height, width = images.shape[1:3]
    rows, columns = kernel.shape[:2]
    # Zeros up to the sum of both sizes keep the circular product from wrapping into the picture.
    size = (height + rows - 1, width + columns - 1)
    real, imaginary = _spectrum(ops.transpose(images, (0, 3, 1, 2)), size)
    kernel_real, kernel_imaginary = _spectrum(
        ops.transpose(ops.flip(kernel, axis=(0, 1)), (2, 3, 0, 1)), size
    )
    mix = _mixer("bchw,cfhw->bfhw")
    product = (
        mix(real, kernel_real) - mix(imaginary, kernel_imaginary),
        mix(real, kernel_imaginary) + mix(imaginary, kernel_real),
    )
    full = ops.transpose(ops.ifft2(product)[0], (0, 2, 3, 1))
    top, left = rows // 2, columns // 2
    return ops.cast(full[:, top : top + height, left : left + width], images.dtype)


def _mixer(equation: str) -> Callable[[Any, Any], Any]:
    return lambda left, right: ops.einsum(equation, left, right)


def _spectrum(signal: Any, size: tuple[int, int]) -> tuple[Any, Any]:
    padding = [(0, 0), (0, 0), *((0, size[axis] - signal.shape[axis + 2]) for axis in (0, 1))]
    signal = ops.pad(ops.cast(signal, "float32"), padding)
    return ops.fft2((signal, ops.zeros_like(signal)))
