"""Networks in PyTorch: outputs of the original, gradients and training of Keras, names, compilation, export."""

import copy
import gc
import pickle

import keras
import numpy as np
import pytest

from convrnn_model import ConvRNNError, load_weights, names, save_weights
from convrnn_model.inference.operations import layers_in_order
from convrnn_model.networks import BUILDERS
from convrnn_model.variants import VARIANTS
from convrnn_model.weights.load_save import as_array, model_weights

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from convrnn_model import torch as ours
from convrnn_model.torch.networks import Network

# float32, another summation order; the outputs for the two images differ by 1e-2 in log probability.
RTOL = 1e-5
FUNCTIONS = {
    "bl_net": ours.bl,
    "b_net": ours.b,
    "b_k_net": ours.b_k,
    "b_f_net": ours.b_f,
    "b_d_net": ours.b_d,
    "b_u_net": ours.b_u,
    "bt_net": ours.bt,
    "blt_net": ours.blt,
}
IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 97, 71, 3)).astype(np.float32)


def channels_first(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def tiny(n_timesteps=3, **options):
    torch.manual_seed(0)
    return ours.bl(5, n_timesteps, width=0.02, **options)


def run(network, images=IMAGES):
    with torch.no_grad():
        return network.eval()(channels_first(images)).numpy()


def assert_close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.fixture(scope="module")
def golden(shared):
    return dict(np.load(shared / "golden" / "bl_ecoset.npz"))


@pytest.fixture(scope="module")
def golden_answers(golden, golden_file):
    """Outputs of the named modules of BL with the golden weights, in one pass."""
    network = ours.bl(565, softmax=True).eval()
    ours.load_weights(network, golden_file)
    answers = {}
    wanted = [names.global_pool(t) for t in range(8)]
    wanted += [names.relu(n, t) for t in (0, 3, 7) for n in range(7)]
    for name in wanted:
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: answers.update({name: output.numpy()})
        )
    with torch.no_grad():
        answers["softmax"] = network(ours.Preprocess()(golden["images"])).numpy()
    return answers


def test_bl_reproduces_the_original(golden, golden_answers):
    np.testing.assert_allclose(golden_answers["softmax"].swapaxes(0, 1), golden["softmax"], rtol=RTOL)


def test_bl_reproduces_the_pooled_features(golden, golden_answers):
    features = np.stack([golden_answers[names.global_pool(t)] for t in range(8)])
    # Features after ReLU can be small differences of large sums, so errors are relative to the largest.
    largest = golden["gap"].max(axis=-1, keepdims=True)
    np.testing.assert_allclose(features / largest, golden["gap"] / largest, rtol=0, atol=RTOL)


@pytest.mark.parametrize(("key", "statistic"), [("relu_mean", np.mean), ("relu_std", np.std)])
def test_bl_reproduces_the_activations(key, statistic, golden, golden_answers):
    found = [
        [statistic(golden_answers[names.relu(n, t)], dtype=np.float64) for n in range(7)] for t in (0, 3, 7)
    ]
    np.testing.assert_allclose(found, golden[key], rtol=RTOL)


def test_bl_reproduces_the_cumulative_readout(golden, golden_file):
    network = ours.bl(565, cumulative_readout=True, softmax=True).eval()
    ours.load_weights(network, golden_file)
    with torch.no_grad():
        found = network(ours.Preprocess()(golden["images"])).numpy()
    np.testing.assert_allclose(found.swapaxes(0, 1), golden["softmax_cumulative"], rtol=RTOL)


@pytest.mark.parametrize("name", ["b_net", "b_k_net", "b_f_net", "b_d_net"])
def test_feedforward_networks_reproduce_the_original(name, shared, golden_weights_file):
    golden = np.load(shared / "golden" / f"{name.removesuffix('_net')}.npz")
    network = FUNCTIONS[name](1000, softmax=True).eval()
    path = golden_weights_file(network.architecture)
    ours.load_weights(network, path)
    path.unlink()
    with torch.no_grad():
        found = network(ours.Preprocess()(golden["images"])).numpy()
    np.testing.assert_allclose(found, golden["softmax"], rtol=RTOL)
    del network
    gc.collect()


