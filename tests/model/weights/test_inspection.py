"""Identification of weights files by names and shapes."""

import json

import h5py
import numpy as np
import pytest

from convrnn_model import (
    ConvRNNError,
    inspect_weights,
)
from convrnn_model.variants import VARIANTS
from convrnn_model.weights.inspection import identify


def test_golden_file_is_identified(golden_file):
    info = inspect_weights(golden_file)
    assert (info.variant, info.classes, info.n_timesteps, info.dataset) == ("bl_net", 565, 8, "ecoset")
    assert info.sha256 == "fa9a561c3d680d881c353b3d5234e9581862d5e581cadb9129401f94a05d0f99"


@pytest.mark.parametrize("name", ["bl_net", "b_net", "b_k_net", "b_f_net", "b_d_net"])
def test_networks_of_the_original_are_identified(name, shared):
    manifest = json.loads((shared / "golden" / "manifest.json").read_text())[name.removesuffix("_net")]
    shapes = {
        f"{row['layer']}/{row['name'].rsplit('/')[-1].removesuffix(':0')}": tuple(row["shape"])
        for row in manifest["weights"]
    }
    found = identify(shapes)
    assert (found.variant, found.classes) == (name, manifest["classes"])
    assert found.n_timesteps == (8 if name == "bl_net" else 1)
    assert found.filters == tuple(c.filters for c in VARIANTS[name].convolutions())


def test_other_networks_are_rejected(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        file["dense/dense/kernel:0"] = np.zeros((2, 2), np.float32)
        file["dense"].attrs["weight_names"] = [b"dense/kernel:0"]
    with pytest.raises(ConvRNNError, match="contains none of bl_net, b_net"):
        inspect_weights(tmp_path / "w.h5")
