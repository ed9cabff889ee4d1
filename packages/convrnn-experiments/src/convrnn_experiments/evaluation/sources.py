"""Sources of a network's results, as a report describes them: an evaluated run, or a file of another program."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from convrnn_experiments.evaluation.measures import Measures
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.environment import Environment
from convrnn_experiments.runs.folder import Run, read_json
from convrnn_experiments.runs.untrained import NOT_TRAINED, UntrainedConfig

_RESTORE = "Restore the file, or delete it to report the run without its command"


class Source(Protocol):
    """Origin of results."""

    @property
    def path(self) -> Path:
        """Folder of the run, or the file."""

    @property
    def trained_on(self) -> str:
        """Regime or data set that the network was trained on."""

    @property
    def commands(self) -> tuple[str, ...]:
        """Commands that trained and evaluated the network."""

    @property
    def network(self) -> str:
        """Size and cost of the network, in words."""

    @property
    def details(self) -> tuple[str, ...]:
        """Settings and versions, a line each."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """All of it as names and values."""


@dataclass(frozen=True)
class RunSource:
    """Run of this project, or folder of the results of a weights file.

    Attributes:
        run: Folder.
        config: Content of its `config.json`.
        measures: Content of the `measures.json` of one evaluation.
    """

    run: Run
    config: Config | UntrainedConfig
    measures: Measures

    @property
    def path(self) -> Path:
        """Folder of the run."""
        return self.run.path

    @property
    def trained_on(self) -> str:
        """Regime of the training, or data set of the weights."""
        return self.config.trained_on

    @property
    def commands(self) -> tuple[str, ...]:
        """Commands of the training and of the evaluation."""
        return self.trained_by, self.measures.environment.command

    @property
    def trained_by(self) -> str:
        """Command that trained the network, or why there is none."""
        environment = self._environment
        if isinstance(self.config, UntrainedConfig):
            return NOT_TRAINED
        return "not known" if environment is None else environment.command

    @property
    def validated_on(self) -> str | None:
        """Origin of the images by which training chose its epoch; None for runs of older versions."""
        environment = self._environment
        return None if environment is None else environment.validation_images

    @property
    def network(self) -> str:
        """Parameters, multiply-adds and epochs."""
        measures = self.measures
        return (
            f"{measures.network}, {measures.parameters:,} parameters, {measures.multiply_adds[-1]:,.0f} multiply-adds "
            f"per image; {self._epochs}"
        )

    @property
    def details(self) -> tuple[str, ...]:
        """Sizes of the images, validation images, configuration and versions."""
        config = [f"{key} {value}" for key, value in self.config.to_json().items() if value not in ("", None)]
        versions = [f"{name} {value}" for name, value in self.measures.environment.versions.items()]
        return (
            f"images are cropped and perturbed at {self.config.stimulus_size} px, then resized to the network's "
            f"{self.config.image_size} px",
            *([f"validated on {self.validated_on}"] if self.validated_on else []),
            ", ".join(config),
            ", ".join(versions),
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Commands, network, images, configuration and versions."""
        measures, environment = self.measures, self.measures.environment
        facts: dict[str, Any] = {"run": str(self.path), "trained by": self.trained_by}
        facts |= {
            name: getattr(measures, name) for name in ("network", "parameters", "kind", "source", "images")
        }
        facts |= {"validated on": self.validated_on} if self.validated_on else {}
        facts |= {"images from": measures.origin} if measures.origin is not None else {}
        facts |= {"multiply-adds": int(measures.multiply_adds[-1] or 0), "evaluated by": environment.command}
        facts |= {f"config: {key}": value for key, value in self.config.to_json().items()}
        return facts | {f"version: {name}": value for name, value in environment.versions.items()}

    @property
    def _epochs(self) -> str:
        if isinstance(self.config, UntrainedConfig):
            return f"epochs: {NOT_TRAINED}"
        number = len(self.run.history())
        return f"{number} epoch{'' if number == 1 else 's'}"

    @property
    def _environment(self) -> Environment | None:
        path = self.run.environment
        return read_json(path, Environment, _RESTORE) if path.is_file() else None


@dataclass(frozen=True)
class FileSource:
    """File with the answers of a network, written by another program.

    Attributes:
        path: The file.
        form: Name of its form, such as "predictions of another network".
        sha256: Hash of the file.
        images: Number of images.
    """

    path: Path
    form: str
    sha256: str
    images: int
    trained_on: str = "not known"
    commands: tuple[str, ...] = ()

    @property
    def network(self) -> str:
        """Form of the file; it does not describe the network."""
        return f"{self.form}, read from a file that does not describe the network"

    @property
    def details(self) -> tuple[str, ...]:
        """Hash of the file."""
        return (f"sha256 {self.sha256}",)

    @property
    def facts(self) -> dict[str, Any]:
        """Path, form and hash of the file, and the number of images."""
        return {"file": str(self.path), "form": self.form, "sha256": self.sha256, "images": self.images}
