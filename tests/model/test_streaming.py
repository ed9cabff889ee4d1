"""Networks that take a movie frame by frame."""

import os
import pickle
import subprocess
import sys
from itertools import islice

import keras
import numpy as np
import pytest

from convrnn_model import (
    ConvRNNError,
    activations,
    b_net,
    b_u_net,
    bl_net,
    blt_net,
    bt_net,
    load_weights,
    names,
    save_weights,
    stream,
)
from convrnn_model.weights.load_save import as_array, model_weights

FRAMES, SIDE = 4, 66
MOVIES = np.random.default_rng(0).uniform(-1, 1, (2, FRAMES, SIDE, SIDE, 3)).astype(np.float32)
BY_TIME = MOVIES.swapaxes(0, 1)


def network(fill, steps=FRAMES, **options):
    model = bl_net((steps, SIDE, SIDE, 3), 5, width=0.02, **options)
    fill(model)
    return model


def assert_same(found, expected):
    """Assert equal bits; on JAX, equality up to rounding."""
    found, expected = np.asarray(found), np.asarray(expected)
    if keras.backend.backend() == "jax":
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("cumulative", [False, True])
def test_frames_in_turn_have_the_outputs_of_the_unrolled_network(cumulative, fill_golden):
    model = network(fill_golden, cumulative_readout=cumulative)
    assert_same(list(stream(model).run(BY_TIME)), model.predict_on_batch(MOVIES))
    readout = "CumulativeReadout" if cumulative else "ReadoutDense"
    stems = {"pre_softmax": readout, "features": "GlobalAvgPool", "ReLU_Layer_3": "ReLU_Layer_3"}
    wanted = [names.at(stem, time) for stem in stems.values() for time in range(FRAMES)]
    expected = activations(model, wanted).predict_on_batch(MOVIES)
    for time, found in enumerate(stream(model, outputs=list(stems)).run(BY_TIME)):
        assert set(found) == set(stems)
        for name, stem in stems.items():
            assert_same(found[name], expected[names.at(stem, time)])


def test_networks_of_still_images_take_movies(fill_golden):
    still = bl_net((SIDE, SIDE, 3), 5, FRAMES, width=0.02)
    fill_golden(still)
    assert_same(list(stream(still).run(BY_TIME)), network(fill_golden).predict_on_batch(MOVIES))
    repeated = [MOVIES[:, 0]] * FRAMES
    assert_same(list(stream(still).run(repeated)), still.predict_on_batch(MOVIES[:, 0]))


@pytest.mark.parametrize("extra", ["repeat-last", 0, 2])
def test_further_frames_use_the_batch_normalisation_of_a_time_step(extra, fill_golden, tmp_path):
    short = network(fill_golden, steps=3)
    save_weights(short, tmp_path / "w.h5")
    longer = bl_net((5, SIDE, SIDE, 3), 5, width=0.02)
    load_weights(longer, tmp_path / "w.h5", extra_timesteps=extra)
    movie = np.concatenate([MOVIES, MOVIES[:, 1:2]], axis=1)
    found = list(stream(short, extra_timesteps=extra).run(movie.swapaxes(0, 1)))
    assert_same(found, longer.predict_on_batch(movie))


