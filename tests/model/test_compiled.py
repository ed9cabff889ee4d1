"""Plans with compiled transforms: the results of the other plans, and use in graphs that are not exported."""

import keras
import numpy as np
import pytest
from arrays import keras_convolution, random_array
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow's graphs use them"
)

numba = pytest.importorskip("numba", reason="numba compiles the transforms")

from convrnn_model import activations, bl_net, codelets, compiled  # noqa: E402
from convrnn_model.compiled import CompiledFourier, CompiledWinograd  # noqa: E402
from convrnn_model.fourier import FourierAxis  # noqa: E402
from convrnn_model.layers import ConvSum, SameConv2D, choose_method, tiled_convolution  # noqa: E402
from convrnn_model.tiles import Epilogue  # noqa: E402
from convrnn_model.winograd import WinogradPlan  # noqa: E402


def plan_of(points, size, side, channels, filters):
    rows, columns = (FourierAxis(length, side, points - side + 1, (side - 1) // 2) for length in size)
    return CompiledFourier(rows, columns, channels, filters)


def traced(network, *shape):
    """Trace the graph that `predict` runs for images of a shape, which compiles no transforms."""
    import tensorflow as tf

    network.make_predict_function()
    return network.predict_function.get_concrete_function([(tf.TensorSpec(shape),)])


def operations(function):
    return {operation.type for operation in function.graph.get_operations()}


@pytest.mark.parametrize("points", codelets.RADICES)
@settings(max_examples=12, deadline=None)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    side=st.integers(1, 11),
    shares=st.sampled_from([(4,), (4, 4), (4, 4, 4)]),
    seed=st.integers(0, 99),
)
def test_fourier_plans_agree_with_direct_convolution(points, batch, size, side, shares, seed):
    images = [random_array(seed + place, batch, *size, share) for place, share in enumerate(shares)]
    kernels = [random_array(seed + 9 + place, side, side, share, 4) for place, share in enumerate(shares)]
    plan = plan_of(points, size, side, sum(shares), 4)
    wanted = keras_convolution(np.concatenate(images, -1), np.concatenate(kernels, 2))
    (found,) = tiled_convolution(images, [keras.ops.convert_to_tensor(kernel) for kernel in kernels], plan)
    # float32: errors grow with the size of the terms.
    scale = side * np.sqrt(sum(shares))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * scale)


def test_gradients_agree_with_those_of_direct_convolution():
    import tensorflow as tf

    images = [tf.constant(random_array(place, 2, 30, 41, 4)) for place in range(2)]
    kernels = [tf.constant(random_array(place + 2, 5, 5, 4, 4)) for place in range(2)]
    upstream = random_array(7, 2, 30, 41, 4)
    found = []
    for convolve in (
        lambda: tiled_convolution(images, kernels, plan_of(24, (30, 41), 5, 8, 4))[0],
        lambda: keras_convolution(images[0], kernels[0]) + keras_convolution(images[1], kernels[1]),
    ):
        with tf.GradientTape() as tape:
            tape.watch([*images, *kernels])
            total = tf.reduce_sum(convolve() * upstream)
        found.append(tape.gradient(total, [*images, *kernels]))
    for ours, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("pools", [False, True])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("side", [3, 4, 5])
def test_epilogue_and_its_gradients_agree_with_separate_operations(side, adds, pools):
    """With a kernel of 4 px, tiles have odd sides, and some pooling windows extend over two tiles."""
    import tensorflow as tf

    shape, smaller = (2, 13, 22, 4), (2, 6, 11, 4)
    images = [tf.constant(random_array(place, *shape)) for place in range(2)]
    kernels = [tf.constant(random_array(place + 2, side, side, 4, 4)) for place in range(2)]
    more = [
        tf.constant(random_array(5, 4)),
        tf.constant(random_array(6, 4)),
        *([tf.constant(random_array(7, *shape))] * adds),
    ]
    plan = winograd_of(shape[1:3], 8, 4) if side == 3 else plan_of(20, shape[1:3], side, 8, 4)
    upstream = [random_array(8, *shape), random_array(9, *smaller)][: 1 + pools]
    found = []
    with tf.GradientTape() as tape:
        tape.watch([*images, *kernels, *more])
        ours = tiled_convolution(images, kernels, plan, epilogue=Epilogue(*more, pools=pools))
    found.append([*ours, *tape.gradient(ours, [*images, *kernels, *more], upstream)])
    with tf.GradientTape() as tape:
        tape.watch([*images, *kernels, *more])
        total = sum(keras_convolution(image, kernel) for image, kernel in zip(images, kernels, strict=True))
        whole = tf.nn.relu((total + more[2] if adds else total) * more[0] + more[1])
        wanted = [whole, tf.nn.max_pool2d(whole, 2, 2, "VALID")][: 1 + pools]
    found.append([*wanted, *tape.gradient(wanted, [*images, *kernels, *more], upstream)])
    assert 0.2 < np.mean(np.asarray(whole) == 0) < 0.8
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())


