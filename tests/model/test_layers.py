"""Layers: both methods of convolution agree, gradients are reproducible, and layers of earlier versions load."""

import collections
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from arrays import IMAGES, as_numpy, keras_convolution, predict, random_array

from convrnn_model import ConvRNNError, SameConv2D, bl_net, layers, load_weights, preprocess_image
from convrnn_model.fourier import FourierPlan
from convrnn_model.layers import fourier_plan, require_method

FORMER = Path(__file__).with_name("bl_with_former_layers.keras")
"""BL of two time steps for 64 px and two classes, width 0.01, saved by the version before plain Keras layers."""


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


BL_0_LATERAL, BL_1_LATERAL, BL_3_LATERAL = (7, 7, 96, 96), (5, 5, 128, 128), (3, 3, 256, 256)


@pytest.mark.parametrize(
    ("image", "kernel", "dtype", "gains", "transforms"),
    [
        ((128, 128), BL_0_LATERAL, "float32", True, True),
        ((224, 224), BL_0_LATERAL, "float32", True, True),
        ((64, 64), BL_1_LATERAL, "float32", True, True),
        ((128, 128), (7, 7, 3, 96), "float32", True, False),
        ((16, 16), BL_3_LATERAL, "float32", True, False),
        ((2, 2), (1, 1, 1024, 1024), "float32", True, False),
        ((128, 128), BL_0_LATERAL, "bfloat16", True, False),
        ((None, None), BL_0_LATERAL, "float32", True, False),
        ((128, 128), BL_0_LATERAL, "float32", False, False),
    ],
)
def test_auto_transforms_only_where_that_is_faster(image, kernel, dtype, gains, transforms, monkeypatch):
    monkeypatch.setattr(layers, "_fourier_can_be_faster", lambda: gains)
    assert isinstance(fourier_plan("auto", image, kernel, dtype), FourierPlan if transforms else type(None))
    assert fourier_plan("direct", image, kernel, dtype) is None
    if None not in image and kernel[0] > 1:
        assert isinstance(fourier_plan("fft", image, kernel, dtype), FourierPlan)


def test_unknown_methods_are_refused():
    with pytest.raises(ConvRNNError, match="auto, direct, fft"):
        require_method("winograd")


def test_fft_networks_can_be_saved_exported_and_cloned(tmp_path, fill_golden):
    ours = bl_net((64, 64, 3), 4, 2, width=0.04, convolution="fft")
    fill_golden(ours)
    wanted = predict(ours)
    ours.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert again.get_layer("RCL_0_LConv").convolution == "fft"
    np.testing.assert_allclose(predict(again), wanted, rtol=1e-5)
    twin = keras.models.clone_model(ours)
    twin.set_weights(ours.get_weights())
    np.testing.assert_allclose(predict(twin), wanted, rtol=1e-5)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        ours.export(tmp_path / "exported", verbose=False)
        loaded = tf.saved_model.load(tmp_path / "exported")
        np.testing.assert_allclose([np.asarray(answer) for answer in loaded.serve(IMAGES)], wanted, rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow's sums of gradients")
@pytest.mark.parametrize("convolution", ["direct", "fft"])
def test_no_other_operation_reads_the_terms_of_a_sum_of_gradients(convolution):
    # AddN begins with the first of its terms that it may overwrite: if others read them too, timing decides which.
    import tensorflow as tf
    from tensorflow.python.eager import context

    network = bl_net((64, 64, 3), 4, n_timesteps=4, width=0.02, convolution=convolution)
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


def test_networks_saved_by_earlier_versions_load(tmp_path, fill_golden):
    former = keras.saving.load_model(FORMER)
    network = bl_net((64, 64, 3), 2, 2, width=0.01)
    fill_golden(network)
    np.testing.assert_array_equal(predict(former), predict(network))
    former.save(tmp_path / "again.keras")
    assert (
        registered(FORMER) > registered(tmp_path / "again.keras") == {"convrnn>SameConv2D", "convrnn>ConvSum"}
    )


def registered(path):
    """Return the names of the layer classes of this package in a saved network."""
    with zipfile.ZipFile(path) as file:
        saved = json.loads(file.read("config.json"))["config"]["layers"]
    names = {layer["registered_name"] or "" for layer in saved}
    return {name for name in names if name.startswith("convrnn>")}
