"""Movies in PyTorch: one frame per call, against still pictures, Keras, and gradients of the unrolled network."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; make test-backends installs it")

from convrnn_model import ConvRNNError, bl_net, load_weights, stream
from convrnn_model import torch as networks
from convrnn_model.torch import Stepper, StreamState


@pytest.fixture
def network():
    torch.manual_seed(0)
    return networks.bl(5, 3, width=0.05).eval()


@pytest.fixture
def movie():
    return torch.rand((2, 5, 3, 64, 64), generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_a_constant_movie_has_the_bits_of_the_still(network, movie):
    still = movie[:, 0]
    with torch.no_grad():
        expected = network(still)
        found = Stepper(network)(still[:, None].expand(-1, 3, -1, -1, -1))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("cumulative", [False, True])
def test_movies_are_those_of_keras(movie, tmp_path, cumulative):
    torch.manual_seed(2)
    network = networks.bl(5, 3, width=0.05, cumulative_readout=cumulative).eval()
    networks.save_weights(network, tmp_path / "w.h5")
    model = bl_net((64, 64, 3), 5, 3, cumulative, width=0.05)
    load_weights(model, tmp_path / "w.h5")
    for extra in ("repeat-last", 1):
        with torch.no_grad():
            found = Stepper(network, softmax=True, extra_timesteps=extra)(movie).numpy()
        frames = movie.permute(1, 0, 3, 4, 2).numpy()
        expected = np.stack(list(stream(model, extra_timesteps=extra).run(frames)), axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_state_is_plain_and_can_be_continued_twice(network, movie):
    stepper = Stepper(network)
    with torch.no_grad():
        _, state = stepper.step(movie[:, 0])
        before = {name: value.clone() for name, value in state.values.items()}
        first, after = stepper.step(movie[:, 1], state)
        second, _ = stepper.step(movie[:, 1], state)
    assert torch.equal(first, second)
    assert (state.time, after.time) == (1, 2)
    assert all(torch.equal(before[name], value) for name, value in state.values.items())


def test_gradients_flow_through_the_state_unless_it_is_detached(network, movie):
    stepper = Stepper(network)
    first = movie[:, 0].clone().requires_grad_()
    _, state = stepper.step(first)
    output, _ = stepper.step(movie[:, 1], state)
    output.sum().backward()
    assert first.grad is not None
    assert first.grad.abs().sum() > 0
    again = movie[:, 0].clone().requires_grad_()
    _, state = stepper.step(again)
    cut = state.detach()
    output, _ = stepper.step(movie[:, 1], cut)
    assert cut.time == 1
    assert not any(value.requires_grad for value in cut.values.values())
    output.sum().backward()
    assert again.grad is None


def test_training_updates_the_statistics_of_each_time_step(network, movie):
    network.train()
    before = [
        network.get_submodule(f"BatchNorm_Layer_0_Time_{time}").running_mean.clone() for time in range(3)
    ]
    Stepper(network)(movie[:, :2])
    after = [network.get_submodule(f"BatchNorm_Layer_0_Time_{time}").running_mean for time in range(3)]
    assert [torch.equal(*pair) for pair in zip(before, after, strict=True)] == [False, False, True]


def test_memory_of_the_state_does_not_grow(network, movie):
    stepper, state = Stepper(network), None
    sizes = set()
    with torch.no_grad():
        for time in range(40):
            _, state = stepper.step(movie[:, time % 5], state)
            sizes.add(sum(value.numel() for value in state.values.values()))
    assert len(sizes) == 1
    assert len(stepper._steps) == 3


@pytest.mark.parametrize("build", [networks.bt, networks.blt, networks.b_u])
def test_other_recurrent_networks_take_movies(build, movie):
    torch.manual_seed(3)
    network = build(5, 3, width=0.05).eval()
    still = movie[:, 0]
    with torch.no_grad():
        found = Stepper(network)(still[:, None].expand(-1, 5, -1, -1, -1))
        torch.testing.assert_close(found[:, :3], network(still))
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("layers", [False, True])
@pytest.mark.parametrize("build", [networks.bl, networks.blt, networks.b_u])
def test_the_module_takes_movies_of_its_time_steps(build, layers, movie):
    torch.manual_seed(4)
    network = build(5, 3, width=0.05, layer_readouts=layers).eval()
    for frames in (1, 3):
        shown = movie[:, :frames]
        with torch.no_grad():
            found, expected = network(shown), Stepper(network)(shown)
        # A readout per layer is an axis of the stepper.
        assert expected.ndim == (4 if layers else 3)
        assert torch.equal(found, expected.flatten(1, -2))
    with pytest.raises(
        ConvRNNError, match=r"takes movies of 1 to 3 frames, one per time step, got 5\. Use `Stepper`"
    ):
        network(movie)


def test_gradients_of_a_movie_reach_every_frame(network, movie):
    shown = movie[:, :3].clone().requires_grad_()
    network(shown)[:, -1].sum().backward()
    assert (shown.grad.abs().sum(dim=(0, 2, 3, 4)) > 0).all()


def test_feedforward_networks_take_each_frame_by_itself(movie):
    network = networks.b(5, width=0.05).eval()
    with torch.no_grad():
        found = Stepper(network)(movie)
        assert torch.equal(found[:, 3], network(movie[:, 3]))
        torch.testing.assert_close(network(movie), found)


def test_wrong_movies_and_states_are_refused(network, movie):
    stepper = Stepper(network, extra_timesteps="error")
    with (
        pytest.raises(ConvRNNError, match="batch normalisation for 3 time steps, got frame 3"),
        torch.no_grad(),
    ):
        stepper(movie)
    with pytest.raises(ConvRNNError, match=r"a movie is \(batch, time, channels, height, width\)"):
        stepper(movie[:, 0])
    with pytest.raises(ConvRNNError, match="must be a time step of bl_net, from 0 to 2, got 3"):
        Stepper(network, extra_timesteps=3)
    with pytest.raises(ConvRNNError, match=r"a stepper takes a network of convrnn_model\.torch, got Linear"):
        Stepper(torch.nn.Linear(2, 2))
    with torch.no_grad():
        _, state = stepper.step(movie[:, 0])
    with pytest.raises(ConvRNNError, match="that of the step before for 1 movies, got 2"):
        stepper.step(movie[:1, 1], state)
    with pytest.raises(ConvRNNError, match="got no ReLU_Layer_0"):
        stepper.step(movie[:, 1], StreamState(1))
