"""Weights files."""

import contextlib
import functools
import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st

from convrnn_model.weights.inspection import inspect_weights
from fuzz.harness import Target, demand, put
from fuzz.seeds import weights
from fuzz.strategies import edited

# fmt: off
TOKENS = (
    b"\x89HDF", b"TREE", b"SNOD", b"HEAP", b"OHDR", b"OCHK", b"GCOL", b"FRHP", b"BTHD", b"layer_names", b"weight_names",
)
# fmt: on
VALID = {
    "b": weights.valid(),
    "bl": weights.valid(recurrent=True),
    "readout": weights.valid(only_readout=True),
    "latest": weights.valid(only_readout=True, libver="latest"),
}
SEEDS = {
    **VALID,
    **weights.hostile(VALID["readout"]),
    **{f"b_{name}": data for name, data in weights.hostile(VALID["b"]).items()},
}
# HDF5 is slow for large files.
SMALL = tuple(seed for seed in SEEDS.values() if len(seed) <= 30_000)


def _inspect(data: bytes, folder: Path) -> None:
    info = inspect_weights(put(folder / "w.h5", data))
    demand(info.classes >= 0 and info.n_timesteps >= 1, f"{info}")
    demand(info.sha256 == hashlib.sha256(data).hexdigest(), "another sha256")


@functools.cache
def _model() -> Any:
    import keras  # slow to import

    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, use_bias=False, name="ReadoutDense")])


def _load(data: bytes, folder: Path) -> None:
    from convrnn_model.weights.load_save import as_array, load_weights

    report = load_weights(_model(), put(folder / "w.h5", data))
    demand(report.loaded == ("ReadoutDense/kernel",), f"{report}")
    kernel = as_array(_model().weights[0])
    demand(bool(np.isfinite(kernel).all()), "weights that are not finite")
    # A group that HDF5 cannot list cannot be compared.
    with h5py.File(folder / "w.h5") as file, contextlib.suppress(RuntimeError):
        if set(file) == {"ReadoutDense"} and set(file["ReadoutDense"]) == {"ReadoutDense"}:
            stored, *others = file["ReadoutDense/ReadoutDense"].values()
            same = others or np.array_equal(stored[()].astype(np.float32), kernel)
            demand(bool(same), "values differ from the file's")


_edited_bytes = edited(SMALL, TOKENS)
_edited_content = st.builds(
    weights.with_edits,
    st.sampled_from(tuple(VALID.values())),
    st.lists(st.sampled_from(sorted(set(weights.EDITS) - {"bomb"})), min_size=2, max_size=4),
)
_inputs = _edited_content | _edited_bytes | _edited_bytes.map(weights.with_checksums)

TARGETS = {
    "inspect": Target(_inspect, SEEDS, _inputs, is_binary=True, tokens=TOKENS, repair=weights.with_checksums),
    "load": Target(_load, SEEDS, _inputs, is_binary=True, tokens=TOKENS, repair=weights.with_checksums),
}