def keras_twin(name, path, fill_golden, **options):
    """Return a Keras network whose weights are also written to `path`."""
    model = BUILDERS[name]((64, 64, 3), 5, width=0.02, **options)
    fill_golden(model)
    save_weights(model, path)
    return model


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, {}) for name in VARIANTS]
    + [("bl_net", {"n_timesteps": 3, "cumulative_readout": True}), ("bl_net", {"n_timesteps": 1})],
)
def test_outputs_equal_those_of_keras(name, options, fill_golden, tmp_path):
    images = IMAGES[:, :64, :64]
    model = keras_twin(name, tmp_path / "w.h5", fill_golden, **options)
    expected = np.asarray(model.predict_on_batch(images))
    network = FUNCTIONS[name](5, width=0.02, softmax=True, **options)
    ours.load_weights(network, tmp_path / "w.h5")
    found = run(network, images)
    # float32, another summation order.
    found = found.swapaxes(0, 1) if VARIANTS[name].recurrent else found
    assert_close(found, expected.reshape(found.shape), 1e-6)


@pytest.mark.parametrize("name", ["bl_net", "b_d_net", "b_u_net", "blt_net"])
def test_a_training_step_equals_that_of_keras(name, fill_golden, tmp_path):
    """Weights after one step of gradient descent, which are the gradients, and the running statistics."""
    options = {"n_timesteps": 3} if VARIANTS[name].recurrent else {}
    steps = options.get("n_timesteps", 1)
    images = np.random.default_rng(1).uniform(-1, 1, (6, 64, 64, 3)).astype(np.float32)
    labels = np.arange(6) % 5
    model = keras_twin(name, tmp_path / "w.h5", fill_golden, **options)
    network = FUNCTIONS[name](5, width=0.02, **options)
    ours.load_weights(network, tmp_path / "w.h5")
    before = {weight: as_array(variable) for weight, variable in model_weights(model).items()}

    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(1.0), loss=[loss] * steps if steps > 1 else loss)
    model.train_on_batch(images, [labels] * steps if steps > 1 else labels)

    optimizer = torch.optim.SGD(ours.parameter_groups(network), 1.0)
    logits = network.train()(channels_first(images)).reshape(-1, 5)
    targets = torch.from_numpy(labels).repeat_interleave(steps)
    (steps * torch.nn.functional.cross_entropy(logits, targets)).backward()
    optimizer.step()

    ours.save_weights(network, tmp_path / "ours.h5")
    again = BUILDERS[name]((64, 64, 3), 5, width=0.02, **options)
    load_weights(again, tmp_path / "ours.h5")
    expected = model_weights(model)
    for weight, variable in model_weights(again).items():
        change, other = as_array(variable) - before[weight], as_array(expected[weight]) - before[weight]
        # float32: in a network this deep, both differ from float64 by up to 1e-4 of the largest.
        atol = 5e-4 * np.abs(other).max() + 1e-6
        np.testing.assert_allclose(change, other, rtol=0, atol=atol, err_msg=weight)
        assert np.abs(other).max() > 0


def test_parameter_groups_are_the_penalty_of_the_original():
    network = tiny()
    kernels, others = ours.parameter_groups(torch.nn.Sequential(network))
    penalty = sum(1e-6 * (kernel**2).sum() for kernel in kernels["params"])
    penalty.backward()
    for kernel in kernels["params"]:
        torch.testing.assert_close(kernel.grad, kernels["weight_decay"] * kernel)
    assert len(kernels["params"]) == 15  # two convolutions in seven layers, and the readout
    assert others["weight_decay"] == 0
    assert len(kernels["params"]) + len(others["params"]) == len(list(network.parameters()))


@pytest.mark.parametrize("name", VARIANTS)
def test_modules_have_the_published_names(name):
    network = FUNCTIONS[name](5, width=0.02)
    assert {child for child, _ in network.named_children()} | {"input_1"} == set(
        layers_in_order(network.architecture)
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("bl_net", 28_939_016),
        ("b_net", 11_046_280),
        ("b_k_net", 39_804_552),
        ("b_f_net", 40_023_848),
        ("b_d_net", 28_836_872),
    ],
)
def test_number_of_parameters(name, parameters):
    with torch.device("meta"):
        network = FUNCTIONS[name](1000)
    counted = [value for key, value in network.state_dict().items() if "num_batches" not in key]
    assert sum(value.numel() for value in counted) == parameters


def test_initial_weights_are_those_of_glorot():
    convolution = ours.b(1000, width=0.5).get_submodule("Conv_Layer_3").weight.detach()
    limit = np.sqrt(6 / (9 * (96 + 128)))
    assert 0.99 * limit < convolution.abs().max() <= limit
    assert not ours.b(10, width=0.1).ReadoutDense.bias.any()


def test_hooks_are_called_at_every_time_step():
    network, called = tiny(), []
    for name, module in network.named_children():
        module.register_forward_hook(lambda module, inputs, output, name=name: called.append(name))
    run(network)
    # The image's convolution is computed once, and there is no lateral convolution at time step 0.
    assert [called.count(f"RCL_{n}_{part}Conv") for n in (0, 6) for part in "BL"] == [1, 2, 3, 2]
    assert called.count("ReadoutDense") == 3
    assert called.count("ReLU_Layer_6_Time_2") == 1
    assert not [name for name in called if "Sotfmax" in name]


