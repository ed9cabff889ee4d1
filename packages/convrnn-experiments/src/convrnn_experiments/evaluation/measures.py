"""`measures.json`: test set, network and accuracies of an evaluation."""

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from convrnn_experiments.conditions import Regime
from convrnn_experiments.runs.environment import Environment
from convrnn_experiments.statistics.intervals import Estimate

Count = Annotated[int, Field(ge=0, lt=2**63)]


class Accuracy(BaseModel):
    """Accuracy by time step, with the ends of its 95 % interval; None where it is undefined.

    Attributes:
        percent, low, high: One value per time step.
        images: Number of images.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    percent: list[float | None]
    low: list[float | None]
    high: list[float | None]
    images: Count

    @classmethod
    def of(cls, estimates: list[Estimate], images: int) -> Self:
        """Return the accuracy that an estimate for each time step gives."""
        columns = {
            "percent": [estimate.value for estimate in estimates],
            "low": [estimate.low for estimate in estimates],
            "high": [estimate.high for estimate in estimates],
        }
        defined = {name: [None if math.isnan(x) else x for x in column] for name, column in columns.items()}
        return cls(**defined, images=images)

    @property
    def estimates(self) -> list[Estimate]:
        """Estimate for each time step, with NaN where it is undefined."""
        columns = (
            [math.nan if x is None else x for x in ends] for ends in (self.percent, self.low, self.high)
        )
        return [Estimate(*ends) for ends in zip(*columns, strict=True)]


class Measures(BaseModel):
    """Content of `measures.json`; entries with a default are missing from older files or from some test sets.

    Attributes:
        test_set: Name of the results.
        kind: Human stimuli or a split; see `trials`.
        source: Folder of the test set.
        origin: Origin of the images of a split, in words.
        network: Name of the Keras model.
        parameters: Number of parameters.
        multiply_adds: Multiply-adds per image up to each time step.
        images: Number of images.
        accuracy: Accuracy on all images.
        diagonal_by_level: For each level, accuracy of block i at exit i, as SATBench scores it.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    regime: Annotated[Regime, Field(strict=False)]
    test_set: str | None = None
    kind: str
    source: str
    origin: str | None = None
    network: str
    parameters: Count
    multiply_adds: list[int | float | None]
    stimulus_size: Count | None = None
    image_size: Count | None = None
    environment: Environment
    images: Count
    accuracy: Accuracy
    accuracy_by_level: dict[str, Accuracy]
    accuracy_by_category: dict[str, Accuracy] | None = None
    diagonal_by_level: dict[str, list[Accuracy]] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entries of the file."""
        return self.model_dump(exclude_none=True)
