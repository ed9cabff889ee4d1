"""Models for model-vs-human, in a fake of its documented interface, since it is installed from GitHub only."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from convrnn_model import category_classes, map_decisions

FILE = "model_vs_human/evaluate_bl.py"


def test_missing_packages_give_an_error_in_one_line(without):
    status, stderr = without(FILE, "modelvshuman")
    assert status == 1
    assert stderr.startswith("cannot import what the example needs: import of modelvshuman halted")
    assert stderr.endswith("Install it as README.md says.\n")


class PyTorchModel:
    """Stand-in for `modelvshuman.models.wrappers.pytorch.PyTorchModel`."""

    def __init__(self, model, model_name, *args):
        self.model, self.model_name = model, model_name

    def forward_batch(self, images):
        self.model.eval()
        return self.model(images).numpy()

    def softmax(self, logits):
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return shares / shares.sum(1, keepdims=True)


@pytest.fixture
def zoo(monkeypatch):
    """The modules that the example imports: a registry, a model zoo, and an evaluator that records its arguments."""
    registered = {"pytorch": []}

    def register_model(framework):
        def register(function):
            registered[framework].append(function.__name__)
            return function

        return register

    calls = []
    modules = {
        "modelvshuman": {"Evaluate": lambda: lambda *args, **options: calls.append((args, options))},
        "modelvshuman.models": {},
        "modelvshuman.models.pytorch": {},
        "modelvshuman.models.pytorch.model_zoo": {},
        "modelvshuman.models.registry": {"register_model": register_model},
        "modelvshuman.models.wrappers": {},
        "modelvshuman.models.wrappers.pytorch": {"PyTorchModel": PyTorchModel},
    }
    for name, attributes in modules.items():
        module = ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)
        package, _, child = name.rpartition(".")
        if package:
            setattr(sys.modules[package], child, module)
    models = sys.modules["modelvshuman.models.pytorch.model_zoo"]
    return SimpleNamespace(models=models, registered=registered["pytorch"], calls=calls)


@pytest.fixture
def example(zoo, bl_is_narrow, load):
    return load(FILE)


@pytest.fixture
def stimuli():
    """Images in [0, 1], (n, 3, 224, 224), of which each pixel of 128 x 128 px is a mean."""
    torch = pytest.importorskip("torch")
    small = torch.rand((6, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    small[3:] *= 0.3
    return small.repeat_interleave(7, 2).repeat_interleave(7, 3)


def normalised(images):
    """What the data loaders of model-vs-human return."""
    import torch

    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images - mean[:, None, None]) / std[:, None, None]


def test_models_answer_at_their_time_step(example, zoo, bl_is_narrow, narrow_bl, stimuli):
    import torch

    from convrnn_model.torch import load_weights

    names = example.register(narrow_bl)
    assert names == zoo.registered == [f"bl_time_{time}" for time in range(8)]
    network = bl_is_narrow(1000).eval()
    load_weights(network, narrow_bl)
    resized = torch.nn.functional.interpolate(stimuli, (128, 128), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = network(2 * resized - 1)
        given = normalised(stimuli)
        unchanged = given.clone()
        for time in (0, 3, 7):
            model = getattr(zoo.models, names[time])(names[time])
            assert model.model_name == names[time]
            logits = model.forward_batch(given)
            np.testing.assert_allclose(logits, expected[:, time].numpy(), rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(given, unchanged, rtol=0, atol=0)
            # The rule of model-vs-human, with the synsets of this package: the mean over the classes of a category.
            scores = map_decisions(model.softmax(logits), "imagenet")
            assert (
                scores.argmax(-1) == map_decisions(expected[:, time].softmax(-1).numpy()).argmax(-1)
            ).all()
    # The images are told apart by far more than the tolerance.
    assert np.ptp(logits, axis=0).max() > 0.1
    assert scores.shape == (6, len(category_classes()))


def test_no_more_time_steps_are_computed_than_needed(example, zoo, narrow_bl):
    example.register(narrow_bl)
    network = zoo.models.bl_time_2("bl_time_2").model.network
    assert network.architecture.n_timesteps == 3


def test_command(example, zoo, narrow_bl, monkeypatch):
    words = ["evaluate_bl.py", "cue-conflict", "uniform-noise", "--weights", str(narrow_bl)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stopped:
        example.typer.run(example.main)
    assert not stopped.value.code
    (((models, datasets), options),) = zoo.calls
    assert models == zoo.registered
    assert datasets == ["cue-conflict", "uniform-noise"]
    assert options == {"batch_size": 16, "num_workers": 4, "print_predictions": True}