def test_nan_is_propagated():
    plan, image = plan_of(20, (20, 20), 5, 4, 4), random_array(0, 1, 20, 20, 4)
    image[0, 3, 3, 0] = np.nan
    epilogue = Epilogue(np.ones(4, "f"), np.zeros(4, "f"), pools=True)
    answer, smaller = tiled_convolution(
        [image], [keras.ops.convert_to_tensor(random_array(1, 5, 5, 4, 4))], plan, epilogue=epilogue
    )
    assert np.isnan(np.asarray(answer)[0, 3, 3]).all()
    assert np.isnan(np.asarray(smaller)[0, 1, 1]).all()


def winograd_of(size, channels, filters):
    plan = WinogradPlan.for_convolution(size, (3, 3, channels, filters))
    return CompiledWinograd(plan.rows, plan.columns, channels, filters)


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 33), st.integers(1, 33)),
    shares=st.sampled_from([(4,), (4, 64), (128, 2)]),
    filters=st.sampled_from([2, 64, 96]),
    seed=st.integers(0, 99),
)
def test_winograd_plans_agree_with_direct_convolution(batch, size, shares, filters, seed):
    images = [random_array(seed + place, batch, *size, share) for place, share in enumerate(shares)]
    kernels = [random_array(seed + 9 + place, 3, 3, share, filters) for place, share in enumerate(shares)]
    wanted = keras_convolution(np.concatenate(images, -1), np.concatenate(kernels, 2))
    values = [keras.ops.convert_to_tensor(kernel) for kernel in kernels]
    (found,) = tiled_convolution(images, values, winograd_of(size, sum(shares), filters))
    # Error of either Winograd plan in float32, relative to the result: 1.1e-6 on average, 1e-5 at most.
    error = np.asarray(found - wanted) / np.sqrt(9 * sum(shares))
    assert np.sqrt(np.mean(error**2)) < 5e-6
    assert np.abs(error).max() < 2e-5


@pytest.mark.parametrize("tested", [(0, 1), pytest.param((0, 1, 3), marks=pytest.mark.slow)])
def test_activations_do_not_depend_on_the_other_layers_requested(tested):
    keras.utils.set_random_seed(0)
    network = bl_net((128, 128, 3), 16, 2)
    images = random_array(0, 1, 128, 128, 3)
    names = [
        *(f"{kind}_Layer_{n}_Time_1" for n in tested for kind in ("ReLU", "BatchNorm")),
        "RCL_1_ConvSum_Time_1",
        "MaxPool_Layer_1_Time_1",
    ]
    together = activations(network, names).predict_on_batch(images)
    called = activations(network, names)(images)
    for name in names:
        alone = activations(network, name).predict_on_batch(images)
        np.testing.assert_array_equal(alone, together[name])
        np.testing.assert_allclose(alone, called[name], rtol=0, atol=1e-4 * np.abs(called[name]).max())
        if name.startswith("ReLU"):
            normalised = together.get(name.replace("ReLU", "BatchNorm"))
            np.testing.assert_allclose(alone, np.maximum(normalised, 0), rtol=0, atol=1e-5 * normalised.max())
    whole = together["ReLU_Layer_0_Time_1"].reshape(1, 64, 2, 64, 2, -1)
    np.testing.assert_array_equal(together["MaxPool_Layer_1_Time_1"], whole.max((2, 4)))


