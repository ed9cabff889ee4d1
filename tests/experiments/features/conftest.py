"""A prepared set, a small network for it, and the features that the command computes."""

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
def many(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """The drawn images in shards of 8."""
    folder = tmp_path_factory.mktemp("many") / "set"
    prepare(drawn / "imagenet", folder, images="all", val=0.34, workers=1, shard_size=8)
    return PreparedSet(folder)


@pytest.fixture(scope="session")
def config(many: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Noise, whose every level and value is drawn."""
    keras.utils.set_random_seed(3)
    weights = tmp_path_factory.mktemp("weights") / "start.h5"
    config = Config(data=str(many.path), perturb=Regime.NOISE, weights=str(weights), **SMALL)
    save_weights(build_network(config), weights)
    return checked(config, many)


@pytest.fixture(scope="session")
def computed(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the command computes in one process on one core, without an interruption."""
    root = tmp_path_factory.mktemp("undisturbed")
    one_core = "import os, sys\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    script = one_core + "os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", script, *command(config, root)]
    done = subprocess.run(words, check=True, timeout=600, capture_output=True, text=True)
    assert f"{PARTS} parts computed, 0 in the cache" in done.stdout
    return root


@pytest.fixture(scope="session")
def undisturbed(computed: Path) -> dict[str, str]:
    """The bytes to be met."""
    found = digests(computed)
    assert len(found) == PARTS + 1  # and what they depend on
    assert len(set(found.values())) == len(found), "two parts drew the same"
    return found
