"""Feature extraction with torchvision, compared with hooks on the same network."""

import importlib

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import convrnn_model.torch as ours
from convrnn_model import ConvRNNError, names

try:
    feature_extraction = importlib.import_module("torchvision.models.feature_extraction")
except (ImportError, RuntimeError) as error:  # a build for another PyTorch lacks its operators
    pytest.skip(f"torchvision cannot be imported: {error}", allow_module_level=True)

CLASSES = 5


@pytest.fixture
def network(golden_weights_file):
    network = ours.bl(CLASSES, 3, width=0.02)
    ours.load_weights(network, golden_weights_file(network.architecture))
    return network.eval()


@pytest.fixture
def images():
    return torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0)) * 2 - 1


def hooked(network, layers, images):
    """Return the outputs of all calls of layers, by name, and the output of the network."""
    found = {name: [] for name in layers}
    handles = [
        network.get_submodule(name).register_forward_hook(
            lambda *call, name=name: found[name].append(call[2])
        )
        for name in layers
    ]
    with torch.no_grad():
        output = network(images)
    for handle in handles:
        handle.remove()
    return found, output


def node(name):
    """Name of a layer's node: of modules of PyTorch, torchvision cuts off a number and counts calls, from 1."""
    return name.removesuffix("_0") if name.startswith(("ReLU", "MaxPool")) else name


def extractor_of(network, nodes):
    # BatchNorm has other operations in training, of which torchvision would warn.
    return feature_extraction.create_feature_extractor(
        network, return_nodes=nodes, suppress_diff_warning=True
    )


def test_layers_at_time_steps(network, images):
    layers = [names.relu(layer, time) for layer in (0, 4, 6) for time in range(3)]
    layers += [names.max_pool(1, 0), names.max_pool(5, 2), names.batch_norm(3, 0), names.batch_norm(3, 1)]
    layers += [names.global_pool(0), names.global_pool(2)]
    expected, _ = hooked(network, layers, images)
    extractor = extractor_of(network, {node(name): name for name in layers})
    with torch.no_grad():
        found = extractor(images)
    assert set(found) == set(layers)
    for name in layers:
        (values,) = expected[name]
        torch.testing.assert_close(found[name], values, rtol=1e-5, atol=1e-6)


def test_shared_layers_are_numbered_by_their_calls(network, images):
    expected, output = hooked(network, [names.READOUT, names.lateral(2)], images)
    nodes = [
        names.READOUT,
        f"{names.READOUT}_1",
        f"{names.READOUT}_2",
        names.lateral(2),
        f"{names.lateral(2)}_1",
    ]
    with torch.no_grad():
        found = extractor_of(network, nodes)(images)
    assert [len(calls) for calls in expected.values()] == [3, 2]  # time step 0 has no lateral input
    calls = [*expected[names.READOUT], *expected[names.lateral(2)]]
    for name, values in zip(nodes, calls, strict=True):
        torch.testing.assert_close(found[name], values, rtol=1e-5, atol=1e-6)
    readouts = torch.stack([found[name] for name in nodes[:3]], 1)
    torch.testing.assert_close(readouts, output, rtol=1e-5, atol=1e-6)


def test_only_what_the_features_need_is_computed(network, images):
    extractor = extractor_of(network, [node(names.relu(1, 0))])
    assert not any(name.endswith(("Time_1", "Time_2")) for name, _ in extractor.named_modules())
    with torch.no_grad():
        (features,) = extractor(images).values()
    assert features.shape[-2:] == (32, 32)


def test_errors_of_the_network_are_kept(network, images):
    extractor = extractor_of(network, [names.relu(6, 2)])
    with pytest.raises(ConvRNNError, match="takes images"):
        extractor(images.movedim(1, -1))