def test_pooling_is_fused_with_the_assembly_of_tiles():
    network = bl_net((128, 128, 3), 16, 2, width=0.5)
    nodes = traced(network, 1, 128, 128, 3).graph.get_operations()
    fused = [node for node in nodes if node.type == "PyFuncStateless" and len(node.outputs) == 2]
    assert fused
    # Layer 1 reads the pooled output of layer 0 at the second time step.
    assert any(output.shape[1:] == (64, 64, 48) for node in fused for output in node.outputs)


def test_empty_batch():
    kernel = keras.ops.convert_to_tensor(random_array(1, 5, 5, 4, 4))
    (answer,) = tiled_convolution([random_array(0, 0, 30, 30, 4)], [kernel], plan_of(24, (30, 30), 5, 4, 4))
    assert tuple(answer.shape) == (0, 30, 30, 4)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    plan, images = plan_of(32, (70, 70), 7, 4, 4), random_array(0, 3, 70, 70, 4)
    products = random_array(1, plan.products, 3 * plan.positions, 4)
    answers = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(compiled, "_threads", lambda threads=threads: threads)
        answers.append((plan._forward(images).tobytes(), plan._inverse(products).tobytes()))
    assert answers[0] == answers[1] == answers[2]


@pytest.fixture
def network():
    """A sum of two convolutions wide enough for compiled transforms, as in BL's first layer."""
    keras.utils.set_random_seed(0)
    image = keras.Input((128, 128, 96))
    first, second = (SameConv2D(96, 7, convolution="fft", name=name)(image) for name in "ab")
    return keras.Model(image, ConvSum(name="sum")([first, second]))


def test_predict_uses_compiled_transforms_and_exported_graphs_do_not(network, tmp_path):
    import tensorflow as tf

    images = random_array(0, 1, 128, 128, 96)
    answer = network.predict_on_batch(images)
    assert "PyFuncStateless" in operations(traced(network, *images.shape))
    np.testing.assert_allclose(answer, network(images), rtol=0, atol=1e-4 * np.abs(answer).max())
    network.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(images), answer, rtol=0, atol=1e-4 * np.abs(answer).max())
    assert not [
        name for name in operations(tf.function(network).get_concrete_function(images)) if "PyFunc" in name
    ]


def test_results_agree_without_numba(network, monkeypatch):
    images = random_array(0, 1, 128, 128, 96)
    answer = network.predict_on_batch(images)
    monkeypatch.setattr(compiled, "available", lambda: False)
    CompiledFourier.for_convolution.cache_clear()
    network.predict_function = None
    try:
        np.testing.assert_allclose(
            network.predict_on_batch(images), answer, rtol=0, atol=1e-4 * np.abs(answer).max()
        )
    finally:
        CompiledFourier.for_convolution.cache_clear()


@pytest.mark.parametrize("kernel", [(7, 7, 33, 96), (7, 7, 96, 95), (7, 7, 3, 96), (7, 7, 96, 16)])
def test_odd_or_few_channels_are_not_compiled(kernel):
    assert not isinstance(choose_method("fft", (128, 128), kernel, compiled=True), CompiledFourier)
    assert isinstance(choose_method("fft", (128, 128), (7, 7, 96, 96), compiled=True), CompiledFourier)


def test_bl_fuses_the_epilogue_with_the_assembly_of_tiles():
    nodes = traced(bl_net((64, 64, 3), 16, 2), 1, 64, 64, 3).graph.get_operations()
    named = [operation.name for operation in nodes if "PyFunc" in operation.type]
    for layer in range(4):
        assert [name for name in named if f"/ReLU_Layer_{layer}_Time_1" in name], layer


@pytest.mark.parametrize(("channels", "group"), [(192, 64), (96, 32), (134, 134), (65, 65), (1024, 64)])
def test_groups_of_channels_fill_registers(channels, group):
    assert compiled._group(channels) == group


def test_bl_uses_compiled_transforms_for_its_large_kernels():
    network = bl_net((128, 128, 3), 16, 2)
    kernels = {
        layer.name: tuple(layer.kernel.shape) for layer in network.layers if isinstance(layer, SameConv2D)
    }
    for name, size in (("RCL_0_LConv", 128), ("RCL_1_LConv", 64)):
        assert isinstance(choose_method("auto", (size, size), kernels[name], compiled=True), CompiledFourier)
