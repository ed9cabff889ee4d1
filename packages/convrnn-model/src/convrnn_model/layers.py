"""Keras layers: convolution by the fastest method, and operations that are fused with it in predictions."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, Literal

from convrnn_model.backend import keras, ops
from convrnn_model.compiled import Compiled, CompiledFourier, CompiledWinograd
from convrnn_model.errors import ConvRNNError
from convrnn_model.fourier import FourierPlan
from convrnn_model.spectra import SpectrumCache, in_keras_step, shared_spectrum
from convrnn_model.tiles import BATCH, Epilogue, Plan, concatenated
from convrnn_model.winograd import WinogradPlan

Method = Literal["auto", "direct", "fft"]
METHODS: tuple[Method, ...] = ("auto", "direct", "fft")
# "auto" uses tiles only where the estimated speedup exceeds this factor. Below it, the faster method depends on the
# processor and on the build of TensorFlow's matrix products; see docs/performance.md.
CLEAR_GAIN = 1.5
# Attributes of a traced graph's tensor, from which later layers fuse operations: the convolution that made it, the sum
# of convolutions, its normalisation, and the pooling of its ReLU.
MADE_OF = "_convrnn_made_of"
SUM_OF = "_convrnn_sum_of"
NORMALISED = "_convrnn_normalised"
POOLED = "_convrnn_pooled"
# Assumed by all methods. Explicit, so that a configured `channels_first` cannot change the kernels' meaning.
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
    """Bias-free convolution with stride 1 and zero padding to the input's size, by a selectable method.

    All methods compute the same function up to float32 rounding; only speed differs.

    Args:
        filters: Output channels.
        kernel_size: Side of the square kernel, px.
        convolution: "direct", "fft", or "auto", which selects by shape, precision and device.
        **kwargs: As for `keras.layers.Conv2D`, except the arguments in `FIXED`.
    """

    def __init__(
        self, filters: int, kernel_size: int, *, convolution: Method = "auto", **kwargs: Any
    ) -> None:
        if convolution not in METHODS:
            raise ConvRNNError(f"convolution must be one of {', '.join(METHODS)}, got {convolution!r}.")
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
        method = _method_for(self.convolution, inputs, tuple(self.kernel.shape))
        if method == "direct":
            return super().call(inputs)
        if method == "unfold":
            return unfolded_convolution(inputs, self.kernel)
        (output,) = tiled_convolution([inputs], [self.kernel], method)
        _annotate(output, self, inputs)
        return output

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        config = super().get_config()
        kept = {name: value for name, value in config.items() if name not in FIXED}
        return kept | {"kernel_size": self.kernel_size[0], "convolution": self.convolution}


@keras.saving.register_keras_serializable(package="convrnn")
class ConvSum(keras.layers.Add):
    """Sum of convolutions with the same filters, computed as one convolution where that is faster.

    The sum of two convolutions is one convolution of the inputs concatenated along channels, with one inverse
    transform. In a traced TensorFlow graph this layer therefore replaces its inputs by the tensors that they were
    convolved from. The separate convolutions are then computed only if requested.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._spectra = SpectrumCache()

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        """Add tensors (batch, H, W, filters)."""
        parts = [made_of for tensor in inputs if (made_of := getattr(tensor, MADE_OF, None))]
        if not parts or len({(layer.convolution, layer.kernel_size) for layer, _ in parts}) > 1:
            return self._add(inputs, training)
        images, kernels = [image for _, image in parts], [layer.kernel for layer, _ in parts]
        channels = sum(int(kernel.shape[2]) for kernel in kernels)
        shape = (*kernels[0].shape[:2], channels, kernels[0].shape[3])
        # Training changes the kernels at every step and gains nothing from compiled transforms (measured).
        compiled = not training and _can_compile(images)
        method = _method_for(parts[0][0].convolution, images[0], shape, compiled=compiled)
        if not isinstance(method, Plan):
            return self._add(inputs, training)
        read = (
            shared_spectrum
            if training
            else self._spectrum_reader([layer for layer, _ in parts], images[0], method)
        )
        (together,) = tiled_convolution(images, kernels, method, read)
        others = [tensor for tensor in inputs if not hasattr(tensor, MADE_OF)]
        output = super().call([together, *others])
        if isinstance(method, Compiled) and len(others) < 2 and output.dtype == "float32":
            convolve = partial(tiled_convolution, images, kernels, method, read)
            setattr(output, SUM_OF, (convolve, *others))
        return output

    def _add(self, inputs: Sequence[Any], training: bool | None) -> Any:
        if training and keras.backend.backend() == "tensorflow":
            # All but one: TensorFlow would merge equal copies.
            inputs = [*map(_with_own_gradient, inputs[:-1]), inputs[-1]]
        return super().call(inputs)

    def _spectrum_reader(self, layers: Sequence[SameConv2D], image: Any, plan: Plan) -> Callable[..., Any]:
        """Return the function that reads the kernels' spectrum; the first time step reads a slice of later ones'."""
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
        return partial(self._spectra.read_first, kernels, whole)


