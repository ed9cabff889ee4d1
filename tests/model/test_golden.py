"""Outputs of every network against those of the original software with the same weights."""

import gc

import keras
import numpy as np
import pytest

from convrnn_model import (
    activations,
    b_d_net,
    b_f_net,
    b_k_net,
    b_net,
    bl_net,
    load_weights,
    names,
    preprocess_image,
)

# float32, another summation order; the outputs for the two images differ by 1e-2 in log probability.
RTOL = 1e-5


@pytest.fixture(scope="module")
def bl_golden(shared):
    return dict(np.load(shared / "golden" / "bl_ecoset.npz"))


@pytest.fixture(scope="module")
def bl_answers(golden_bl, bl_golden):
    """All outputs in the golden file, in one pass: softmax, pooled features, and ReLU at three time steps."""
    wanted = {f"softmax_{t}": golden_bl.get_layer(names.softmax(t)).output for t in range(8)}
    wanted |= {f"gap_{t}": golden_bl.get_layer(names.global_pool(t)).output for t in range(8)}
    wanted |= {
        f"relu_{t}_{n}": golden_bl.get_layer(names.relu(n, t)).output for t in (0, 3, 7) for n in range(7)
    }
    images = keras.ops.convert_to_tensor(preprocess_image(bl_golden["images"]))
    answers = keras.Model(golden_bl.inputs[0], wanted)(images, training=False)
    return {name: keras.ops.convert_to_numpy(keras.ops.stop_gradient(v)) for name, v in answers.items()}


def test_bl_reproduces_the_original(bl_golden, bl_answers):
    ours = np.stack([bl_answers[f"softmax_{t}"] for t in range(8)])
    np.testing.assert_allclose(ours, bl_golden["softmax"], rtol=RTOL)


def test_bl_reproduces_the_pooled_features(bl_golden, bl_answers):
    ours = np.stack([bl_answers[f"gap_{t}"] for t in range(8)])
    # Features after ReLU can be small differences of large sums, so errors are relative to the largest feature of the
    # image at each time step.
    largest = bl_golden["gap"].max(axis=-1, keepdims=True)
    np.testing.assert_allclose(ours / largest, bl_golden["gap"] / largest, rtol=0, atol=RTOL)
    differences = np.linalg.norm(ours - bl_golden["gap"], axis=-1)
    assert (differences < RTOL * np.linalg.norm(bl_golden["gap"], axis=-1)).all()


@pytest.mark.parametrize(("key", "statistic"), [("relu_mean", np.mean), ("relu_std", np.std)])
def test_bl_reproduces_the_activations(key, statistic, bl_golden, bl_answers):
    ours = [[statistic(bl_answers[f"relu_{t}_{n}"], dtype=np.float64) for n in range(7)] for t in (0, 3, 7)]
    np.testing.assert_allclose(ours, bl_golden[key], rtol=RTOL)


@pytest.fixture(scope="module")
def bl_predicted(golden_file, bl_golden):
    """Logits and cumulative softmax of every time step, as computed by `predict`."""
    wanted = [name(t) for name in (names.pre_softmax, names.softmax) for t in range(8)]
    model = bl_net((128, 128, 3), 565, 8, True)
    load_weights(model, golden_file)
    return activations(model, wanted).predict_on_batch(preprocess_image(bl_golden["images"]))


def test_bl_reproduces_the_readout_before_softmax(bl_golden, bl_predicted):
    logits = np.stack([np.asarray(bl_predicted[names.pre_softmax(t)]) for t in range(8)])
    exponentials = np.exp(logits)
    np.testing.assert_allclose(
        exponentials / exponentials.sum(axis=-1, keepdims=True), bl_golden["softmax"], rtol=RTOL
    )


def test_bl_reproduces_the_cumulative_readout(bl_golden, bl_predicted):
    answers = np.stack([np.asarray(bl_predicted[names.softmax(t)]) for t in range(8)])
    np.testing.assert_allclose(answers, bl_golden["softmax_cumulative"], rtol=RTOL)


@pytest.mark.parametrize("build", [b_net, b_k_net, b_f_net, b_d_net], ids=lambda build: build.__name__)
def test_feedforward_networks_reproduce_the_original(build, shared, fill_golden):
    golden = np.load(shared / "golden" / f"{build.__name__.removesuffix('_net')}.npz")
    model = build((128, 128, 3), 1000)
    fill_golden(model)
    ours = model.predict_on_batch(preprocess_image(golden["images"]))
    np.testing.assert_allclose(ours, golden["softmax"], rtol=RTOL)
    del model
    gc.collect()
