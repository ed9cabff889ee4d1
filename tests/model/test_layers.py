"""Layers: all methods of convolution agree, and `auto` chooses the fastest."""

import collections

import keras
import numpy as np
import pytest
from arrays import (
    IMAGES,
    as_numpy,
    assert_outputs_agree,
    keras_convolution,
    predict,
    random_array,
    random_tensor,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convrnn_model import SameConv2D, activations, bl_net, layers, load_weights, preprocess_image
from convrnn_model.fourier import FourierPlan
from convrnn_model.layers import choose_method, tiled_convolution, unfolded_convolution
from convrnn_model.winograd import WinogradPlan

SLOW_OK = [HealthCheck.too_slow]


def fourier(images, kernel):
    plan = FourierPlan.best(tuple(images.shape[1:3]), tuple(kernel.shape))
    return tiled_convolution([images], [kernel], plan)[0]


def winograd(images, kernel):
    plan = WinogradPlan.for_convolution(tuple(images.shape[1:3]), tuple(kernel.shape))
    return tiled_convolution([images], [kernel], plan)[0]


def gradients(function, images, kernel, upstream):
    """Differentiate sum(function(images, kernel) * upstream) by images and kernel, with the backend."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            total = keras.ops.sum(function(images, kernel) * upstream)
        found = tape.gradient(total, [images, kernel])
    elif backend == "jax":
        import jax

        found = jax.grad(lambda *given: keras.ops.sum(function(*given) * upstream), (0, 1))(images, kernel)
    else:
        import torch

        leaves = [tensor.detach().clone().requires_grad_(True) for tensor in (images, kernel)]
        found = torch.autograd.grad(keras.ops.sum(function(*leaves) * upstream), leaves)
    return [as_numpy(gradient) for gradient in found]


@pytest.mark.parametrize("method", [fourier, winograd, unfolded_convolution])
@settings(max_examples=25, deadline=None, suppress_health_check=SLOW_OK)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    side=st.integers(1, 11),
    channels=st.integers(1, 5),
    filters=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_all_methods_agree_with_direct_convolution(method, batch, size, side, channels, filters, seed):
    side = 3 if method is winograd else side
    images, kernel = (
        random_tensor(seed, batch, *size, channels),
        random_tensor(seed + 1, side, side, channels, filters),
    )
    wanted = as_numpy(keras_convolution(images, kernel))
    # float32: errors grow with the size of the terms.
    scale = side * np.sqrt(channels)
    np.testing.assert_allclose(as_numpy(method(images, kernel)), wanted, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("method", [fourier, winograd])
@settings(max_examples=10, deadline=None, suppress_health_check=SLOW_OK)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    side=st.integers(2, 8),
    channels=st.integers(1, 4),
    filters=st.integers(1, 4),
)
def test_gradients_agree_with_those_of_direct_convolution(method, batch, size, side, channels, filters):
    side = 3 if method is winograd else side
    images, kernel = random_tensor(0, batch, *size, channels), random_tensor(1, side, side, channels, filters)
    upstream = random_tensor(2, batch, *size, filters)
    ours = gradients(method, images, kernel, upstream)
    for found, wanted in zip(ours, gradients(keras_convolution, images, kernel, upstream), strict=True):
        assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_empty_batch():
    images = keras.ops.zeros((0, 20, 20, 2))
    assert tuple(fourier(images, random_tensor(0, 5, 5, 2, 3)).shape) == (0, 20, 20, 3)


@pytest.mark.parametrize("how", ["assign", "train"])
def test_predictions_use_a_changed_kernel(how):
    layer = SameConv2D(3, 5, convolution="fft")
    model = keras.Sequential([keras.Input((24, 24, 2)), layer])
    images = random_array(0, 2, 24, 24, 2)
    before = np.asarray(model.predict_on_batch(images))
    if how == "assign":
        layer.kernel.assign(as_numpy(layer.kernel) * 2)
    else:
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        model.train_on_batch(images, np.ones((2, 24, 24, 3), np.float32))
    after = np.asarray(model.predict_on_batch(images))
    assert not np.allclose(before, after)
    wanted = as_numpy(
        keras_convolution(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(layer.kernel))
    )
    np.testing.assert_allclose(after, wanted, atol=2e-5)


def test_fft_and_direct_convolution_train_alike(fill_golden):
    images = np.random.default_rng(0).uniform(-1, 1, (4, 64, 64, 3)).astype(np.float32)
    labels = [np.array([0, 1, 2, 3])] * 2
    trained = {}
    for how in ("direct", "fft"):
        model = bl_net((64, 64, 3), 4, 2, width=0.03, convolution=how)
        fill_golden(model)
        model.compile(
            optimizer=keras.optimizers.SGD(0.01),
            loss=["sparse_categorical_crossentropy"] * 2,
            jit_compile=False,
        )
        before = {variable.path: as_numpy(variable) for variable in model.trainable_variables}
        model.train_on_batch(images, labels)
        trained[how] = {v.path: as_numpy(v) - before[v.path] for v in model.trainable_variables}
    # Weights near 1 are rounded to 1e-7, which limits the agreement of the smallest steps.
    for path, wanted in trained["direct"].items():
        assert np.abs(trained["fft"][path] - wanted).max() <= 1e-4 * np.abs(wanted).max() + 3e-7, path


def test_fft_reproduces_golden_answers(shared, golden_file):
    golden = np.load(shared / "golden" / "bl_ecoset.npz")
    model = bl_net((128, 128, 3), 565, convolution="fft")
    load_weights(model, golden_file)
    answers = model(keras.ops.convert_to_tensor(preprocess_image(golden["images"])), training=False)
    np.testing.assert_allclose(np.stack([as_numpy(a) for a in answers]), golden["softmax"], rtol=1e-5)


BL_0_LATERAL, BL_3_LATERAL, BL_5_LATERAL = (7, 7, 96, 96), (3, 3, 256, 256), (3, 3, 1024, 1024)


@pytest.mark.parametrize(
    ("image", "kernel", "dtype", "gains", "method"),
    [
        ((128, 128), BL_0_LATERAL, "float32", True, FourierPlan),
        ((224, 224), BL_0_LATERAL, "float32", True, FourierPlan),
        ((64, 64), (5, 5, 128, 128), "float32", True, FourierPlan),
        ((128, 128), (7, 7, 3, 96), "float32", True, "direct"),
        ((16, 16), BL_3_LATERAL, "float32", True, WinogradPlan),
        ((4, 4), BL_5_LATERAL, "float32", True, WinogradPlan),
        ((2, 2), BL_5_LATERAL, "float32", True, "unfold"),
        ((128, 128), BL_0_LATERAL, "bfloat16", True, "direct"),
        ((None, None), BL_0_LATERAL, "float32", True, "direct"),
        ((128, 128), BL_0_LATERAL, "float32", False, "direct"),
    ],
)
def test_auto_uses_tiles_only_where_they_are_faster(image, kernel, dtype, gains, method, monkeypatch):
    monkeypatch.setattr(layers, "_tiles_can_be_faster", lambda: gains)
    chosen = choose_method("auto", image, kernel, dtype)
    assert (chosen if isinstance(chosen, str) else type(chosen)) == method
    assert choose_method("direct", image, kernel, dtype) == "direct"
    assert not isinstance(choose_method("auto", image, kernel, dtype, traced=False), WinogradPlan)
    if None not in image:
        assert isinstance(choose_method("fft", image, kernel, dtype), FourierPlan)


def test_tiled_sums_agree_with_direct_ones(tiled_and_direct_bl):
    ours, theirs = tiled_and_direct_bl
    assert_outputs_agree(predict(ours), predict(theirs))


def test_terms_of_a_fused_sum_can_be_requested(tiled_and_direct_bl):
    names = ["RCL_1_BConv_Time_1", "RCL_1_LConv_Time_1", "RCL_1_ConvSum_Time_1", "RCL_0_ConvSum_Time_1"]
    ours, theirs = (activations(model, names).predict_on_batch(IMAGES) for model in tiled_and_direct_bl)
    assert_outputs_agree(
        [np.asarray(ours[name]) for name in names], [np.asarray(theirs[name]) for name in names]
    )
    assert_outputs_agree(
        [np.asarray(ours[names[2]])], [np.asarray(ours[names[0]]) + np.asarray(ours[names[1]])]
    )


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow's sums of gradients")
def test_no_other_operation_reads_the_terms_of_a_sum_of_gradients():
    # AddN begins with the first of its terms that it may overwrite: if others read them too, timing decides which.
    import tensorflow as tf
    from tensorflow.python.eager import context

    network = bl_net((64, 64, 3), 4, n_timesteps=4, width=0.02)
    images = tf.random.stateless_uniform((2, 64, 64, 3), (1, 2))

    @tf.function
    def loss_gradients():
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_mean(softmax[:, 0]) for softmax in network(images, training=True)])
        return tape.gradient(loss, network.trainable_variables)

    context.context().enable_run_metadata()
    try:
        loss_gradients()
        (graph,) = context.context().export_run_metadata().partition_graphs
    finally:
        context.context().disable_run_metadata()
    terms = [[name.split(":")[0] for name in node.input] for node in graph.node]
    readers = collections.Counter(name for names in terms for name in names)
    sums = [
        names for node, names in zip(graph.node, terms, strict=True) if node.op == "AddN" and len(names) > 2
    ]
    assert len(sums) > len(network.trainable_variables) / 3
    assert [name for names in sums for name in names if readers[name] > 1] == []
