"""Fixtures of cached features: a prepared set, a small network, and the features of one process."""

import subprocess
import sys
from pathlib import Path

import keras
import pytest
from small_features import PARTS, SMALL, command, digests

from convrnn_data import PreparedSet, prepare
from convrnn_experiments.conditions import Regime
from convrnn_experiments.runs.config import Config, checked
from convrnn_experiments.runs.network import build_network
from convrnn_model import save_weights


@pytest.fixture(scope="session")
def sharded_set(drawn_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """The drawn images in shards of 8."""
    folder = tmp_path_factory.mktemp("sharded") / "set"
    prepare(drawn_sample / "imagenet", folder, images="all", val=0.34, workers=1, shard_size=8)
    return PreparedSet(folder)


@pytest.fixture(scope="session")
def config(sharded_set: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A configuration of the noise regime, whose levels and values are random."""
    keras.utils.set_random_seed(3)
    weights = tmp_path_factory.mktemp("weights") / "start.h5"
    config = Config(data=str(sharded_set.path), perturb=Regime.NOISE, weights=str(weights), **SMALL)
    save_weights(build_network(config), weights)
    return checked(config, sharded_set)


@pytest.fixture(scope="session")
def reference_folder(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features that `convrnn features` computes in one process on one core, without interruption."""
    root = tmp_path_factory.mktemp("reference")
    one_core = "import os, sys\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    script = one_core + "os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", script, *command(config, root)]
    done = subprocess.run(words, check=True, timeout=600, capture_output=True, text=True)
    assert f"{PARTS} parts computed, 0 in the cache" in done.stdout
    return root


@pytest.fixture(scope="session")
def reference_digests(reference_folder: Path) -> dict[str, str]:
    """Digests of the files that every other computation must reproduce."""
    found = digests(reference_folder)
    assert len(found) == PARTS + 1  # the parts and the file of their dependencies
    assert len(set(found.values())) == len(found), "two parts drew the same"
    return found
