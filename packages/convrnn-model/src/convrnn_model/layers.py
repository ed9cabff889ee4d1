"""What Keras does not have: a `same` convolution by the method that is fastest, and sums of such."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, Literal

from convrnn_model.backend import keras, ops
from convrnn_model.compiled import Compiled, CompiledFourier, CompiledWinograd
from convrnn_model.errors import ConvRNNError
from convrnn_model.fourier import FourierPlan
from convrnn_model.spectra import KeptSpectra, in_keras_step, shared_spectrum
from convrnn_model.tiles import BATCH, After, Plan, joined
from convrnn_model.winograd import WinogradPlan

Method = Literal["auto", "direct", "fft"]
METHODS: tuple[Method, ...] = ("auto", "direct", "fft")
# "auto" leaves direct convolution only for a clear gain in `Plan`'s estimate: below this, the two change places
# from one processor, and one build of TensorFlow's matrix products, to the next; see docs/performance.md.
CLEAR_GAIN = 1.5
# The attributes of a traced graph's tensor that say what it is: one convolution; a sum of some; that, normalised;
# and that, rectified, what its pooling gives.
MADE_OF = "_convrnn_made_of"
SUM_OF = "_convrnn_sum_of"
NORMALISED = "_convrnn_normalised"
POOLED = "_convrnn_pooled"
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
FIXED_POOLING: dict[str, Any] = {
    "pool_size": 2,
    "strides": 2,
    "padding": "valid",
    "data_format": "channels_last",
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
            raise ConvRNNError(f"convolution must be one of {', '.join(METHODS)}, got {convolution!r}.")
        super().__init__(filters, kernel_size, **FIXED, **kwargs)
        self.convolution = convolution

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the kernel for inputs of `input_shape`, (batch, H, W, channels)."""
        if self.convolution == "fft" and None in input_shape[1:3]:
            raise ConvRNNError(
                f"convolution='fft' needs a known image size, got {input_shape}. Pass (height, width, 3)."
            )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Convolve `inputs`, (batch, H, W, channels), to (batch, H, W, filters)."""
        method = _method_for(self.convolution, inputs, tuple(self.kernel.shape))
        if method == "direct":
            return super().call(inputs)
        if method == "unfold":
            return unfolded_convolution(inputs, self.kernel)
        (answer,) = tiled_convolution([inputs], [self.kernel], method)
        _note(answer, self, inputs)
        return answer

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this layer again."""
        config = super().get_config()
        kept = {name: value for name, value in config.items() if name not in FIXED}
        return kept | {"kernel_size": self.kernel_size[0], "convolution": self.convolution}


@keras.saving.register_keras_serializable(package="convrnn")
class ConvSum(keras.layers.Add):
    """The sum of convolutions to the same filters, computed as one where that is faster.

    Convolving two inputs and adding is convolving them side by side, channel by channel, which transforms back
    once. So in a traced graph of TensorFlow's this layer looks at what its inputs were made of; what they were
    themselves is then not computed, unless somebody asks for it.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._spectra = KeptSpectra()

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        """Add tensors (batch, H, W, filters)."""
        parts = [made_of for tensor in inputs if (made_of := getattr(tensor, MADE_OF, None))]
        if not parts or len({(layer.convolution, layer.kernel_size) for layer, _ in parts}) > 1:
            return super().call(inputs)
        images, kernels = [image for _, image in parts], [layer.kernel for layer, _ in parts]
        channels = sum(int(kernel.shape[2]) for kernel in kernels)
        shape = (*kernels[0].shape[:2], channels, kernels[0].shape[3])
        # Training changes the kernels at every step, and gains nothing from compiled transforms (measured).
        compiled = not training and _may_compile(images)
        method = _method_for(parts[0][0].convolution, images[0], shape, compiled=compiled)
        if not isinstance(method, Plan):
            return super().call(inputs)
        read = shared_spectrum if training else self._reader([layer for layer, _ in parts], images[0], method)
        (together,) = tiled_convolution(images, kernels, method, read)
        others = [tensor for tensor in inputs if not hasattr(tensor, MADE_OF)]
        answer = super().call([together, *others])
        if isinstance(method, Compiled) and len(others) < 2 and answer.dtype == "float32":
            convolve = partial(tiled_convolution, images, kernels, method, read)
            setattr(answer, SUM_OF, (convolve, *others))
        return answer

    def _reader(self, layers: Sequence[SameConv2D], image: Any, plan: Plan) -> Callable[..., Any]:
        """What gives the spectrum of these layers' kernels: at the first time step, part of later ones'."""
        calls = [
            [tensor._keras_history.operation for tensor in node.input_tensors] for node in self._inbound_nodes
        ]
        sums = [call for call in calls if all(isinstance(layer, SameConv2D) for layer in call)]
        most = max(sums, key=len, default=[])
        if len(most) <= len(layers) or any(a is not b for a, b in zip(layers, most, strict=False)):
            return self._spectra.read
        kernels = [layer.kernel for layer in most]
        shape = (*kernels[0].shape[:2], sum(int(kernel.shape[2]) for kernel in kernels), kernels[0].shape[3])
        whole = _method_for(layers[0].convolution, image, shape, compiled=isinstance(plan, Compiled))
        if type(whole) is not type(plan) or (whole.rows, whole.columns) != (plan.rows, plan.columns):
            return self._spectra.read
        return partial(self._spectra.first_of, kernels, whole)


@keras.saving.register_keras_serializable(package="convrnn")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' own; in a traced graph it leaves word of what it normalises for `ReLU`."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise `inputs`, (batch, H, W, filters)."""
        answer = super().call(inputs, training=training, mask=mask)
        sum_of = getattr(inputs, SUM_OF, None)
        if sum_of and not training and self.scale and self.center:
            convolve, *others = sum_of
            scale = self.gamma * ops.rsqrt(self.moving_variance + self.epsilon)
            shift = self.beta - self.moving_mean * scale
            setattr(answer, NORMALISED, (convolve, After(scale, shift, *others)))
        return answer