@pytest.mark.parametrize("build", [bt_net, blt_net, b_u_net])
def test_other_recurrent_networks_take_movies(build, fill_golden):
    model = build((SIDE, SIDE, 3), 5, FRAMES, width=0.02)
    fill_golden(model)
    still = MOVIES[:, 0]
    expected = np.asarray(model.predict_on_batch(still))
    found = np.asarray(list(stream(model).run([still] * (FRAMES + 2))))
    np.testing.assert_allclose(found[:FRAMES], expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(found).all()


def test_further_frames_are_an_error_if_asked_for(fill_golden):
    stepper = stream(network(fill_golden, steps=2), extra_timesteps="error")
    assert len(list(stepper.run(BY_TIME[:2]))) == 2
    with pytest.raises(ConvRNNError, match="for 2 time steps, got frame 2, counted from 0"):
        list(stepper.run(BY_TIME))
    for extra in (2, "last", -1):
        with pytest.raises(ConvRNNError, match="extra_timesteps must be"):
            stream(network(fill_golden, steps=2), extra_timesteps=extra)


def test_states_are_data(fill_golden):
    stepper = stream(network(fill_golden))
    first, state = stepper.step(BY_TIME[0])
    before = {name: value.tobytes() for name, value in state.values.items()}
    second, later = stepper.step(BY_TIME[1], state)
    assert (state.time, later.time) == (1, 2)
    assert {name: value.tobytes() for name, value in state.values.items()} == before
    again, _ = stepper.step(BY_TIME[1], pickle.loads(pickle.dumps(state)))
    np.testing.assert_array_equal(again, second)
    one, _ = stepper.step(BY_TIME[0], stepper.initial_state())
    np.testing.assert_array_equal(one, first)
    rest = list(stepper.run(BY_TIME[2:], later))
    np.testing.assert_array_equal(rest, list(stepper.run(BY_TIME))[2:])


def test_movies_can_be_endless(fill_golden):
    def noise():
        generator = np.random.default_rng(0)
        while True:
            yield generator.uniform(-1, 1, (1, SIDE, SIDE, 3)).astype(np.float32)

    found = list(islice(stream(network(fill_golden, steps=2)).run(noise()), 6))
    assert len({answer.tobytes() for answer in found}) == 6


def test_weights_files(fill_golden, tmp_path):
    model = network(fill_golden, cumulative_readout=True)
    save_weights(model, tmp_path / "w.h5")
    stepper = stream(tmp_path / "w.h5", cumulative_readout=True)
    found = list(stepper.run(BY_TIME))
    # float32: images of unknown size are convolved directly.
    np.testing.assert_allclose(found, model.predict_on_batch(MOVIES), rtol=1e-5)
    assert next(stepper.run([np.zeros((1, 97, 71, 3), np.float32)])).shape == (1, 5)
    with pytest.raises(ConvRNNError, match="Build the model with cumulative_readout=True"):
        stream(model, cumulative_readout=True)


def test_streaming_leaves_the_network_unchanged(fill_golden, snapshot, tmp_path):
    model = network(fill_golden)
    before, config = snapshot(model), model.get_config()
    list(stream(model).run(BY_TIME))
    assert snapshot(model) == before
    assert model.get_config() == config
    variables = model_weights(model)
    stepper = stream(model)
    former = next(stepper.run(BY_TIME))
    bias = variables["ReadoutDense/bias"]
    bias.assign(as_array(bias) + np.arange(5, dtype=np.float32))
    assert not np.array_equal(next(stepper.run(BY_TIME)), former)


def test_feedforward_networks_take_each_frame_by_itself(fill_golden):
    model = b_net((SIDE, SIDE, 3), 5, width=0.02)
    fill_golden(model)
    stepper = stream(model)
    for found, frames in zip(stepper.run(BY_TIME), BY_TIME, strict=True):
        np.testing.assert_array_equal(found, model.predict_on_batch(frames))
    assert stepper.step(BY_TIME[0])[1].values == {}


@pytest.mark.parametrize(
    ("frames", "error", "says"),
    [
        (np.zeros((2, SIDE, SIDE, 3), np.uint8), TypeError, "got uint8. Convert 8-bit images"),
        (np.zeros((SIDE, SIDE, 3), np.float32), ConvRNNError, r"must have the shape .*, got \(66, 66, 3\)"),
        (MOVIES, ConvRNNError, r"Pass one frame of each movie: movies\[:, time\]"),
        (np.zeros((2, 64, SIDE, 3), np.float32), ConvRNNError, r"\('any', 66, 66, 3\), got \(2, 64, 66, 3\)"),
        (np.zeros((0, SIDE, SIDE, 3), np.float32), ConvRNNError, "at least one image"),
    ],
)
def test_wrong_frames(frames, error, says, fill_golden):
    with pytest.raises(error, match=says):
        stream(network(fill_golden, steps=2)).step(frames)


def test_wrong_states(fill_golden):
    stepper = stream(network(fill_golden, steps=2))
    _, state = stepper.step(BY_TIME[0])
    _, other = stream(network(fill_golden, steps=2), outputs="ReLU_Layer_1").step(BY_TIME[0])
    for wrong in (other, stepper.step(BY_TIME[0, :1])[1]):
        with pytest.raises(ConvRNNError, match="must be that of the step before"):
            stepper.step(BY_TIME[1], wrong)
    whole, _ = stepper.step(BY_TIME[1], state)
    assert whole.shape == (2, 5)


def test_other_models():
    image = keras.Input((64, 64, 3))
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(image))
    with pytest.raises(
        ConvRNNError, match="cannot stream dense: it must be a network as convrnn_model builds"
    ):
        stream(keras.Model(image, outputs, name="dense"))
    with pytest.raises(ConvRNNError, match="takes a Keras model or the path of a weights file, got int"):
        stream(3)
    with pytest.raises(ConvRNNError, match="no output called ReLU_Layer_9"):
        stream(bl_net((64, 64, 3), 5, 2, width=0.02), outputs=["softmax", "ReLU_Layer_9"])


def test_readouts_of_every_layer_are_an_axis(fill_golden):
    model = network(fill_golden, layer_readouts=True)
    expected = np.stack(model.predict_on_batch(MOVIES), axis=1)  # all layers of each time step
    found = np.stack(list(stream(model).run(BY_TIME)), axis=1)
    assert found.shape == (len(MOVIES), FRAMES, expected.shape[1] // FRAMES, 5)
    assert_same(found.reshape(expected.shape), expected)


MEMORY = """
import resource, sys
import keras
import numpy as np
from convrnn_model import bl_net, stream
keras.utils.set_random_seed(0)
steps = int(sys.argv[1])
frames = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
stepper = stream(bl_net((64, 64, 3), 5, width=0.05))
finite = [np.isfinite(softmax).all() for softmax in stepper.run(frames for _ in range(steps))]
assert finite == [True] * steps
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_a_thousand_frames_take_the_memory_of_ten():
    """Peak resident memory of a process of its own. A thousand states would take more than 200 MiB."""
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-c", MEMORY, steps],
                capture_output=True,
                text=True,
                env=environment,
                check=True,
            ).stdout
        )
        for steps in ("10", "1000")
    ]
    # KiB. The allocators of two processes differ by some MiB.
    assert peaks[1] < peaks[0] + 50 * 1024


def test_steps_do_not_warn_of_retracing(tmp_path):
    """TensorFlow counts the traces of all models together; each step is a model of its own."""
    code = (
        "import numpy as np; from convrnn_model import bl_net, stream\n"
        "stepper = stream(bl_net((64, 64, 3), 5, width=0.02))\n"
        "for _ in stepper.run([np.zeros((1, 64, 64, 3), np.float32)] * 9): pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "retracing" not in done.stderr
