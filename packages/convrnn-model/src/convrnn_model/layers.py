"""The one layer that Keras does not have: a `same` convolution by the method that is fastest."""

from functools import cache
from typing import Any, Literal

import keras
from keras import ops

from convrnn_model.errors import ConvRNNError
from convrnn_model.fourier import BATCH, Plan, convolve, kernel_gradient, kernel_spectrum

Method = Literal["auto", "direct", "fft"]
METHODS: tuple[Method, ...] = ("auto", "direct", "fft")
# "auto" leaves direct convolution only for a clear gain in `Plan`'s estimate: below this, the two change places
# from one processor, and one build of TensorFlow's matrix products, to the next; see docs/performance.md.
CLEAR_GAIN = 1.5
# The attribute of a traced graph that holds its kernels' spectra.
KEPT = "_convrnn_spectra"
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
        convolution: "direct", "fft", or "auto", which decides by shape, precision and device.
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
        image, kernel = tuple(inputs.shape[1:3]), tuple(self.kernel.shape)
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        method = choose_method(self.convolution, image, kernel, dtype)
        if method == "direct":
            return super().call(inputs)
        return (fft_convolution if method == "fft" else unfolded_convolution)(inputs, self.kernel)

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this layer again."""
        config = super().get_config()
        kept = {name: value for name, value in config.items() if name not in FIXED}
        return kept | {"kernel_size": self.kernel_size[0], "convolution": self.convolution}


def choose_method(
    wanted: Method, image: tuple[int | None, ...], kernel: tuple[int, ...], dtype: str = "float32"
) -> Literal["direct", "fft", "unfold"]:
    """Which method a convolution takes.

    Fourier transforms pay for large kernels with many channels on large maps, in float32 on CPUs. On the
    smallest maps a direct convolution spends most of its time on rearranging its large kernel, which a plain
    matrix product over unfolded images does not. Processors with bfloat16 multiply matrices many times faster
    in it, and direct convolution is then the fastest way.

    Args:
        wanted: What the network was built with.
        image: Height and width of the input, px; None where unknown.
        kernel: (height, width, input channels, filters).
        dtype: What is computed in.
    """
    if wanted == "direct":
        return "direct"
    if wanted == "fft":
        # A kernel of one pixel has nothing to transform: it is a matrix product already.
        return "fft" if kernel[0] > 1 else "unfold"
    if None in image or dtype != "float32" or not _gains_on_this_device():
        return "direct"
    height, width = (int(length or 0) for length in image)
    if height * width * BATCH < kernel[2]:
        return "unfold"
    plan = Plan.best((height, width), kernel)
    return "fft" if plan.direct_cost > CLEAR_GAIN * plan.cost else "direct"


def unfolded_convolution(images: Any, kernel: Any) -> Any:
    """Convolve as `direct` does, by one matrix product with every pixel's surroundings side by side.

    Args:
        images: (batch, height, width, channels).
        kernel: (r, r, channels, filters), a variable or a tensor.

    Returns:
        (batch, height, width, filters).
    """
    height, width, channels = images.shape[1:]
    side, filters = kernel.shape[0], kernel.shape[3]
    before = (side - 1) // 2
    margin = (before, side - 1 - before)
    padded = ops.pad(images, ((0, 0), margin, margin, (0, 0))) if side > 1 else images
    shifts = [padded[:, i : i + height, j : j + width] for i in range(side) for j in range(side)]
    pixels = ops.reshape(ops.concatenate(shifts, axis=-1), (-1, side * side * channels))
    answer = ops.matmul(pixels, ops.reshape(ops.convert_to_tensor(kernel), (-1, filters)))
    return ops.reshape(answer, (-1, height, width, filters))


def fft_convolution(images: Any, kernel: Any) -> Any:
    """Convolve as `direct` does, by a product of Fourier transforms, computed in float32.

    Args:
        images: (batch, height, width, channels), floating, of known height and width.
        kernel: (r, r, channels, filters), a variable or a tensor; correlated, not flipped, as networks do.

    Returns:
        (batch, height, width, filters), in the dtype of `images`.
    """
    plan = Plan.best(tuple(images.shape[1:3]), tuple(kernel.shape))
    value = ops.cast(ops.convert_to_tensor(kernel), "float32")
    pixels = ops.cast(images, "float32")
    if keras.backend.backend() == "tensorflow":
        answer = _tensorflow_convolution(pixels, value, _shared_spectrum(kernel, value, plan), plan)
    else:
        answer = convolve(pixels, kernel_spectrum(value, plan), plan)
    return ops.cast(answer, images.dtype)


def _tensorflow_convolution(images: Any, kernel: Any, spectrum: Any, plan: Plan) -> Any:
    """`convolve` with a gradient of its own.

    TensorFlow's would keep every step's output, many times the images, and turn the tiles back one by one.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def run(images: Any, kernel: Any) -> Any:
        def gradient(upstream: Any) -> tuple[Any, Any]:
            # To the images: the convolution with the kernel turned by half, its channels and filters swapped.
            turned = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
            before = kernel.shape[0] - 1 - plan.rows.before
            back = Plan.best(tuple(images.shape[1:3]), tuple(turned.shape), before)
            to_images = _tensorflow_convolution(upstream, turned, kernel_spectrum(turned, back), back)
            return to_images, kernel_gradient(images, upstream, plan)

        return convolve(images, spectrum, plan), gradient

    return run(images, kernel)


def _shared_spectrum(kernel: Any, value: Any, plan: Plan) -> Any:
    """The kernel's spectrum, computed once for all time steps of a traced graph and never kept beyond it.

    It is used again only while the graph has done nothing but read the variable: after an assignment, as
    between two steps of training in one graph, it is computed anew.

    Args:
        kernel: A variable, or a tensor, whose spectrum is always computed.
        value: Its value in float32.
        plan: How the image is cut.
    """
    import tensorflow as tf

    handle = getattr(getattr(kernel, "value", None), "handle", None)
    graph: Any = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    if handle is None or not hasattr(graph, "capture"):
        return kernel_spectrum(value, plan)
    captured = graph.capture(handle)
    kept: dict[Any, Any] = getattr(graph, KEPT, {})
    setattr(graph, KEPT, kept)
    only_read = all(user.type == "ReadVariableOp" for user in captured.consumers())
    if not only_read or (captured.name, plan) not in kept:
        kept[captured.name, plan] = kernel_spectrum(value, plan)
    return kept[captured.name, plan]


@cache
def _gains_on_this_device() -> bool:
    """Whether this backend computes on a CPU, and there gains from Fourier transforms."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")
