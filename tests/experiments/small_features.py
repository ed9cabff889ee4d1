"""Cached features of a small network: options, parts and digests of the files."""

import hashlib
import sys
from pathlib import Path

from convrnn_data import PreparedSet
from convrnn_experiments.features import store
from convrnn_experiments.features.plan import Executor
from convrnn_experiments.runs.config import Config

SIZES = {"stimulus_size": 68, "image_size": 64, "resize": 70}
SMALL = {"width": 0.02, "timesteps": 2, "views": 2, "seed": 5} | SIZES
OPTIONS = "--width 0.02 --timesteps 2 --stimulus-size 68 --image-size 64 --resize 70 --views 2 --seed 5"
PARTS = 10
"""Two views of 32 images in shards of 8, and 16 images for validation; a category has 3, so the split is exact."""
TWO_WORKERS = Executor(workers=2)


def extract(config: Config, root: Path, **options: object) -> store.ExtractionResult:
    return store.extract_features(config, PreparedSet(config.data), root, **options)


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def command(config: Config, root: Path, *more: str) -> list[str]:
    """Return the command line of `convrnn features` for the same configuration."""
    words = [str(Path(sys.executable).with_name("convrnn")), "features", config.data, "--perturb", "noise"]
    return [*words, "--weights", config.weights, "--out", str(root), *OPTIONS.split(), *more]
