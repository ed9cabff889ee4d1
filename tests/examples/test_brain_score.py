"""The Brain-Score plugin in Brain-Score, on drawn images; no benchmark is scored."""

import importlib.util
import itertools

import numpy as np
import pytest

from convrnn_model import category_classes, class_names, map_decisions

if importlib.util.find_spec("brainscore_vision") is None:
    pytest.skip("brainscore_vision is not installed", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of Brain-Score and of what it imports
IDENTIFIER = "convrnn-bl"


@pytest.fixture
def plugin(bl_is_narrow, load, monkeypatch, tmp_path):
    """The plugin, as if it was a folder of brainscore_vision/models."""
    monkeypatch.setenv("RESULTCACHING_HOME", str(tmp_path))
    monkeypatch.setenv("RESULTCACHING_DISABLE", "1")
    return load("brain_score/__init__.py", "brainscore_vision.models.convrnn_bl")


@pytest.fixture
def commitment(plugin):
    from brainscore_vision import model_registry

    return model_registry[IDENTIFIER]()


@pytest.fixture
def stimuli(photographs):
    from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

    paths = sorted(photographs.rglob("*.png"))
    stimuli = StimulusSet({"stimulus_id": [path.stem for path in paths]})
    stimuli.stimulus_paths = {path.stem: path for path in paths}
    stimuli.identifier = "drawn"
    return stimuli


@pytest.fixture
def network(bl_is_narrow, narrow_bl):
    from convrnn_model.torch import load_weights

    network = bl_is_narrow(1000).eval()
    load_weights(network, narrow_bl)
    return network


def pixels(stimuli):
    """Images in [-1, 1], (n, 3, 128, 128), resized by pillow."""
    import torch
    from PIL import Image

    images = [Image.open(path).resize((128, 128), Image.Resampling.BILINEAR) for path in stimuli]
    array = np.stack([np.asarray(image, np.float32) / 127.5 - 1 for image in images])
    return torch.from_numpy(array).movedim(-1, 1).contiguous()


def test_registered_under_its_identifier(commitment):
    assert commitment.identifier == IDENTIFIER
    assert 0 < commitment.visual_degrees() < 180


def test_activations_of_every_committed_layer(plugin, commitment, network, stimuli):
    import torch

    paths = list(map(str, stimuli.stimulus_paths.values()))
    layers = [*plugin.LAYERS, plugin.READOUT]
    found = commitment.activations_model(paths, layers=layers)
    assert set(found["layer"].values) == set(layers)
    expected = {}
    for name in layers:
        network.get_submodule(name.removeprefix("network.")).register_forward_hook(
            lambda *call, name=name: expected.update({name: call[2].flatten(1).numpy()})
        )
    with torch.no_grad():
        network(pixels(paths))
    for name in layers:
        np.testing.assert_allclose(found.sel(layer=name).values, expected[name], rtol=1e-4, atol=1e-4)


def test_recording_of_a_region(commitment, plugin, stimuli):
    """Brain-Score chooses the layer of a region by its data, which are not at hand: V4 is assigned one."""
    commitment.layer_model.region_layer_map["V4"] = plugin.LAYERS[4]
    commitment.start_recording("V4", time_bins=[(70, 170)])
    found = commitment.look_at(stimuli)
    assert set(found["layer"].values) == {plugin.LAYERS[4]}
    assert list(found["stimulus_id"].values) == list(stimuli["stimulus_id"])


def test_answers_are_those_of_the_last_time_step(commitment, network, stimuli):
    """Brain-Score averages over classes of a table of its own, which has the same ones for all but trucks."""
    import torch
    from brainscore_vision.model_interface import BrainModel

    with torch.no_grad():
        last = network(pixels(stimuli.stimulus_paths.values()))[:, -1].softmax(-1)
    scores = dict(zip(category_classes(), map_decisions(last.numpy(), "imagenet").T, strict=True))
    del scores["truck"]
    # An untrained network prefers one of all categories for every image, so choose two of which it does not.
    pair = max(itertools.combinations(scores, 2), key=lambda pair: np.std(scores[pair[0]] > scores[pair[1]]))
    expected = [
        pair[0] if first > second else pair[1] for first, second in zip(*map(scores.get, pair), strict=True)
    ]
    assert set(expected) == set(pair)
    commitment.start_task(BrainModel.Task.label, choice_labels=list(pair))
    assert commitment.look_at(stimuli).values.ravel().tolist() == expected


def test_classes_of_the_16_categories():
    """As docs/protocol.md states, the tables of Brain-Score and of model-vs-human have more classes of trucks."""
    from brainscore_vision.model_helpers.brain_transformation.behavior import LabelToImagenetIndices

    names = class_names("imagenet")
    found = {
        category: {names[index] for index in LabelToImagenetIndices.label_to_indices(category)}
        for category in category_classes()
    }
    more = {category: found[category] - set(classes) for category, classes in category_classes().items()}
    assert all(set(classes) <= found[category] for category, classes in category_classes().items())
    assert {category for category in more if more[category]} == {"truck"}
    assert more["truck"] == {"n03345487", "n03770679", "n03930630", "n03977966", "n04461696"}
