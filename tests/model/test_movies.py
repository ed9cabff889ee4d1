"""Networks that take another image at each time step."""

import keras
import numpy as np
import plain_engine
import pytest
from arrays import as_numpy

from convrnn_model import (
    ConvRNNError,
    activations,
    bl_net,
    compile_network,
    load_weights,
    multiply_adds,
    names,
    save_weights,
)
from convrnn_model.inference.frozen import architecture_of, from_keras
from convrnn_model.inference.operations import operations
from convrnn_model.layers import Frame
from convrnn_model.networks import BUILDERS
from convrnn_model.variants import VARIANTS

FRAMES, SIDE = 4, 66
MOVIES = np.random.default_rng(0).uniform(-1, 1, (2, FRAMES, SIDE, SIDE, 3)).astype(np.float32)
CONSTANT = np.repeat(MOVIES[:, :1], FRAMES, axis=1)
# Fourier transforms do not work with Keras on PyTorch, of images neither.
METHODS = ["direct"] if keras.backend.backend() == "torch" else ["direct", "fft"]


def pair(fill, width=0.05, **options):
    """Return networks of still images and of movies with the same weights."""
    still = bl_net((SIDE, SIDE, 3), 5, FRAMES, width=width, **options)
    moving = bl_net((FRAMES, SIDE, SIDE, 3), 5, width=width, **options)
    fill(still)
    fill(moving)
    return still, moving


@pytest.mark.parametrize("cumulative", [False, True])
@pytest.mark.parametrize("convolution", METHODS)
def test_a_constant_movie_has_the_bits_of_the_still_image(cumulative, convolution, fill_golden):
    still, moving = pair(fill_golden, cumulative_readout=cumulative, convolution=convolution)
    names_ = [*(names.relu(n, time) for n in range(7) for time in range(FRAMES)), names.softmax(FRAMES - 1)]
    predicted = moving.predict_on_batch(CONSTANT)
    assert [a.tobytes() for a in predicted] == [a.tobytes() for a in still.predict_on_batch(CONSTANT[:, 0])]
    called, expected = moving(CONSTANT), still(CONSTANT[:, 0])
    assert [as_numpy(a).tobytes() for a in called] == [as_numpy(a).tobytes() for a in expected]
    expected = activations(still, names_).predict_on_batch(CONSTANT[:, 0])
    found = activations(moving, names_).predict_on_batch(CONSTANT)
    assert {name: a.tobytes() for name, a in found.items()} == {n: a.tobytes() for n, a in expected.items()}


def test_each_frame_is_seen_at_its_time_step(fill_golden):
    still, moving = pair(fill_golden, cumulative_readout=True)
    frozen = from_keras(moving)
    assert frozen.moving
    assert not from_keras(still).moving
    wanted = [operation.output for operation in operations(frozen)]
    inputs = {names.frame(time): MOVIES[:, time] for time in range(FRAMES)}
    expected = plain_engine.run(frozen, operations(frozen), inputs)
    found = activations(moving, wanted).predict_on_batch(MOVIES)
    assert len(wanted) == len(set(wanted)) == len(operations(architecture_of(still))) + FRAMES - 1
    for name in wanted:
        # float32, another summation order.
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5 * scale, err_msg=name)


def test_later_frames_do_not_change_earlier_outputs(fill_golden):
    _, moving = pair(fill_golden)
    changed = MOVIES.copy()
    changed[:, 2:] *= -1
    before, after = moving.predict_on_batch(MOVIES), moving.predict_on_batch(changed)
    for time in range(FRAMES):
        assert np.array_equal(before[time], after[time]) == (time < 2)


def test_weights_files_are_those_of_still_images(fill_golden, snapshot, tmp_path):
    still, moving = pair(fill_golden)
    save_weights(still, tmp_path / "still.h5")
    save_weights(moving, tmp_path / "moving.h5")
    assert (tmp_path / "still.h5").read_bytes() == (tmp_path / "moving.h5").read_bytes()
    longer = bl_net((FRAMES + 2, SIDE, SIDE, 3), 5, width=0.05)
    report = load_weights(longer, tmp_path / "still.h5", extra_timesteps="repeat-last")
    assert len(report.repeated) == 2 * 7 * 4
    again = bl_net((FRAMES, SIDE, SIDE, 3), 5, width=0.05)
    load_weights(again, tmp_path / "moving.h5")
    assert snapshot(again) == snapshot(still)


