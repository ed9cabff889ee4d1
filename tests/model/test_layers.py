"""The convolution's methods: one function of one kernel, whatever computes it."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convrnn_model import SameConv2D, activations, bl_net, layers, load_weights, preprocess_image
from convrnn_model.fourier import FourierPlan
from convrnn_model.layers import ConvSum, choose_method, tiled_convolution, unfolded_convolution
from convrnn_model.winograd import WinogradPlan

SLOW_OK = [HealthCheck.too_slow]


def array(tensor):
    return keras.ops.convert_to_numpy(keras.ops.stop_gradient(tensor))


def direct(images, kernel):
    return keras.ops.conv(images, kernel, strides=1, padding="same", data_format="channels_last")


def drawn(seed, *shape):
    value = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return keras.ops.convert_to_tensor(value)


def fourier(images, kernel):
    plan = FourierPlan.best(tuple(images.shape[1:3]), tuple(kernel.shape))
    return tiled_convolution([images], [kernel], plan)[0]


def winograd(images, kernel):
    plan = WinogradPlan.of(tuple(images.shape[1:3]), tuple(kernel.shape))
    return tiled_convolution([images], [kernel], plan)[0]


def gradients(function, images, kernel, upstream):
    """Of sum(function(images, kernel) * upstream), to images and to kernel, by the backend's own means."""
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
    return [array(gradient) for gradient in found]


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
def test_every_method_is_the_direct_convolution(method, batch, size, side, channels, filters, seed):
    side = 3 if method is winograd else side
    images, kernel = drawn(seed, batch, *size, channels), drawn(seed + 1, side, side, channels, filters)
    wanted = array(direct(images, kernel))
    # float32: errors grow with the size of what is summed
    scale = side * np.sqrt(channels)
    np.testing.assert_allclose(array(method(images, kernel)), wanted, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("method", [fourier, winograd])
@settings(max_examples=10, deadline=None, suppress_health_check=SLOW_OK)
@given(
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    side=st.integers(2, 8),
    channels=st.integers(1, 4),
    filters=st.integers(1, 4),
)
def test_gradients_are_the_direct_ones(method, batch, size, side, channels, filters):
    side = 3 if method is winograd else side
    images, kernel = drawn(0, batch, *size, channels), drawn(1, side, side, channels, filters)
    upstream = drawn(2, batch, *size, filters)
    ours = gradients(method, images, kernel, upstream)
    for found, wanted in zip(ours, gradients(direct, images, kernel, upstream), strict=True):
        assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_a_batch_of_none_is_answered():
    images = keras.ops.zeros((0, 20, 20, 2))
    assert tuple(fourier(images, drawn(0, 5, 5, 2, 3)).shape) == (0, 20, 20, 3)


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    side=st.integers(2, 11),
    matrix=st.tuples(st.sampled_from([1, 3, 96, 512]), st.sampled_from([1, 96, 512])),
)
@settings(max_examples=60, deadline=None)
def test_tiles_cover_the_image_and_no_tile_lies_outside(size, side, matrix):
    plan = FourierPlan.best(size, (side, side, *matrix))
    for axis, length in zip((plan.rows, plan.columns), size, strict=True):
        assert axis.step * axis.tiles >= length > axis.step * (axis.tiles - 1) - axis.step
        assert axis.points == axis.step + side - 1
    assert plan.cost > 0


@pytest.mark.parametrize("how", ["assign", "train"])
def test_a_new_kernel_is_seen_at_once(how):
    layer = SameConv2D(3, 5, convolution="fft")
    model = keras.Sequential([keras.Input((24, 24, 2)), layer])
    images = np.random.default_rng(0).normal(size=(2, 24, 24, 2)).astype(np.float32)
    before = np.asarray(model.predict_on_batch(images))
    if how == "assign":
        layer.kernel.assign(array(layer.kernel) * 2)
    else:
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        model.train_on_batch(images, np.ones((2, 24, 24, 3), np.float32))
    after = np.asarray(model.predict_on_batch(images))
    assert not np.allclose(before, after)
    wanted = array(direct(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(layer.kernel)))
    np.testing.assert_allclose(after, wanted, atol=2e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow's graphs")
def test_a_kernel_assigned_within_one_graph_is_seen_too():
    import tensorflow as tf

    layer = SameConv2D(2, 3, convolution="fft")
    images = drawn(0, 1, 16, 16, 2)
    layer.build(images.shape)

    @tf.function
    def twice():
        first = layer(images)
        layer.kernel.assign(layer.kernel * 3)
        return first, layer(images)

    first, second = twice()
    np.testing.assert_allclose(array(second), 3 * array(first), atol=1e-5)


def test_training_by_fft_is_training_by_direct(fill_golden):
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
        before = {variable.path: array(variable) for variable in model.trainable_variables}
        model.train_on_batch(images, labels)
        trained[how] = {v.path: array(v) - before[v.path] for v in model.trainable_variables}
    # A weight near 1 is itself rounded to 1e-7, so the smallest steps cannot agree better than that.
    for path, wanted in trained["direct"].items():
        assert np.abs(trained["fft"][path] - wanted).max() <= 1e-4 * np.abs(wanted).max() + 3e-7, path


def test_golden_answers_hold_through_fft(shared, golden_file):
    golden = np.load(shared / "golden" / "bl_ecoset.npz")
    model = bl_net((128, 128, 3), 565, convolution="fft")
    load_weights(model, golden_file)
    answers = model(keras.ops.convert_to_tensor(preprocess_image(golden["images"])), training=False)
    np.testing.assert_allclose(np.stack([array(a) for a in answers]), golden["softmax"], rtol=1e-5)


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
def test_auto_takes_tiles_only_where_they_win(image, kernel, dtype, gains, method, monkeypatch):
    monkeypatch.setattr(layers, "_tiles_gain_here", lambda: gains)
    chosen = choose_method("auto", image, kernel, dtype)
    assert (chosen if isinstance(chosen, str) else type(chosen)) == method
    assert choose_method("direct", image, kernel, dtype) == "direct"
    assert not isinstance(choose_method("auto", image, kernel, dtype, traced=False), WinogradPlan)
    if None not in image:
        assert isinstance(choose_method("fft", image, kernel, dtype), FourierPlan)


@pytest.fixture
def narrow(monkeypatch, fill_golden):
    """A small BL whose convolutions go by tiles wherever they can, as the real one does on CPUs, and a direct one."""
    monkeypatch.setattr(layers, "_tiles_gain_here", lambda: True)
    monkeypatch.setattr(layers, "CLEAR_GAIN", 0.0)
    models = [bl_net((64, 64, 3), 4, 2, width=0.04, convolution=how) for how in ("auto", "direct")]
    for model in models:
        fill_golden(model)
    return models


IMAGES = np.random.default_rng(1).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)


