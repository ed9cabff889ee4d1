"""Everything that kept features are a function of, and the folder that is named by it."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convrnn_data.base import advice
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.extractor import BATCH
from convrnn_experiments.images.decoding import libraries
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import write_json
from convrnn_experiments.runtime.devices import computing_device, numerics

DEPENDS_ON = "depends_on.json"


def dependencies(config: Config, weights_sha256: str, device: str | None = None) -> dict[str, Any]:
    """Return everything that features are a function of; the views are counted in the file names.

    Args:
        config: from `checked`.
        weights_sha256: of the weights file.
        device: what computes, from `devices`; this process' own where not given.
    """
    levels = config.condition.levels
    sizes = ("stimulus_size", "image_size", "resize")
    names = ("network", "width", "timesteps", *sizes, "seed", "mixed_precision", "data_plan")
    versions = {
        name: version(name)
        for name in ("convrnn-model", "convrnn-experiments", "keras", "tensorflow", "numba")
    }
    return {
        **{name: getattr(config, name) for name in names},
        "perturb": str(config.perturb),
        "levels": list(levels),
        "weights_sha256": weights_sha256,
        "batch": BATCH,
        "device": device or computing_device(),
        "numerics": numerics(),
        "versions": versions | libraries(),
    }


def folder_of(root: Path, config: Config, weights_sha256: str, device: str | None = None) -> Path:
    """The folder below `root` whose name is a hash of all that the features depend on; says so in a file within."""
    depends = dependencies(config, weights_sha256, device)
    name = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]
    folder = root / name
    if not (folder / DEPENDS_ON).is_file():
        write_json(folder / DEPENDS_ON, depends)
    return folder


def require_folder(folder: Path, config: Config) -> None:
    """Whether a process would compute what this folder, made by another one, is for.

    Raises:
        ConvRNNError: the folder is not seen from here, or versions differ.
    """
    try:
        asked = json.loads((folder / DEPENDS_ON).read_text(encoding="utf-8"))
    except OSError as error:
        shared = "Put the set, the weights and the features on a disk that every worker sees"
        raise ConvRNNError(
            f"cannot read {folder / DEPENDS_ON}: {advice.describe(error, folder / DEPENDS_ON, shared)}"
        ) from error
    except ValueError as error:
        raise ConvRNNError(
            f"cannot read {folder / DEPENDS_ON}: it must be valid JSON, got a damaged file ({error}). Delete the file "
            "and run the same command again"
        ) from error
    own = json.loads(json.dumps(dependencies(config, config.weights_sha256)))
    versions = asked.pop("versions", {}), own.pop("versions")
    differing = [
        f"{name} must be {value}, got {mine.get(name)}"
        for given, mine in ((asked, own), versions)
        for name, value in given.items()
        if mine.get(name) != value
    ]
    if differing:
        raise ConvRNNError(
            f"cannot compute features of {folder} on this worker: {'; '.join(differing)}. Give every worker the same "
            "kind of processor, versions and settings"
        )
