"""Provenance of a run or an evaluation: command, versions, settings and machine."""

import os
import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

REPORTED = ("convrnn-data", "convrnn-model", "convrnn-experiments", "keras", "tensorflow", "numpy", "h5py")


_ENGINE_PACKAGES = {"tiles": ("numba", "llvmlite"), "openvino": ("openvino",)}


class Inference(BaseModel):
    """Properties of the computation of a network that affect its results.

    Attributes:
        engine: "tiles", "openvino" or "keras".
        precision: "float32" or "bfloat16".
        processor: Kind of the processor, such as "avx512".
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    engine: str
    precision: str
    processor: str

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that the engine adds to those of every computation."""
        return {name: version(name) for name in _ENGINE_PACKAGES.get(self.engine, ())}


class Environment(BaseModel):
    """Content of `environment.json`, and an entry of `measures.json`; older files have fewer entries.

    Attributes:
        command: Command line.
        versions: Versions of packages and of Python.
        backend, floatx, epsilon, image_data_format, onednn, variables: See `runtime.devices.numerics`.
        device: See `runtime.devices.computing_device`.
        processor: Model name of the processor.
        processors: Number of processors.
        inference: Computation of a network that was not trained: the frozen network, or the one evaluated.
        validation_images: Origin of the images by which training chose its epoch, in words.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    command: str
    versions: dict[str, str] = {}
    backend: str | None = None
    floatx: str | None = None
    epsilon: float | None = None
    image_data_format: str | None = None
    onednn: str | None = None
    variables: dict[str, str] | None = None
    device: str | None = None
    platform: str | None = None
    processor: str | None = None
    processors: int | None = None
    inference: Inference | None = None
    validation_images: str | None = None

    @classmethod
    def current(cls, *, validation_images: str | None = None, inference: Inference | None = None) -> Self:
        """Describe this process.

        Args:
            validation_images: Origin of the validation images, in words.
            inference: Computation of a network that is not trained.
        """
        # Importing Keras takes seconds, which a mistyped option should not cost.
        from convrnn_experiments.runtime.devices import computing_device, numerics, processor_model

        return cls(
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            versions={name: version(name) for name in REPORTED}
            | {"python": platform.python_version()}
            | (inference.versions if inference else {}),
            **numerics(),
            device=computing_device(),
            platform=platform.platform(),
            processor=processor_model(),
            processors=os.cpu_count(),
            inference=inference,
            validation_images=validation_images,
        )

    def to_json(self) -> dict[str, object]:
        """Return the entries that are known."""
        return self.model_dump(exclude_none=True)
