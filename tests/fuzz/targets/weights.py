"""Weights files."""

import contextlib
import hashlib
import os
import random
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from convrnn_model.weights.inspection import inspect_weights
from fuzz import mutations, weights
from fuzz.runner import Target
from fuzz.targets.making import REFUSALS, Breaks, Parse, demand, put, target

HDF5_TOKENS = (
    b"\x89HDF",
    b"TREE",
    b"SNOD",
    b"HEAP",
    b"OHDR",
    b"OCHK",
    b"GCOL",
    b"FRHP",
    b"BTHD",
    b"layer_names",
    b"weight_names",
)


def _weight_seeds() -> dict[str, bytes]:
    sound = {
        "b": weights.sound(),
        "bl": weights.sound(recurrent=True),
        "readout": weights.sound(only_readout=True),
        "latest": weights.sound(only_readout=True, libver="latest"),
    }
    return {
        **sound,
        **weights.hostile(sound["readout"]),
        **{f"b_{k}": v for k, v in weights.hostile(sound["b"]).items()},
    }


def _break_weights(largest: int) -> Breaks:
    """Half drawn edits of a sound file, half broken bytes of seeds up to a size, since HDF5 takes long for large ones."""

    def breaks(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
        if rng.random() < 0.5:
            data = weights.drawn(rng, rng.choice(seeds[:4]))
            return data if rng.random() < 0.8 else _broken_weights(rng, data, seeds)
        seed = rng.choice(seeds[:4]) if rng.random() < 0.3 else rng.choice(seeds)
        return _broken_weights(rng, seed if len(seed) <= largest else seeds[0], seeds)

    return breaks


def _broken_weights(rng: random.Random, sound: bytes, seeds: Sequence[bytes]) -> bytes:
    data = mutations.broken_bytes(rng, sound, seeds, HDF5_TOKENS)
    return weights.with_checksums(data) if rng.random() < 0.8 else data


def _inspect(data: bytes, folder: Path) -> None:
    info = inspect_weights(put(folder / "w.h5", data))
    demand(info.classes >= 0 and info.n_timesteps >= 1, f"{info}")
    demand(info.sha256 == hashlib.sha256(data).hexdigest(), "another sha256")


def _loading() -> Parse:
    # The backend that is imported in no time, and that starts no threads, which a fork would lose.
    os.environ["KERAS_BACKEND"] = "numpy"
    import keras

    from convrnn_model.weights.load_save import as_array, load_weights

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, use_bias=False, name="ReadoutDense")])

    def load(data: bytes, folder: Path) -> None:
        report = load_weights(model, put(folder / "w.h5", data))
        demand(report.loaded == ("ReadoutDense/kernel",), f"{report}")
        kernel = as_array(model.weights[0])
        demand(bool(np.isfinite(kernel).all()), "weights that are not finite")
        # A group that HDF5 cannot list is nothing to compare with.
        with h5py.File(folder / "w.h5") as file, contextlib.suppress(RuntimeError):
            if set(file) == {"ReadoutDense"} and set(file["ReadoutDense"]) == {"ReadoutDense"}:
                stored, *others = file["ReadoutDense/ReadoutDense"].values()
                demand(
                    bool(others) or np.array_equal(stored[()].astype(np.float32), kernel),
                    "values that are not the file's",
                )

    return load


TARGETS = (
    target("inspect", _weight_seeds, _break_weights(30_000), _inspect),
    Target("load", _weight_seeds, _break_weights(30_000), _loading, REFUSALS),
)
