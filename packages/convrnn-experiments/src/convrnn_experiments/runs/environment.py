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


class Environment(BaseModel):
    """Content of `environment.json`, and an entry of `measures.json`; older files have fewer entries.

    Attributes:
        command: Command line.
        versions: Versions of packages and of Python.
        backend, floatx, epsilon, image_data_format, onednn, variables: See `runtime.devices.numerics`.
        device: See `runtime.devices.computing_device`.
        processor: Model name of the processor.
        processors: Number of processors.
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
    validation_images: str | None = None

    @classmethod
    def current(cls, validation_images: str | None = None) -> Self:
        """Describe this process."""
        # Importing Keras takes seconds, which a mistyped option should not cost.
        from convrnn_experiments.runtime.devices import computing_device, numerics, processor_model

        return cls(
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            versions={name: version(name) for name in REPORTED} | {"python": platform.python_version()},
            **numerics(),
            device=computing_device(),
            platform=platform.platform(),
            processor=processor_model(),
            processors=os.cpu_count(),
            validation_images=validation_images,
        )

    def to_json(self) -> dict[str, object]:
        """Return the entries that are known."""
        return self.model_dump(exclude_none=True)
