"""Kernel spectra: shared by the time steps of a graph, cached between predictions, never stale."""

import keras
import numpy as np
import pytest
from arrays import IMAGES, as_numpy, assert_outputs_agree, predict, random_array, random_tensor

from convrnn_model import SameConv2D, bl_net, spectra
from convrnn_model.fourier import FourierPlan
from convrnn_model.layers import ConvSum

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow's graphs share spectra"
)


class CountingPlan(FourierPlan):
    """Fourier plan that counts how many spectra it has computed."""

    computed = 0

    def kernel_spectrum(self, kernel):
        type(self).computed += 1
        return super().kernel_spectrum(kernel)


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setattr(CountingPlan, "computed", 0)
    best = FourierPlan.best((8, 8), (3, 3, 2, 2))
    return CountingPlan(best.rows, best.columns, best.channels, best.filters)


@pytest.fixture
def kernel():
    return keras.Variable(random_array(0, 3, 3, 2, 2), name="kernel")


def read_twice(read, kernel, plan, between=lambda: None):
    """Trace a graph that reads a kernel's spectrum twice, and return its outputs."""
    import tensorflow as tf

    @tf.function
    def graph():
        first = read([kernel], tf.convert_to_tensor(kernel), plan)
        between()
        return first, read([kernel], tf.convert_to_tensor(kernel), plan)

    return [as_numpy(spectrum) for spectrum in graph()]


@on_tensorflow
def test_a_graph_computes_a_shared_spectrum_once(kernel, plan):
    first, second = read_twice(spectra.shared_spectrum, kernel, plan)
    assert plan.computed == 1
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, as_numpy(FourierPlan.kernel_spectrum(plan, kernel.value)), atol=1e-6)


@on_tensorflow
def test_assignment_in_a_graph_recomputes_the_shared_spectrum(kernel, plan):
    first, second = read_twice(spectra.shared_spectrum, kernel, plan, lambda: kernel.assign(2 * kernel))
    assert plan.computed == 2
    np.testing.assert_allclose(second, 2 * first, rtol=1e-5)


@on_tensorflow
def test_tensors_and_eager_calls_share_nothing(kernel, plan):
    for kernels in ([kernel], [kernel.value + 0], [kernel]):
        spectra.shared_spectrum(kernels, kernel.value, plan)
        spectra.SpectrumCache().read(kernels, kernel.value, plan)
    assert plan.computed == 6


@on_tensorflow
def test_only_graphs_of_keras_have_cached_spectra(kernel, plan):
    cache = spectra.SpectrumCache()
    read_twice(cache.read, kernel, plan)
    assert not cache._cached
    assert not spectra.in_keras_step()


@on_tensorflow
def test_first_spectrum_is_a_slice_of_the_whole_one(plan):
    kernels = [random_tensor(seed, 3, 3, 2, 2) for seed in (1, 2)]
    whole = CountingPlan(plan.rows, plan.columns, 4, 2)
    found = spectra.SpectrumCache().read_first(kernels, whole, kernels[:1], kernels[0], plan)
    np.testing.assert_allclose(as_numpy(found), as_numpy(plan.kernel_spectrum(kernels[0])), atol=1e-6)


@pytest.mark.parametrize("how", ["assign", "load", "train"])
def test_cached_spectra_are_never_stale(tiled_and_direct_bl, how, tmp_path):
    ours, theirs = tiled_and_direct_bl
    before = predict(ours)
    if how == "train":
        ours.compile(optimizer=keras.optimizers.SGD(0.01), loss=["mse"] * 2, jit_compile=False)
        ours.train_on_batch(IMAGES, [np.zeros((2, 4), np.float32)] * 2)
        theirs.set_weights(ours.get_weights())
    else:
        for model in tiled_and_direct_bl:
            kernel = model.get_layer("RCL_2_LConv").kernel
            kernel.assign(as_numpy(kernel) * (2 if how == "assign" else -1))
        if how == "load":
            ours.save_weights(tmp_path / "w.weights.h5")
            ours.set_weights([w * 0 for w in ours.get_weights()])
            predict(ours)
            ours.load_weights(tmp_path / "w.weights.h5")
    after = predict(ours)
    assert not np.allclose(before[1], after[1], rtol=1e-4, atol=0)
    assert_outputs_agree(after, predict(theirs))
    assert_outputs_agree(predict(ours), after)


@on_tensorflow
def test_a_cached_spectrum_is_computed_once(tiled_and_direct_bl):
    ours, _ = tiled_and_direct_bl
    predict(ours)
    cached = [
        entry for n in range(1, 7) for entry in ours.get_layer(f"RCL_{n}_ConvSum")._spectra._cached.values()
    ]
    assert len(cached) >= 5
    for _, spectrum in cached:
        spectrum.assign(spectrum * 0)  # shows that the cached value is used
    predict(ours)
    assert all(not np.asarray(spectrum).any() for _, spectrum in cached)


@pytest.mark.parametrize("last", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_models_with_cached_spectra_can_be_saved_exported_and_cloned(tiled_and_direct_bl, tmp_path, last):
    whole, _ = tiled_and_direct_bl
    # Every kind of layer; exporting all seven layers takes half a minute.
    ours = keras.Model(
        whole.input, [whole.get_layer(f"ReLU_Layer_{last}_Time_{time}").output for time in (0, 1)]
    )
    wanted = predict(ours)
    ours.save(tmp_path / "net.keras")
    assert_outputs_agree(predict(keras.models.load_model(tmp_path / "net.keras")), wanted)
    twin = keras.models.clone_model(ours)
    twin.set_weights(ours.get_weights())
    assert_outputs_agree(predict(twin), wanted)
    assert any(isinstance(layer, ConvSum) for layer in twin.layers)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        ours.export(tmp_path / "exported", verbose=False)
        loaded = tf.saved_model.load(tmp_path / "exported")
        assert_outputs_agree([np.asarray(answer) for answer in loaded.serve(IMAGES)], wanted)


@on_tensorflow
@pytest.mark.parametrize("last", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_all_time_steps_share_one_cached_spectrum(last):
    pytest.importorskip("numba", reason="numba compiles the transforms")
    keras.utils.set_random_seed(0)
    whole = bl_net((128, 128, 3), 16, 2)
    # At full width; compiling the transforms of all layers takes half a minute.
    network = keras.Model(
        whole.input, [whole.get_layer(f"ReLU_Layer_{last}_Time_{time}").output for time in (0, 1)]
    )
    images = random_array(0, 1, 128, 128, 3)
    network.predict_on_batch(images)
    caches = [layer._spectra._cached for layer in network.layers if isinstance(layer, ConvSum)]
    assert max(len(cache) for cache in caches) == 1
    # The later time steps convolve with two kernels; the first one uses a slice of their spectrum.
    assert max(len(copies) for cache in caches for copies, _ in cache.values()) == 2
    network.get_layer("RCL_1_BConv").kernel.assign(2 * network.get_layer("RCL_1_BConv").kernel)
    for ours, wanted in zip(network.predict_on_batch(images), network(images), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5)


@on_tensorflow
def test_a_layer_uses_a_kernel_assigned_in_the_same_graph():
    import tensorflow as tf

    layer = SameConv2D(2, 3, convolution="fft")
    images = random_tensor(0, 1, 16, 16, 2)
    layer.build(images.shape)

    @tf.function
    def twice():
        first = layer(images)
        layer.kernel.assign(layer.kernel * 3)
        return first, layer(images)

    first, second = twice()
    np.testing.assert_allclose(as_numpy(second), 3 * as_numpy(first), atol=1e-5)