def test_softmax_and_cumulative_readout():
    network = tiny()
    logits = run(network)
    probabilities, cumulative = tiny(softmax=True), tiny(cumulative_readout=True)
    np.testing.assert_allclose(run(probabilities), torch.from_numpy(logits).softmax(-1), rtol=1e-6)
    np.testing.assert_allclose(run(cumulative), logits.cumsum(1), rtol=1e-5, atol=1e-6)


def test_shapes():
    assert run(tiny(1)).shape == (2, 1, 5)
    assert run(ours.b(4, width=0.02)).shape == (2, 4)
    assert run(ours.b(4, width=0.02, channels=1), IMAGES[..., :1]).shape == (2, 4)


def test_an_image_gradient_reaches_every_time_step():
    images = channels_first(IMAGES).requires_grad_()
    for time in range(3):
        (gradient,) = torch.autograd.grad(tiny().eval()(images)[:, time].square().sum(), images)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0


def test_channels_last():
    network = tiny()
    expected = run(network)
    contiguous = channels_first(IMAGES).contiguous()
    network = network.to(memory_format=torch.channels_last)
    with torch.no_grad():
        assert_close(network(contiguous).numpy(), expected, 1e-6)
        assert_close(network(contiguous.to(memory_format=torch.channels_last)).numpy(), expected, 1e-6)


def test_autocast_in_bfloat16():
    network = tiny()
    expected = run(network)
    with torch.autocast("cpu", torch.bfloat16):
        found = run_bfloat16(network)
        loss = network.train()(channels_first(IMAGES)).float().square().mean()
    assert_close(found, expected, 0.05)  # bfloat16 has 8 bits, and errors add up over time
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def run_bfloat16(network):
    with torch.no_grad():
        found = network.eval()(channels_first(IMAGES))
    assert found.dtype == torch.bfloat16
    return found.float().numpy()


def test_copies_and_state():
    network = tiny()
    expected = run(network)
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        np.testing.assert_array_equal(run(copied), expected)
    other = ours.bl(5, 3, width=0.02)
    other.load_state_dict(network.state_dict())
    np.testing.assert_array_equal(run(other), expected)
    assert "bl_net, classes=5, n_timesteps=3" in repr(network)


@pytest.mark.parametrize("training", [False, True])
def test_symbolic_trace(training):
    network = tiny().train(training)
    traced = torch.fx.symbolic_trace(copy.deepcopy(network))
    images = channels_first(IMAGES)
    for _ in range(2):
        torch.testing.assert_close(traced(images), network(images), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        traced.get_submodule("BatchNorm_Layer_2_Time_1").running_var,
        network.get_submodule("BatchNorm_Layer_2_Time_1").running_var,
    )


def test_export_with_free_batch():
    network = tiny().eval()
    images = channels_first(IMAGES)
    exported = torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    more = torch.cat([images, images])
    torch.testing.assert_close(exported.module()(more), network(more), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")  # from PyTorch's compiler
@pytest.mark.parametrize("training", [False, True])
def test_compiled(training):
    network = tiny(2).train(training)
    twin = copy.deepcopy(network)
    images = channels_first(IMAGES)
    compiled = torch.compile(network, fullgraph=True)
    torch.testing.assert_close(compiled(images), twin(images), rtol=1e-4, atol=1e-5)
    for (name, found), (_, expected) in zip(network.named_buffers(), twin.named_buffers(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet", 5), "unknown network"),
        (("bl", 0), "classes must be a positive integer, got 0"),
        (("bl", 5, 0), "n_timesteps must be a positive integer, got 0"),
        (("b", 5, 3), "n_timesteps and cumulative_readout belong to recurrent networks, and b_net"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ConvRNNError, match=message):
        Network(*arguments)


def test_options_out_of_range():
    with pytest.raises(ConvRNNError, match="width must be a positive factor"):
        ours.b(5, width=0)
    with pytest.raises(ConvRNNError, match="channels must be a positive integer"):
        ours.b(5, channels=0)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 64, 64, 3), r"takes images \(batch, 3, height, width\), got \(1, 64, 64, 3\)"),
        (torch.zeros(3, 64, 64), r"got \(3, 64, 64\)"),
        (torch.zeros(1, 3, 64, 63), "halves an image 6 times.* at least 64 px, got 64 x 63"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "takes floating-point images.*got torch.uint8"),
    ],
)
def test_unusable_images(images, message):
    with pytest.raises(ConvRNNError, match=message):
        tiny()(images)
