"""Single time steps of a network: operations, state, and the batch normalisation that they use."""

import numpy as np
import plain_engine
import pytest

from convrnn_model import ConvRNNError, b_net, bl_net, names
from convrnn_model.inference.frozen import from_keras
from convrnn_model.inference.operations import all_operations
from convrnn_model.inference.steps import step_at, step_key

FRAMES = np.random.default_rng(0).uniform(-1, 1, (4, 1, 64, 64, 3)).astype(np.float32)
STATE = {f"ReLU_Layer_{n}" for n in range(7)}


@pytest.fixture(scope="module", params=[False, True])
def movie(request, fill_golden):
    """A frozen network of movies of four frames, with plain and with cumulative readouts."""
    model = bl_net((4, 64, 64, 3), 5, cumulative_readout=request.param, width=0.02)
    fill_golden(model)
    return from_keras(model)


def test_steps_in_turn_are_the_unrolled_network(movie):
    inputs = {names.frame(time): frame for time, frame in enumerate(FRAMES)}
    expected = plain_engine.run(movie, tuple(all_operations(movie)), inputs)
    outputs = ["Sotfmax", "ReLU_Layer_3", "ReadoutDense"]
    state = {}
    for time, frame in enumerate(FRAMES):
        step = step_at(movie, step_key(movie, time, None), outputs)
        given = {step.image: frame} | {value: state[name] for name, value in step.reads.items()}
        values = plain_engine.run(movie, step.operations, given)
        state = {name: values[value] for name, value in step.keeps.items()}
        assert set(state) == STATE | ({"CumulativeReadout"} if movie.cumulative_readout else set())
        for name in outputs:
            np.testing.assert_array_equal(values[step.outputs[name]], expected[names.at(name, time)])
        assert {o.output for o in step.operations if o.wanted} == {
            *step.keeps.values(),
            *step.outputs.values(),
        }


def test_only_what_outputs_and_later_steps_need(movie):
    for time in (0, 2):
        step = step_at(movie, (time, time), ["ReLU_Layer_2"])
        assert set(step.keeps) == {f"ReLU_Layer_{n}" for n in range(3)}
        assert set(step.reads) == (set(step.keeps) if time else set())
        assert {o.kind for o in step.operations} >= {"convolution", "relu"}
        assert not any(o.kind == "dense" for o in step.operations)


@pytest.mark.parametrize(
    ("extra", "key"), [(3, (3, 3)), (2, (2, 2)), (1, (1, 1)), (0, (1, 0)), (np.int64(2), (2, 2))]
)
def test_further_steps(movie, extra, key):
    assert [step_key(movie, time, extra) for time in range(4)] == [(time, time) for time in range(4)]
    assert step_key(movie, 4, extra) == step_key(movie, 1000, extra) == key
    step = step_at(movie, key, ["Sotfmax"])
    used = {o.weights for o in step.operations if o.kind == "normalization"}
    assert used == {names.batch_norm(n, extra) for n in range(7)}
    assert {o.weights for o in step.operations if o.kind == "convolution"} == {
        name(n) for n in range(7) for name in (names.bottom_up, names.lateral)
    }


def test_no_further_steps(movie):
    with pytest.raises(ConvRNNError, match=r"for 4 time steps, got frame 4.*extra_timesteps='repeat-last'"):
        step_key(movie, 4, None)
    single = from_keras(bl_net((64, 64, 3), 5, 1, width=0.02))
    assert step_key(single, 0, 0) == (0, 0)
    with pytest.raises(ConvRNNError, match="at least 2 time steps to take several frames, got 1"):
        step_key(single, 1, 0)


def test_unknown_outputs(movie):
    with pytest.raises(ConvRNNError, match=r"no output called ReLU_Layer_7 \(did you mean ReLU_Layer_"):
        step_at(movie, (0, 0), ["ReLU_Layer_7"])
    # The first time step has no lateral convolution.
    for name in ("RCL_2_LConv", "ReLU_Layer_2_Time_1"):
        with pytest.raises(ConvRNNError, match=f"no output called {name}"):
            step_at(movie, (1, 1), [name])


def test_feedforward_networks_have_no_state(fill_golden):
    network = from_keras(b_net((64, 64, 3), 5, width=0.02))
    assert step_key(network, 1000, None) == (0, 0)
    step = step_at(network, (0, 0), ["Softmax", "ReLU_Layer_3"])
    assert not step.reads
    assert not step.keeps
    assert [o.output for o in step.operations if o.wanted] == ["ReLU_Layer_3", "Softmax"]
    with pytest.raises(ConvRNNError, match="no output called Sotfmax"):
        step_at(network, (0, 0), ["Sotfmax"])
