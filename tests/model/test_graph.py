"""Any layer at any time step, what it costs, and preprocessing."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from convrnn_model import (
    ConvRNNError,
    activations,
    b_d_net,
    b_net,
    bl_net,
    global_pool,
    multiply_adds,
    names,
    pre_softmax,
    preprocess_image,
    relu,
    softmax,
)

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
# float32; another graph may be summed in another order
RTOL = 1e-5


def run(model, images=IMAGES):
    return model.predict_on_batch(images)


@pytest.fixture(scope="module")
def network(fill_golden):
    model = bl_net((64, 64, 3), 5, 3, width=0.02)
    fill_golden(model)
    return model


def test_answers_belong_to_their_time_steps(network):
    answers = np.stack(run(network))
    found = run(activations(network, [softmax(t) for t in range(3)]))
    assert list(found) == [softmax(t) for t in range(3)]
    np.testing.assert_allclose(np.stack(list(found.values())), answers, rtol=RTOL)


def test_readout_before_softmax_is_the_one_of_its_step(network):
    answers = np.stack(run(network))
    found = run(activations(network, [pre_softmax(t) for t in range(3)]))
    logits = np.stack([found[pre_softmax(t)] for t in range(3)])
    ours = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(ours, answers, rtol=RTOL)


def test_one_name_answers_one_array(network):
    many = run(activations(network, [relu(6, 2), global_pool(2)]))
    one = run(activations(network, relu(6, 2)))
    np.testing.assert_allclose(one, many[relu(6, 2)], rtol=RTOL)
    np.testing.assert_allclose(one.mean(axis=(1, 2)), many[global_pool(2)], rtol=RTOL)


def test_shared_layers_have_a_name_per_step(network):
    wanted = ["RCL_1_BConv_Time_2", "RCL_1_LConv_Time_2", "RCL_1_ConvSum_Time_2", "RCL_0_BConv"]
    found = run(activations(network, wanted))
    both = found["RCL_1_BConv_Time_2"] + found["RCL_1_LConv_Time_2"]
    np.testing.assert_allclose(found["RCL_1_ConvSum_Time_2"], both, rtol=RTOL, atol=1e-6)


def test_only_what_is_needed_is_computed(network):
    early = activations(network, relu(2, 1))
    assert max(names.split_time(layer.name)[1] or 0 for layer in early.layers) == 1
    assert not {names.READOUT, names.bottom_up(3)} & {layer.name for layer in early.layers}
    assert multiply_adds(early).total < multiply_adds(network).total


def test_activations_of_activations_and_of_networks_used_elsewhere(network):
    image = keras.Input((64, 64, 3))
    network(image)  # Gives every layer another application, which is none of the network's own.
    part = activations(network, [pre_softmax(2), relu(0, 2)])
    np.testing.assert_allclose(
        run(activations(part, pre_softmax(2))), run(part)[pre_softmax(2)], rtol=RTOL, atol=1e-6
    )


def test_activations_of_a_loaded_network(network, tmp_path):
    network.save(tmp_path / "n.keras")
    again = keras.saving.load_model(tmp_path / "n.keras")
    ours, theirs = (run(activations(model, pre_softmax(1))) for model in (network, again))
    np.testing.assert_allclose(ours, theirs, rtol=RTOL)


def test_activations_of_one_step_and_of_feedforward_networks():
    assert activations(bl_net((64, 64, 3), 5, 1, width=0.02), pre_softmax(0)).output_shape == (None, 5)
    assert activations(b_net((64, 64, 3), 5, width=0.02), pre_softmax()).output_shape == (None, 5)


def test_cumulative_readouts_have_names():
    network = bl_net((64, 64, 3), 5, 2, True, width=0.02)
    assert activations(network, names.cumulative(1)).output_shape == (None, 5)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("ReLU_Layer_7_Time_0", "did you mean ReLU_Layer_6_Time_0"),
        ("Softmax_Time_1", "did you mean Sotfmax_Time_1"),
        ("ReadoutDense", "applied at several time steps: pass ReadoutDense_Time_0"),
        ("RCL_0_LConv_Time_0", "no output called RCL_0_LConv_Time_0"),
        ("ReLU_Layer_1_Time_3", "count from 0"),
        ([], "pass one name, or several"),
    ],
)
def test_unknown_names(wanted, says, network):
    with pytest.raises(ConvRNNError, match=says):
        activations(network, wanted)


# --- cost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "first", "step", "total"), [(128, 1.99, 11.64, 83.5), (224, 6.08, 35.64, 255.5)]
)
def test_published_multiply_adds(side, first, step, total):
    cost = multiply_adds(bl_net((side, side, 3), 1000))
    assert [round(count / 1e9, 2) for count in cost.per_timestep] == [first] + [step] * 7
    assert round(cost.total / 1e9, 1) == total
    assert cost.cumulative[-1] == cost.total
    assert sum(cost.parameters.values()) == 28_939_016
    later = cost.per_timestep[1]
    assert round(100 * cost.layers[names.lateral(0)][1] / later) == 64
    second = (names.bottom_up(1), names.lateral(1))
    assert round(100 * sum(cost.layers[name][1] for name in second) / later) == 25


def test_image_is_convolved_once_and_nothing_lateral_at_first(network):
    layers = multiply_adds(network).layers
    assert layers[names.bottom_up(0)][0] > 0
    assert layers[names.bottom_up(0)][1:] == (0, 0)
    assert all(layers[names.lateral(n)][0] == 0 < layers[names.lateral(n)][1] for n in range(7))


@given(height=st.integers(64, 300), width=st.integers(64, 300))
def test_cost_of_any_size_given_later(height, width, any_size):
    steps = multiply_adds(any_size, (height, width)).per_timestep
    by_hand = 0
    before = 3
    for n, layer in enumerate(any_size.get_layer(f"Conv_Layer_{n}") for n in range(14)):
        side = (height >> (n // 2)) * (width >> (n // 2))
        by_hand += side * before * layer.filters * layer.kernel_size[0] ** 2
        before = layer.filters
    assert steps == (by_hand,)


@pytest.fixture(scope="module")
def any_size():
    return b_d_net((None, None, 3), 5, width=0.02)


def test_cost_needs_a_size(any_size):
    with pytest.raises(ConvRNNError, match="image_size"):
        multiply_adds(any_size)


# --- preprocessing -------------------------------------------------------------------------------------


@given(numpy_strategies.arrays(np.uint8, numpy_strategies.array_shapes(max_dims=4, max_side=5)))
def test_preprocessing_is_exact_and_reversible(image):
    scaled = preprocess_image(image)
    assert scaled.dtype == np.float32
    assert scaled.shape == image.shape
    assert -1 <= scaled.min() <= scaled.max() <= 1
    np.testing.assert_array_equal(np.rint((scaled + 1) * 127.5).astype(np.uint8), image)


def test_preprocessing_of_a_tensor():
    image = np.arange(256, dtype=np.uint8)
    scaled = preprocess_image(keras.ops.convert_to_tensor(image))
    assert keras.ops.is_tensor(scaled)
    # float32; a compiler may divide by multiplying
    np.testing.assert_allclose(keras.ops.convert_to_numpy(scaled), preprocess_image(image), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int8", "bool"])
@pytest.mark.parametrize("convert", [np.asarray, keras.ops.convert_to_tensor])
def test_preprocessing_takes_8_bits_alone(dtype, convert):
    with pytest.raises(TypeError, match=f"takes uint8.*, got {dtype}"):
        preprocess_image(convert(np.zeros((2, 2, 3), dtype)))
