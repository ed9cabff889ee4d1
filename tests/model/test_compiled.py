"""Compiled transforms of tiles: what Fourier's plan computes, faster, wherever a graph is not exported."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow's graphs")

numba = pytest.importorskip("numba", reason="numba compiles them")

from convrnn_model import bl_net, codelets, compiled  # noqa: E402
from convrnn_model.compiled import CompiledPlan  # noqa: E402
from convrnn_model.fourier import FourierAxis  # noqa: E402
from convrnn_model.layers import ConvSum, SameConv2D, choose_method, tiled_convolution  # noqa: E402


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def plan_of(points, size, side, channels, filters):
    rows, columns = (FourierAxis(length, side, points - side + 1, (side - 1) // 2) for length in size)
    return CompiledPlan(rows, columns, channels, filters)


def direct(images, kernel):
    return keras.ops.conv(images, kernel, strides=1, padding="same", data_format="channels_last")


def operations(function):
    return {operation.type for operation in function.graph.get_operations()}


@pytest.mark.parametrize("points", codelets.RADICES)
def test_a_tile_is_transformed_as_numpy_does(points):
    tile = drawn(points, points, points, 4)
    plan = plan_of(points, (points, points), 1, 4, 4)
    found = plan._there(tile[None]).reshape(points // 2 + 1, points, 3, 4)
    wanted = np.fft.fft2(tile.astype(np.float64), axes=(0, 1))[: points // 2 + 1]
    np.testing.assert_allclose(found[:, :, 0], wanted.real, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[:, :, 1], wanted.imag, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[:, :, 2], wanted.real + wanted.imag, rtol=0, atol=1e-4)


@pytest.mark.parametrize("points", codelets.RADICES)
@settings(max_examples=12, deadline=None)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    side=st.integers(1, 11),
    shares=st.sampled_from([(4,), (4, 4), (4, 4, 4)]),
    seed=st.integers(0, 99),
)
def test_they_convolve_as_direct_does(points, batch, size, side, shares, seed):
    images = [drawn(seed + place, batch, *size, share) for place, share in enumerate(shares)]
    kernels = [drawn(seed + 9 + place, side, side, share, 4) for place, share in enumerate(shares)]
    plan = plan_of(points, size, side, sum(shares), 4)
    wanted = direct(np.concatenate(images, -1), np.concatenate(kernels, 2))
    found = tiled_convolution(images, [keras.ops.convert_to_tensor(kernel) for kernel in kernels], plan)
    # float32: errors grow with the size of what is summed
    scale = side * np.sqrt(sum(shares))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * scale)


def test_gradients_are_the_direct_ones():
    import tensorflow as tf

    images = [tf.constant(drawn(place, 2, 30, 41, 4)) for place in range(2)]
    kernels = [tf.constant(drawn(place + 2, 5, 5, 4, 4)) for place in range(2)]
    upstream = drawn(7, 2, 30, 41, 4)
    found = []
    for convolve in (
        lambda: tiled_convolution(images, kernels, plan_of(24, (30, 41), 5, 8, 4)),
        lambda: direct(images[0], kernels[0]) + direct(images[1], kernels[1]),
    ):
        with tf.GradientTape() as tape:
            tape.watch([*images, *kernels])
            total = tf.reduce_sum(convolve() * upstream)
        found.append(tape.gradient(total, [*images, *kernels]))
    for ours, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_an_empty_batch_is_answered():
    answer = tiled_convolution(
        [drawn(0, 0, 30, 30, 4)], [keras.ops.convert_to_tensor(drawn(1, 5, 5, 4, 4))], plan_of(24, (30, 30), 5, 4, 4)
    )  # fmt: skip
    assert tuple(answer.shape) == (0, 30, 30, 4)


def test_any_number_of_threads_answers_the_same_bytes(monkeypatch):
    plan, images = plan_of(32, (70, 70), 7, 4, 4), drawn(0, 3, 70, 70, 4)
    products = drawn(1, plan.products, 3 * plan.positions, 4)
    answers = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(compiled, "_threads", lambda threads=threads: threads)
        answers.append((plan._there(images).tobytes(), plan._back(products).tobytes()))
    assert answers[0] == answers[1] == answers[2]


@pytest.fixture
def network():
    """One layer of a network whose convolutions are wide enough for compiled tiles."""
    keras.utils.set_random_seed(0)
    image = keras.Input((64, 64, 32))
    first, second = (SameConv2D(32, 7, convolution="fft", name=name)(image) for name in "ab")
    return keras.Model(image, ConvSum(name="sum")([first, second]))


def test_predict_takes_them_and_nothing_that_is_saved_does(network, tmp_path):
    import tensorflow as tf

    images = drawn(0, 2, 64, 64, 32)
    answer = network.predict_on_batch(images)
    taken = operations(network.predict_function.get_concrete_function([(tf.TensorSpec((2, 64, 64, 32)),)]))
    assert "PyFuncStateless" in taken
    np.testing.assert_allclose(answer, network(images), rtol=0, atol=1e-4 * np.abs(answer).max())
    network.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(images), answer, rtol=0, atol=1e-4 * np.abs(answer).max())
    assert not [
        name for name in operations(tf.function(network).get_concrete_function(images)) if "PyFunc" in name
    ]


def test_without_numba_the_answers_are_the_same(network, monkeypatch):
    images = drawn(0, 2, 64, 64, 32)
    answer = network.predict_on_batch(images)
    monkeypatch.setattr(compiled, "available", lambda: False)
    CompiledPlan.of.cache_clear()
    network.predict_function = None
    try:
        np.testing.assert_allclose(
            network.predict_on_batch(images), answer, rtol=0, atol=1e-4 * np.abs(answer).max()
        )
    finally:
        CompiledPlan.of.cache_clear()


@pytest.mark.parametrize("kernel", [(7, 7, 33, 96), (7, 7, 96, 95), (7, 7, 3, 96), (7, 7, 96, 16)])
def test_odd_or_few_channels_are_left_to_tensorflow(kernel):
    assert not isinstance(choose_method("fft", (128, 128), kernel, compiled=True), CompiledPlan)
    assert isinstance(choose_method("fft", (128, 128), (7, 7, 96, 96), compiled=True), CompiledPlan)


def test_bl_takes_them_for_its_large_kernels():
    network = bl_net((128, 128, 3), 16, 2)
    kernels = {
        layer.name: tuple(layer.kernel.shape) for layer in network.layers if isinstance(layer, SameConv2D)
    }
    for name, size in (("RCL_0_LConv", 128), ("RCL_1_LConv", 64)):
        assert isinstance(choose_method("auto", (size, size), kernels[name], compiled=True), CompiledPlan)