@keras.saving.register_keras_serializable(package="convrnn")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation that records its input so that `ReLU` can fuse it."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise `inputs`, (batch, H, W, filters)."""
        output = super().call(inputs, training=training, mask=mask)
        sum_of = getattr(inputs, SUM_OF, None)
        if sum_of and not training and self.scale and self.center:
            convolve, *others = sum_of
            scale = self.gamma * ops.rsqrt(self.moving_variance + self.epsilon)
            shift = self.beta - self.moving_mean * scale
            setattr(output, NORMALISED, (convolve, Epilogue(scale, shift, *others)))
        return output


@keras.saving.register_keras_serializable(package="convrnn")
class ReLU(keras.layers.Activation):
    """ReLU, fused into the epilogue of a normalised sum of convolutions.

    Args:
        activation: Name of a Keras activation.
        pooled: Also fuse the `MaxPooling2D` that follows.
        **kwargs: As for `keras.layers.Activation`.
    """

    def __init__(self, activation: str = "relu", *, pooled: bool = False, **kwargs: Any) -> None:
        super().__init__(activation, **kwargs)
        self.pooled = pooled

    def call(self, inputs: Any) -> Any:
        """Apply the activation to `inputs`."""
        fused = getattr(inputs, NORMALISED, None)
        if not fused or self.activation is not keras.activations.relu:
            return super().call(inputs)
        convolve, epilogue = fused
        output, *smaller = convolve(epilogue=replace(epilogue, pools=self.pooled))
        for tensor in smaller:
            setattr(output, POOLED, tensor)
        return output

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return super().get_config() | {"pooled": self.pooled}


@keras.saving.register_keras_serializable(package="convrnn")
class MaxPooling2D(keras.layers.MaxPooling2D):
    """Max pooling of 2 x 2 px, which returns the fused result where `ReLU` has computed it.

    Args:
        **kwargs: As for `keras.layers.MaxPooling2D`, except the arguments in `FIXED_POOLING`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**FIXED_POOLING, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Pool (batch, H, W, filters) to (batch, H // 2, W // 2, filters)."""
        smaller = getattr(inputs, POOLED, None)
        return super().call(inputs) if smaller is None else smaller

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
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
    """Choose the method of a convolution.

    In float32 on CPUs, Fourier transforms pay off for large kernels with many channels on large maps, Winograd's for
    3 x 3 kernels. On the smallest maps, direct convolution spends most of its time on reordering its large kernel,
    which a matrix product over unfolded images avoids. In bfloat16, processors that support it multiply matrices many
    times as fast, and direct convolution is fastest.

    Args:
        wanted: The method that the network was built with.
        image: Height and width of the input, px; None where unknown.
        kernel: (height, width, input channels, filters).
        dtype: The dtype of the computation.
        traced: A graph is being traced, so time steps share a kernel's spectrum. Without a graph, recomputing it at
            every step would cost more than Winograd's tiles save.
        compiled: Allow compiled transforms, except in graphs that may be exported.

    Returns:
        "direct"; "unfold"; or the plan of a tiled convolution.
    """
    if wanted == "direct":
        return "direct"
    height, width = (int(length or 0) for length in image)
    faster = CompiledFourier.for_convolution((height, width), kernel) if compiled and kernel[0] > 1 else None
    if wanted == "fft":
        # A 1 x 1 kernel is already a matrix product.
        return faster or FourierPlan.best((height, width), kernel) if kernel[0] > 1 else "unfold"
    if None in image or dtype != "float32" or not _tiles_can_be_faster():
        return "direct"
    plans: list[Plan] = [faster or FourierPlan.best((height, width), kernel)]
    if kernel[0] == 3 and traced:
        plans.append(
            (CompiledWinograd if compiled else WinogradPlan).for_convolution((height, width), kernel)
        )
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