def test_saved_networks_have_the_same_outputs(fill_golden, tmp_path):
    _, moving = pair(fill_golden)
    moving.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    for found, expected in zip(again.predict_on_batch(MOVIES), moving.predict_on_batch(MOVIES), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_cost_counts_the_first_convolution_of_every_frame():
    still = bl_net((SIDE, SIDE, 3), 5, FRAMES, width=0.05)
    moving = bl_net((FRAMES, None, None, 3), 5, width=0.05)
    first = multiply_adds(still).per_timestep[0]
    image = SIDE * SIDE * 7 * 7 * 3 * 5
    assert multiply_adds(moving, (SIDE, SIDE)).per_timestep == (
        first,
        *(count + image for count in multiply_adds(still).per_timestep[1:]),
    )


def test_a_movie_can_be_a_tensor_of_another_model(fill_golden):
    _, moving = pair(fill_golden)
    movie = keras.Input((FRAMES, SIDE, SIDE, 3))
    brighter = bl_net(movie + 0.5, 5, width=0.05)
    fill_golden(brighter)
    whole = keras.Model(movie, brighter(movie + 0.5))
    expected = moving.predict_on_batch(MOVIES + np.float32(0.5))
    for found, wanted in zip(whole.predict_on_batch(MOVIES), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_networks_that_see_other_frames_are_not_recognised():
    network = bl_net((2, 64, 64, 3), 5, width=0.02)
    assert architecture_of(network).moving

    def exchanged(layer):
        return Frame(1 - layer.time, name=layer.name) if isinstance(layer, Frame) else layer

    def inverted(layer, inputs, **options):
        if isinstance(layer, Frame):
            inputs = keras.layers.Rescaling(-1)(inputs)
        return layer(inputs, **options)

    with pytest.raises(ConvRNNError, match=r"Frame_Time_[01] is not frame [01] of the input"):
        architecture_of(keras.models.clone_model(network, clone_function=exchanged))
    other = keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=inverted)
    with pytest.raises(ConvRNNError, match=r"Frame_Time_[01] is not frame [01] of the input"):
        architecture_of(other)


@pytest.mark.parametrize(
    ("shape", "steps", "says"),
    [
        ((4, 64, 64, 3), 3, "n_timesteps must be the number of frames, 4, got 3"),
        ((None, 64, 64, 3), None, "fixed number of frames, got the shape"),
        ((None, 64, 64, 3), 8, "fixed number of frames, got the shape"),
        ((4, 32, 64, 3), None, "sides must be at least 64 px, got 32 x 64"),
        ((2, 4, 64, 64, 3), None, r"takes images of shape \(batch, height, width, channels\)"),
        ((4, 64, 64, 3), 0, "n_timesteps must be a positive integer, got 0"),
    ],
)
def test_wrong_shapes(shape, steps, says):
    with pytest.raises(ConvRNNError, match=says):
        bl_net(shape, 5, steps, width=0.02)


@pytest.mark.parametrize("name", [name for name in VARIANTS if not VARIANTS[name].recurrent])
def test_feedforward_networks_take_images(name):
    with pytest.raises(ConvRNNError, match=f"{name} is feedforward.*Pass frames as a batch"):
        BUILDERS[name]((4, 64, 64, 3), 5, width=0.02)


def test_default_number_of_time_steps():
    assert len(bl_net((64, 64, 3), 5, width=0.02).outputs) == 8
    assert len(bl_net((3, 64, 64, 3), 5, width=0.02).outputs) == 3
    assert len(bl_net((3, 64, 64, 3), 5, n_timesteps=3, width=0.02).outputs) == 3


def test_compile_network_refuses_movies():
    with pytest.raises(ConvRNNError, match="Use `stream`, or the model's `predict`, for movies"):
        compile_network(bl_net((3, 64, 64, 3), 5, width=0.02))
