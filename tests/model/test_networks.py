"""Structure of the networks: names, parameters, arguments, and saving."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convrnn_model import ConvRNNError, b_net, bl_net, names
from convrnn_model.networks import BUILDERS
from convrnn_model.variants import VARIANTS
from convrnn_model.weights.load_save import as_array

PARAMETERS = {
    "b_net": 11_046_280,
    "b_k_net": 39_804_552,
    "b_f_net": 40_023_848,
    "b_d_net": 28_836_872,
    "bl_net": 28_939_016,
    # No publication prints a count for these; test_family.py has the formula.
    "bt_net": 37_596_936,
    "blt_net": 55_370_504,
    "b_u_net": 212_785_216,
}
PUBLISHED = ("bl_net", "b_net", "b_k_net", "b_f_net", "b_d_net")


def images(seed=0, n=2, side=64):
    return np.random.default_rng(seed).uniform(-1, 1, (n, side, side, 3)).astype(np.float32)


def answers(model, x):
    return np.asarray(model.predict_on_batch(x))


def copy_weights(source, target):
    values = {variable.path: as_array(variable) for variable in source.weights}
    for variable in target.weights:
        variable.assign(values[variable.path])


def test_every_variant_has_a_builder():
    assert set(BUILDERS) == set(VARIANTS) == set(PARAMETERS)


@pytest.mark.parametrize("name", VARIANTS)
def test_number_of_parameters(name):
    assert BUILDERS[name]((128, 128, 3), 1000).count_params() == PARAMETERS[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_layers_are_in_the_published_order(name, shared):
    manifest = json.loads((shared / "golden" / "manifest.json").read_text())[name.removesuffix("_net")]
    # The original loads files layer by layer, in this order.
    model = BUILDERS[name]((128, 128, 3), 1000)
    assert [layer.name for layer in model.layers][1:] == manifest["layer_names"][1:]


@pytest.mark.parametrize("name", VARIANTS)
def test_saved_networks_have_the_same_outputs(name, tmp_path, fill_golden):
    steps = {"n_timesteps": 3, "cumulative_readout": True} if VARIANTS[name].recurrent else {}
    model = BUILDERS[name]((64, 64, 3), 4, width=0.02, **steps)
    fill_golden(model)
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(answers(again, images()), answers(model, images()))


@settings(max_examples=8, deadline=None)
@given(
    n_timesteps=st.integers(1, 4),
    classes=st.integers(1, 9),
    cumulative=st.booleans(),
    side=st.integers(64, 90),
)
def test_bl_returns_one_distribution_per_time_step(n_timesteps, classes, cumulative, side):
    model = bl_net((side, side + 3, 3), classes, n_timesteps, cumulative, width=0.02)
    assert [tuple(output.shape) for output in model.outputs] == [(None, classes)] * n_timesteps
    assert isinstance(model.output, list)
    steps = {names.split_time(layer.name)[1] for layer in model.layers} - {None}
    assert steps == set(range(n_timesteps))


def test_any_image_size_in_one_network():
    model = b_net((None, None, 3), 5, width=0.02)
    for side in (64, 97):
        assert answers(model, images(side=side)).shape == (2, 5)


def test_first_outputs_do_not_depend_on_the_number_of_time_steps(fill_golden):
    short, long = (bl_net((64, 64, 3), 4, steps, width=0.02) for steps in (2, 5))
    fill_golden(long)
    copy_weights(long, short)
    # float32: a longer graph may sum in another order.
    np.testing.assert_allclose(answers(short, images()), answers(long, images())[:2], rtol=1e-5)


def test_cumulative_readout_sums_before_softmax(fill_golden):
    plain, summed = (bl_net((64, 64, 3), 4, 3, cumulative, width=0.02) for cumulative in (False, True))
    fill_golden(plain)
    copy_weights(plain, summed)
    logs = np.cumsum(np.log(answers(plain, images())), axis=0)
    expected = np.exp(logs) / np.exp(logs).sum(axis=-1, keepdims=True)
    # float32, through logarithm and exponential.
    np.testing.assert_allclose(answers(summed, images()), expected, rtol=1e-4)


def test_input_can_be_a_tensor_of_another_model():
    image = keras.Input((64, 64, 3))
    model = b_net(image, 5, width=0.02)
    assert model.inputs[0] is image
    whole = keras.Model(image, b_net(image * 2 - 1, 5, width=0.02)(image * 2 - 1))
    assert whole.output_shape == (None, 5)


def test_channels_first_configuration_has_no_effect():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        model = b_net((64, 96, 3), 5, width=0.02)
    finally:
        keras.config.set_image_data_format(before)
    assert tuple(model.get_layer(names.relu(1)).output.shape) == (None, 32, 48, 3)


def test_only_kernels_are_regularised():
    model = bl_net((64, 64, 3), 4, 2, width=0.02)
    regularised = {v.path for v in model.weights if getattr(v, "regularizer", None)}
    assert regularised == {v.path for v in model.weights if v.path.endswith("/kernel")}
    assert {float(v.regularizer.l2) for v in model.weights if v.path in regularised} == {1e-6}


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (((64, 64, 3), 0), {}, "classes must be"),
        (((64, 64, 3), 2.5), {}, "classes must be"),
        (((64, 64, 3), 5, 0), {}, "n_timesteps must be"),
        (((64, 64, 3), 5, True), {}, "n_timesteps must be"),
        (((64, 63, 3), 5), {}, "at least 64 px"),
        (((64, 64), 5), {}, r"takes images of shape \(batch, height, width, channels\)"),
        (((64, 64, 3), 5), {"width": 0}, "width"),
        (((64, 64, 3), 5), {"width": float("nan")}, "width"),
        (((64, 64, 3), 5), {"convolution": "winograd"}, "auto, direct, fft"),
        (((None, None, 3), 5), {"convolution": "fft"}, "known image size"),
    ],
)
def test_invalid_arguments(arguments, options, says):
    with pytest.raises(ConvRNNError, match=says):
        bl_net(*arguments, **options)


def test_fft_and_direct_networks_have_the_same_outputs(fill_golden):
    direct, fft = (bl_net((64, 64, 3), 4, 2, width=0.02, convolution=how) for how in ("direct", "fft"))
    fill_golden(direct)
    copy_weights(direct, fft)
    np.testing.assert_allclose(answers(fft, images()), answers(direct, images()), rtol=1e-4)  # float32, FFT