def _can_compile(images: Sequence[Any]) -> bool:
    """Return whether compiled transforms are allowed: on a CPU, in a graph that is not exported."""
    return _tiles_can_be_faster() and in_keras_step() and all(image.shape[-1] % 2 == 0 for image in images)


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
    epilogue: Epilogue | None = None,
) -> list[Any]:
    """Sum the convolutions of each of `images` with its kernel in float32, and apply the epilogue.

    Args:
        images: Each (batch, height, width, channels), floating point, of known height and width.
        kernels: Each (r, r, channels, filters), a variable or a tensor; correlated, not flipped.
        plan: Plan for the concatenated channels.
        read: Function that returns the kernels' spectrum in TensorFlow, such as `shared_spectrum`.
        epilogue: Pointwise operations that follow.

    Returns:
        The result, (batch, height, width, filters), in the dtype of `images`, and if `epilogue.pools` its pooling.
    """
    pixels = [ops.cast(image, "float32") for image in images]
    value = ops.cast(concatenated([ops.convert_to_tensor(kernel) for kernel in kernels], axis=2), "float32")
    if keras.backend.backend() == "tensorflow":
        outputs = _tensorflow_convolution(pixels, value, read(kernels, value, plan), plan, epilogue)
    else:
        outputs = plan.convolve_each(pixels, plan.kernel_spectrum(value), epilogue)
    return [ops.cast(output, images[0].dtype) for output in outputs]


def unfolded_convolution(images: Any, kernel: Any) -> Any:
    """Convolve by one matrix product with the unfolded neighbourhoods of all pixels.

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
    output = ops.matmul(pixels, ops.reshape(ops.convert_to_tensor(kernel), (-1, filters)))
    return ops.reshape(output, (-1, height, width, filters))


def _tensorflow_convolution(
    images: Sequence[Any], kernel: Any, spectrum: Any, plan: Plan, epilogue: Epilogue | None = None
) -> list[Any]:
    """Apply `plan.convolve_each` with a custom gradient.

    TensorFlow's gradient would store the output of every step, many times the images, and scatter the tiles one by one.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def run(kernel: Any, *tensors: Any) -> Any:
        images = tensors[: len(tensors) - len(parameters)]
        epilogue = replace(Epilogue(*tensors[len(images) :]), pools=pools) if parameters else None
        output, *smaller = plan.convolve_each(images, spectrum, epilogue)

        def gradient(upstream: Any, *upstream_of_smaller: Any) -> list[Any]:
            to_epilogue: list[Any] = []
            for result, result_gradient in zip(smaller, upstream_of_smaller, strict=True):
                window: dict[str, Any] = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}
                upstream += tf.raw_ops.MaxPoolGrad(
                    orig_input=output, orig_output=result, grad=result_gradient, **window
                )
            if epilogue:
                (total,) = plan.convolve_each(images, spectrum)
                total = total if epilogue.added is None else total + epilogue.added
                passed = tf.where(output > 0, upstream, tf.zeros((), upstream.dtype))
                upstream = passed * epilogue.scale
                over = (0, 1, 2)
                to_epilogue = [tf.reduce_sum(passed * total, over), tf.reduce_sum(passed, over), upstream]
            # To the images: convolution with the kernel rotated by 180 degrees, channels and filters exchanged.
            rotated = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
            image_plan = plan.for_image_gradient()
            rotated_spectrum = image_plan.kernel_spectrum(rotated)
            (to_images,) = _tensorflow_convolution([upstream], rotated, rotated_spectrum, image_plan)
            each = tf.split(to_images, [image.shape[-1] for image in images], axis=-1)
            to_kernel = plan.gradient_to_kernel(concatenated(images, axis=-1), upstream)
            return [to_kernel, *each, *to_epilogue[: len(parameters)]]

        return (output, *smaller), gradient

    parameters, pools = (epilogue.tensors, epilogue.pools) if epilogue else ([], False)
    return list(run(kernel, *images, *parameters))


def _annotate(output: Any, layer: SameConv2D, inputs: Any) -> None:
    """Record the layer and the input that made a tensor of a traced graph, for `ConvSum`."""
    if layer.convolution != "direct" and _is_traced():
        setattr(output, MADE_OF, (layer, inputs))


def _with_own_gradient(tensor: Any) -> Any:
    """Return the tensor, with a gradient that no other operation reads, so that training is reproducible to the bit.

    The gradient of a tensor that several time steps share is a sum (AddN), which TensorFlow begins with the first term
    that it may overwrite. If other operations read the terms too, timing decides which one that is, and so decides the
    order of summation and its rounding error.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def identity(tensor: Any) -> Any:
        return tf.identity(tensor), lambda upstream: tf.raw_ops.Snapshot(input=upstream)

    return identity(tensor)


@cache
def _tiles_can_be_faster() -> bool:
    """Return whether the backend is TensorFlow on a CPU, where tiles can be faster."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")
