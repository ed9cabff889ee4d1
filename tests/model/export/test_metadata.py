"""Metadata of exported files."""

import json

import convrnn_model
from convrnn_model import class_names
from convrnn_model.export.metadata import graph_metadata, network_metadata
from convrnn_model.inference.operations import Architecture
from convrnn_model.variants import VARIANTS


def architecture(variant, classes, n_timesteps=None, cumulative=False):
    return Architecture(
        variant, VARIANTS[variant].convolutions(), classes, n_timesteps, cumulative, 3, (None, None)
    )


def test_published_networks():
    found = network_metadata(architecture("bl_net", 565, 8, True), "ab12")
    assert json.loads(found.pop("categories")) == list(class_names("ecoset"))
    assert found == {
        "variant": "bl_net",
        "dataset": "ecoset",
        "classes": "565",
        "n_timesteps": "8",
        "cumulative_readout": "true",
        "input_range": "[-1, 1]",
        "package_version": convrnn_model.__version__,
        "weights_sha256": "ab12",
    }


def test_other_networks():
    found = network_metadata(architecture("b_net", 16))
    assert (found["dataset"], found["n_timesteps"], found["cumulative_readout"]) == ("unknown", "1", "false")
    assert not {"categories", "weights_sha256"} & set(found)


def test_graphs():
    assert graph_metadata("NCHW", (64, 71), ["a", "b"]) == {
        "input_name": "image",
        "input_layout": "NCHW",
        "image_size": "[64, 71]",
        "outputs": '["a", "b"]',
    }