@keras.saving.register_keras_serializable(package="convrnn")
class ReLU(keras.layers.Activation):
    """ReLU; of a normalised sum of convolutions it is computed while the tiles are laid together.

    Args:
        activation: Of Keras' names.
        pooled: Whether a `MaxPooling2D` follows, which is then computed along with it.
        **kwargs: As for `keras.layers.Activation`.
    """

    def __init__(self, activation: str = "relu", *, pooled: bool = False, **kwargs: Any) -> None:
        super().__init__(activation, **kwargs)
        self.pooled = pooled

    def call(self, inputs: Any) -> Any:
        """The positive part of `inputs`."""
        fused = getattr(inputs, NORMALISED, None)
        if not fused or self.activation is not keras.activations.relu:
            return super().call(inputs)
        convolve, after = fused
        answer, *smaller = convolve(after=replace(after, pools=self.pooled))
        for tensor in smaller:
            setattr(answer, POOLED, tensor)
        return answer

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this layer again."""
        return super().get_config() | {"pooled": self.pooled}


@keras.saving.register_keras_serializable(package="convrnn")
class MaxPooling2D(keras.layers.MaxPooling2D):
    """Keras' own, of 2 x 2 px; where tiles were pooled as they were laid together, that.

    Args:
        **kwargs: As for `keras.layers.MaxPooling2D`, but for what `FIXED_POOLING` says.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**FIXED_POOLING, **kwargs)

    def call(self, inputs: Any) -> Any:
        """(batch, H, W, filters) to (batch, H // 2, W // 2, filters)."""
        smaller = getattr(inputs, POOLED, None)
        return super().call(inputs) if smaller is None else smaller

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this layer again."""
        return {name: value for name, value in super().get_config().items() if name not in FIXED_POOLING}


def choose_method(
    wanted: Method,
    image: tuple[int | None, ...],
    kernel: tuple[int, ...],
    dtype: str = "float32",
    *,
    traced: bool = True,
    compiled: bool = False,
) -> Plan | Literal["direct", "unfold"]:
    """Which method a convolution takes.

    Fourier transforms pay for large kernels with many channels on large maps, Winograd's for 3 x 3, in float32 on
    CPUs. On the smallest maps a direct convolution spends most of its time on rearranging its large kernel, which
    a plain matrix product over unfolded images does not. Processors with bfloat16 multiply matrices many times
    faster in it, and direct convolution is then the fastest way.

    Args:
        wanted: What the network was built with.
        image: Height and width of the input, px; None where unknown.
        kernel: (height, width, input channels, filters).
        dtype: What is computed in.
        traced: Whether a graph is traced, whose time steps share a kernel's spectrum. Computing it anew for every
            step costs more than Winograd's tiles gain.
        compiled: Whether transforms may be compiled, which a graph that is exported must do without.

    Returns:
        "direct"; "unfold"; or the plan of a convolution by tiles.
    """
    if wanted == "direct":
        return "direct"
    height, width = (int(length or 0) for length in image)
    faster = CompiledFourier.of((height, width), kernel) if compiled and kernel[0] > 1 else None
    if wanted == "fft":
        # A kernel of one pixel has nothing to transform: it is a matrix product already.
        return faster or FourierPlan.best((height, width), kernel) if kernel[0] > 1 else "unfold"
    if None in image or dtype != "float32" or not _gains_on_this_device():
        return "direct"
    plans: list[Plan] = [faster or FourierPlan.best((height, width), kernel)]
    if kernel[0] == 3 and traced:
        plans.append((CompiledWinograd if compiled else WinogradPlan).of((height, width), kernel))
    plan = min(plans, key=lambda plan: plan.cost)
    if plan.direct_cost > CLEAR_GAIN * plan.cost:
        return plan
    return "unfold" if height * width * BATCH < kernel[2] else "direct"


def _method_for(
    wanted: Method, images: Any, kernel: tuple[int, ...], *, compiled: bool = False
) -> Plan | Literal["direct", "unfold"]:
    dtype = keras.backend.standardize_dtype(images.dtype)
    size = tuple(images.shape[1:3])
    return choose_method(wanted, size, kernel, dtype, traced=_is_traced(), compiled=compiled)


def _may_compile(images: Sequence[Any]) -> bool:
    """Whether compiled transforms may take these images: on a CPU, in a graph that is not exported."""
    return _gains_on_this_device() and in_keras_step() and all(image.shape[-1] % 2 == 0 for image in images)


def _is_traced() -> bool:
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.executing_eagerly()


def tiled_convolution(
    images: Sequence[Any],
    kernels: Sequence[Any],
    plan: Plan,
    read: Callable[..., Any] = shared_spectrum,
    after: After | None = None,
) -> list[Any]:
    """The sum of the convolutions of each of `images` with its kernel, computed in float32, and what follows.

    Args:
        images: Each (batch, height, width, channels), floating, of known height and width.
        kernels: Each (r, r, channels, filters), a variable or a tensor; correlated, not flipped, as networks do.
        plan: For all channels together.
        read: What gives the kernels' spectrum, as `shared_spectrum` does, in TensorFlow.
        after: What follows, if anything.

    Returns:
        One (batch, height, width, filters), in the dtype of `images`; and that pooled where `after` says so.
    """
    pixels = [ops.cast(image, "float32") for image in images]
    value = ops.cast(joined([ops.convert_to_tensor(kernel) for kernel in kernels], axis=2), "float32")
    if keras.backend.backend() == "tensorflow":
        answers = _tensorflow_convolution(pixels, value, read(kernels, value, plan), plan, after)
    else:
        answers = plan.convolve_each(pixels, plan.kernel_spectrum(value), after)
    return [ops.cast(answer, images[0].dtype) for answer in answers]


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


def _tensorflow_convolution(
    images: Sequence[Any], kernel: Any, spectrum: Any, plan: Plan, after: After | None = None
) -> list[Any]:
    """`plan.convolve_each` with a gradient of its own.

    TensorFlow's would keep every step's output, many times the images, and turn the tiles back one by one.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def run(kernel: Any, *tensors: Any) -> Any:
        images = tensors[: len(tensors) - len(more)]
        after = replace(After(*tensors[len(images) :]), pools=pools) if more else None
        answer, *smaller = plan.convolve_each(images, spectrum, after)

        def gradient(upstream: Any, *upstream_of_smaller: Any) -> list[Any]:
            to_after: list[Any] = []
            for one, its in zip(smaller, upstream_of_smaller, strict=True):
                sides: dict[str, Any] = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}
                upstream += tf.raw_ops.MaxPoolGrad(orig_input=answer, orig_output=one, grad=its, **sides)
            if after:
                (total,) = plan.convolve_each(images, spectrum)
                total = total if after.added is None else total + after.added
                passed = tf.where(answer > 0, upstream, tf.zeros((), upstream.dtype))
                upstream = passed * after.scale
                over = (0, 1, 2)
                to_after = [tf.reduce_sum(passed * total, over), tf.reduce_sum(passed, over), upstream]
            # To the images: the convolution with the kernel turned by half, its channels and filters swapped.
            turned, back = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2)), plan.turned()
            (to_images,) = _tensorflow_convolution([upstream], turned, back.kernel_spectrum(turned), back)
            each = tf.split(to_images, [image.shape[-1] for image in images], axis=-1)
            to_kernel = plan.gradient_to_kernel(joined(images, axis=-1), upstream)
            return [to_kernel, *each, *to_after[: len(more)]]

        return (answer, *smaller), gradient

    more, pools = (after.tensors, after.pools) if after else ([], False)
    return list(run(kernel, *images, *more))


def _note(answer: Any, layer: SameConv2D, inputs: Any) -> None:
    """Leave on a tensor of a traced graph what `ConvSum` wants to know of it."""
    if layer.convolution != "direct" and _is_traced():
        setattr(answer, MADE_OF, (layer, inputs))


@cache
def _gains_on_this_device() -> bool:
    """Whether this backend computes on a CPU, and there gains from convolutions by tiles."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")
