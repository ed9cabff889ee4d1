"""Dependencies of cached features, and the cache folder named by their hash."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.extractor import BATCH
from convrnn_experiments.images.decoding import libraries
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.environment import Inference
from convrnn_experiments.runs.folder import read_json, write_json
from convrnn_experiments.runtime.devices import computing_device, numerics

DEPENDS_ON = "depends_on.json"
_PACKAGES = ("convrnn-model", "convrnn-experiments", "keras", "tensorflow", "numba")


class Dependencies(BaseModel):
    """Dependencies of features; the content of `depends_on.json`.

    The number of views is not a dependency, because file names contain the view.

    Attributes:
        engine, precision, processor: See `runs.environment.Inference`.
        batch: Images per call of the network.
        device: Device that perturbs images, and computes the network if the engine is Keras; see `runtime.devices`.
        numerics: Settings on which the bytes of results depend.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    network: str
    width: float
    timesteps: int
    stimulus_size: int
    image_size: int
    resize: int
    seed: int
    feature_dtype: str
    data_plan: str
    perturb: Regime = Field(strict=False)
    levels: tuple[float, ...] = Field(strict=False)
    weights_sha256: str
    engine: str
    precision: str
    processor: str
    batch: int
    device: str
    numerics: dict[str, Any]
    versions: dict[str, str]

    @classmethod
    def of(cls, config: Config, inference: Inference, device: str | None = None) -> Self:
        """Return the dependencies of features computed in this process.

        Args:
            config: From `checked`.
            inference: Computation of the network.
            device: Device of Keras; that of this process by default.
        """
        shared = {name: value for name, value in config if name in cls.model_fields}
        computed = {
            **inference.model_dump(),
            "levels": config.condition.levels,
            "batch": BATCH,
            "device": device or computing_device(),
            "numerics": numerics(),
            "versions": {name: version(name) for name in _PACKAGES} | inference.versions | libraries(),
        }
        return cls(**(shared | computed))

    @property
    def digest(self) -> str:
        """Name of the cache folder."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()[:16]


def cache_folder(root: Path, config: Config, inference: Inference, device: str | None = None) -> Path:
    """Return the folder below `root` for the features of a configuration; writes `depends_on.json` into a new one."""
    dependencies = Dependencies.of(config, inference, device)
    folder = root / dependencies.digest
    if not (folder / DEPENDS_ON).is_file():
        write_json(folder / DEPENDS_ON, dependencies.model_dump())
    return folder


def require_same_dependencies(folder: Path, config: Config, inference: Inference) -> None:
    """Check that this process would compute the same features as the process that created a cache folder.

    Raises:
        ConvRNNError: The folder is not visible here, or the dependencies differ.
    """
    path = folder / DEPENDS_ON
    wanted = read_json(
        path, Dependencies, "Put the set, the weights and the features on a disk that every worker sees"
    )
    own = Dependencies.of(config, inference)
    differing = [
        f"{name} must be {value}, got {own_values.get(name)}"
        for values, own_values in ((dict(wanted), dict(own)), (wanted.versions, own.versions))
        for name, value in values.items()
        if name != "versions" and own_values.get(name) != value
    ]
    if differing:
        raise ConvRNNError(
            f"cannot compute features of {folder} on this worker: {'; '.join(differing)}. Give every worker the same "
            "kind of processor, versions and settings"
        )
