"""Settings of the evaluation of a weights file, without training; the content of the `config.json` of its results.

Nothing slow is imported, so that wrong options fail immediately.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

import convrnn_model
from convrnn_data import CATEGORIES
from convrnn_data.base.console import Report, silent
from convrnn_data.base.options import Option
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.config import STIMULUS_SIZE, Config, NetworkName, PositiveInt, weights_file
from convrnn_model.variants import VARIANTS
from convrnn_model.weights.inspection import WeightsInfo, inspect_weights

NOT_TRAINED = "– (the weights were evaluated as they are, without training)"
"""Description in place of what only a training run has."""

Rule = Literal["average", "sum", "max"]


class UntrainedConfig(BaseModel):
    """Settings that determine the answers of a weights file.

    Attributes:
        training: `NOT_TRAINED`; its presence tells these settings from those of a training run.
        weights: Published name or path of the file.
        weights_sha256: Hash of the file.
        network: Network of the weights.
        width: Factor on the filters of every layer.
        classes: Number of classes of the readout.
        source: Data set of the classes; None for the 16 categories.
        rule: Rule that maps the classes to the categories; None for the 16 categories.
        timesteps: Time steps.
        stimulus_size: Side of the images that are cropped and perturbed, px.
        image_size: Side of the network's input, px.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    training: str = NOT_TRAINED
    weights: str
    weights_sha256: str
    network: NetworkName
    width: float
    classes: PositiveInt
    source: str | None = None
    rule: Rule | None = None
    timesteps: PositiveInt
    stimulus_size: PositiveInt
    image_size: PositiveInt

    @property
    def trained_on(self) -> str:
        """Data set of the weights."""
        return self.source or "not known"

    def as_run(self) -> Config:
        """Return the configuration of a run that shows images and computes answers in the same way."""
        return Config(
            data="",
            perturb=Regime.COLOR,
            network=self.network,
            width=self.width,
            timesteps=self.timesteps,
            weights=self.weights,
            weights_sha256=self.weights_sha256,
            stimulus_size=self.stimulus_size,
            image_size=self.image_size,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of `config.json`."""
        return self.model_dump()


@dataclass(frozen=True)
class UntrainedOptions:
    """Options of `convrnn evaluate` for a weights file."""

    rule: Annotated[
        Rule, Option("For weights of other classes: score of a category from the probabilities of its classes.")
    ] = "average"
    timesteps: Annotated[
        PositiveInt | None,
        Option("For weights: use the first time steps only.", type=int | None, show_default="all"),
    ] = None
    image_size: Annotated[PositiveInt, Option("For weights: side of the network's input, px.")] = 128
    stimulus_size: Annotated[
        PositiveInt, Option("For weights: side of the images of the test set, px.")
    ] = STIMULUS_SIZE


def untrained_config(weights: str, options: UntrainedOptions, report: Report = silent) -> UntrainedConfig:
    """Return the settings of the evaluation of a weights file.

    Args:
        weights: Published name, which is downloaded if it is not cached, or path of a file.
        options: Options of the command.
        report: Progress of the download.

    Raises:
        ConvRNNError: The file cannot be read, its classes cannot be mapped to the 16 categories, or it has fewer time
            steps than asked for.
    """
    try:
        path = weights_file(weights, report)
    except convrnn_model.ConvRNNError as error:
        raise ConvRNNError(f"{error} Or give the path of a weights file in place of {weights}") from error
    info = inspect_weights(path)
    if info.layer_readouts or not VARIANTS[info.variant].shared:
        raise ConvRNNError(
            f"cannot evaluate the weights {path}: the network must have one readout, shared over time, got "
            f"{info.variant} with several. Pass predictions of `compile_network` as a CSV row to `convrnn compare`"
        )
    if info.classes != len(CATEGORIES) and info.dataset is None:
        raise ConvRNNError(
            f"cannot evaluate the weights {path}: the readout must have 16 classes, ImageNet's 1000 or ecoset's 565, "
            f"got {info.classes} classes. Train a readout of 16 categories with `convrnn train --weights {path}`"
        )
    steps = info.n_timesteps if options.timesteps is None else options.timesteps
    if steps > info.n_timesteps:
        raise ConvRNNError(
            f"cannot evaluate the weights {path}: --timesteps must be at most {info.n_timesteps}, those of the file, "
            f"got {steps}. Give a smaller value"
        )
    mapped = info.classes != len(CATEGORIES)
    return UntrainedConfig(
        weights=weights,
        weights_sha256=info.sha256,
        network=info.variant.removesuffix("_net"),
        width=_width(path, info),
        classes=info.classes,
        source=info.dataset if mapped else None,
        rule=options.rule if mapped else None,
        timesteps=steps,
        stimulus_size=options.stimulus_size,
        image_size=options.image_size,
    )


def _width(path: Path, info: WeightsInfo) -> float:
    """Return the factor on the published filters that gives those of a file."""
    variant = VARIANTS[info.variant]
    published = [convolution.filters for convolution in variant.convolutions()]
    # Filters are rounded, so each layer allows a range of factors; the shortest decimal in all of them is taken.
    low = max((filters - 0.5) / full for filters, full in zip(info.filters, published, strict=True))
    high = min((filters + 0.5) / full for filters, full in zip(info.filters, published, strict=True))
    for digits in range(1, 10):
        width = round((low + high) / 2, digits)
        if tuple(convolution.filters for convolution in variant.convolutions(width)) == info.filters:
            return width
    raise ConvRNNError(
        f"cannot evaluate the weights {path}: the filters must be a multiple of those of {info.variant}, "
        f"{'-'.join(map(str, published))}, got {'-'.join(map(str, info.filters))}. Give weights of one width"
    )