def predicted(model):
    return [np.asarray(answer) for answer in model.predict_on_batch(IMAGES)]


def compare(ours, theirs):
    for found, wanted in zip(ours, theirs, strict=True):
        # float32: another order of summation, and transforms that lose a little more.
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=5e-6 * np.abs(wanted).max())


def test_sums_by_tiles_answer_as_direct_ones_do(narrow):
    ours, theirs = narrow
    compare(predicted(ours), predicted(theirs))


def test_terms_of_a_sum_are_there_for_whoever_asks(narrow):
    names = ["RCL_1_BConv_Time_1", "RCL_1_LConv_Time_1", "RCL_1_ConvSum_Time_1", "RCL_0_ConvSum_Time_1"]
    ours, theirs = (activations(model, names).predict_on_batch(IMAGES) for model in narrow)
    compare([np.asarray(ours[name]) for name in names], [np.asarray(theirs[name]) for name in names])
    compare([np.asarray(ours[names[2]])], [np.asarray(ours[names[0]]) + np.asarray(ours[names[1]])])


@pytest.mark.parametrize("how", ["assign", "load", "train"])
def test_kept_spectra_are_never_stale(narrow, how, tmp_path):
    ours, theirs = narrow
    before = predicted(ours)
    if how == "train":
        ours.compile(optimizer=keras.optimizers.SGD(0.01), loss=["mse"] * 2, jit_compile=False)
        ours.train_on_batch(IMAGES, [np.zeros((2, 4), np.float32)] * 2)
        theirs.set_weights(ours.get_weights())
    else:
        for model in narrow:
            kernel = model.get_layer("RCL_2_LConv").kernel
            kernel.assign(array(kernel) * (2 if how == "assign" else -1))
        if how == "load":
            ours.save_weights(tmp_path / "w.weights.h5")
            ours.set_weights([w * 0 for w in ours.get_weights()])
            predicted(ours)
            ours.load_weights(tmp_path / "w.weights.h5")
    after = predicted(ours)
    assert not np.allclose(before[1], after[1], rtol=1e-4, atol=0)
    compare(after, predicted(theirs))
    compare(predicted(ours), after)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow's graphs")
def test_a_kept_spectrum_is_computed_once(narrow, monkeypatch):
    ours, _ = narrow
    predicted(ours)
    kept = [
        entry for n in range(1, 7) for entry in ours.get_layer(f"RCL_{n}_ConvSum")._spectra._cached.values()
    ]
    assert len(kept) >= 5
    for _, spectrum in kept:
        spectrum.assign(spectrum * 0)  # as nobody would, but it shows what is read
    predicted(ours)
    assert all(not np.asarray(spectrum).any() for _, spectrum in kept)


def test_a_model_with_kept_spectra_saves_exports_and_clones(narrow, tmp_path):
    ours, _ = narrow
    wanted = predicted(ours)
    ours.save(tmp_path / "net.keras")
    compare(predicted(keras.models.load_model(tmp_path / "net.keras")), wanted)
    twin = keras.models.clone_model(ours)
    twin.set_weights(ours.get_weights())
    compare(predicted(twin), wanted)
    assert any(isinstance(layer, ConvSum) for layer in twin.layers)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        ours.export(tmp_path / "exported", verbose=False)
        loaded = tf.saved_model.load(tmp_path / "exported")
        compare([np.asarray(answer) for answer in loaded.serve(IMAGES)], wanted)
