"""Configuration of a training run: command-line options, `config.json`, and checks of the files it refers to.

Nothing slow is imported, so that wrong options fail immediately.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from convrnn_data import PreparedSet
from convrnn_data.base.console import Report, silent
from convrnn_data.base.options import Option
from convrnn_data.base.validation import first_problem
from convrnn_experiments.conditions import CONDITIONS, Condition, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_model.variants import VARIANTS, Variant
from convrnn_model.weights.inspection import inspect_weights
from convrnn_model.weights.pretrained import PRETRAINED, fetch_weights

STIMULUS_SIZE = 224
"""Side of the stimuli in the published test set, px."""
TRAIN = ("train",)
"""Commands with the options that do not affect the features of a frozen network."""
_ADDED = {"feature_dtype": "float32", "precision": "float32", "inference": "keras"}
"""Entries that files of older versions lack, with the values that these versions used."""


def default_resize(stimulus_size: int) -> int:
    """Return the shorter side to which a photograph is resized before cropping, px: 8/7 of the stimulus size."""
    return round(stimulus_size * 8 / 7)


def parse_numbers(text: str) -> tuple[float, ...]:
    """Parse numbers separated by commas, such as `0,0.02,0.04`.

    Raises:
        ValueError: The text has another form.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"must be numbers separated by commas, such as 0,0.02,0.04, got {text!r}"
        ) from None


def _parse_names(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


Precision = Literal["float32", "bfloat16"]
EngineName = Literal["auto", "tiles", "openvino", "keras"]
PRECISION = Option("Precision of inference; bfloat16 needs AVX512_BF16, AMX or a GPU.")
INFERENCE = Option("Inference engine, for frozen features and evaluation.")
PositiveInt = Annotated[int, Field(ge=1, lt=2**31)]
# Integers below 2**53 are exact as floats.
NonNegative = Annotated[float, Field(ge=0.0, lt=2**53)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
if TYPE_CHECKING:
    NetworkName = str
else:
    # Readouts of unfolded networks are not shared over time, as training on features assumes.
    NetworkName = Literal[tuple(name.removesuffix("_net") for name, row in VARIANTS.items() if row.shared)]


class Config(BaseModel):
    """Settings that determine the result of a training run; the content of `config.json`.

    Attributes with an `Option` are options of `convrnn train`; those that affect the features of a frozen network are
    options of `convrnn features` too.

    Attributes:
        levels: Training levels that replace those of the regime; see `LevelOptions`.
        data_plan: Hash of the plan of the prepared set `data`.
        weights_sha256: Hash of the weights file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    data: Annotated[
        str,
        Option(
            "A prepared set, from `convrnn-data prepare`.",
            argument=True,
            metavar="DATA",
            type=Path,
            parse=str,
        ),
    ]
    perturb: Annotated[Regime, Field(strict=False), Option("Regime to train under.")]
    network: Annotated[NetworkName, Option("Network to train.")] = "bl"
    width: Annotated[float, Field(ge=0.001, lt=2**53), Option("Factor on the filters of every layer.")] = 1.0
    timesteps: Annotated[PositiveInt, Option("Number of time steps of bl, bt and blt.")] = 8
    cumulative_readout: Annotated[
        bool, Option("Sum the readouts up to each time step.", commands=TRAIN)
    ] = False
    weights: Annotated[str, Option("Initial weights: bl_imagenet, bl_ecoset, b_imagenet, a file, or none.")] = "bl_imagenet"
    trainable: Annotated[
        Literal["readout", "all"], Option("Train the readout on frozen features, or all layers.", commands=TRAIN)
    ] = "readout"
    stimulus_size: Annotated[
        PositiveInt,
        Option("Side of the images that are cropped and perturbed, px; that of the test set."),
    ] = STIMULUS_SIZE
    image_size: Annotated[
        PositiveInt,
        Option("Side of the network's input, px, to which perturbed images are resized."),
    ] = 128
    resize: Annotated[
        int,
        Field(gt=0, lt=2**31),
        Option("Shorter side of photographs before cropping, px.", show_default="8/7 of the stimulus size"),
    ] = default_resize(STIMULUS_SIZE)
    levels: Annotated[tuple[Annotated[float, Field(lt=2**53)], ...] | None, Field(strict=False)] = None
    epochs: Annotated[PositiveInt, Option("Number of epochs.", commands=TRAIN)] = 100
    batch_size: Annotated[PositiveInt, Option("Images per batch.", commands=TRAIN)] = 128
    learning_rate: Annotated[NonNegative, Option("Highest learning rate of Adam.", commands=TRAIN)] = 0.005
    epsilon: Annotated[NonNegative, Option("Adam's epsilon.", commands=TRAIN)] = 0.1
    views: Annotated[
        PositiveInt, Option("Cached views of each image (readout training).", after="epochs")
    ] = 4
    feature_dtype: Annotated[
        Literal["float32", "float16"],
        Option("Type of cached features; float16 takes half the space.", after="views"),
    ] = "float32"
    schedule: Annotated[
        Literal["constant", "cosine"], Option("Learning rate after the warm-up.", commands=TRAIN)
    ] = "constant"
    warmup_epochs: Annotated[
        NonNegative, Option("Epochs of linear warm-up of the learning rate.", commands=TRAIN)
    ] = 0.0
    clip_norm: Annotated[
        float | None, Field(ge=0.0, lt=2**53), Option("Clip the gradient to this norm.", commands=TRAIN)
    ] = None
    mixed_precision: Annotated[
        bool, Option("Train in bfloat16; weights stay float32.", commands=TRAIN)
    ] = False
    precision: Annotated[Precision, PRECISION] = "float32"
    inference: Annotated[EngineName, INFERENCE] = "auto"
    devices: Annotated[
        tuple[str, ...],
        Field(strict=False),
        Option(
            "Devices that share every batch, such as GPU:0,GPU:1.",
            type=str,
            parse=_parse_names,
            show_default="all GPUs",
            commands=TRAIN,
        ),
    ] = ()
    seed: Annotated[Seed, Option("Seed of all random draws.", show_default="0")] = 0
    data_plan: str = ""
    weights_sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _set_resize(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Set the default of `resize`, which depends on `stimulus_size`."""
        size = values.get("stimulus_size")
        return values if type(size) is not int else {"resize": default_resize(size)} | values

    @model_validator(mode="after")
    def _require_fitting_levels(self) -> Self:
        _ = self.condition
        return self

    @property
    def condition(self) -> Condition:
        """Regime with this run's levels."""
        return CONDITIONS[self.perturb].with_levels(self.levels)

    @property
    def trained_on(self) -> str:
        """Regime of the training images."""
        return str(self.perturb)

    @property
    def exits(self) -> int:
        """Number of readouts: time steps, or 1 for a feedforward network."""
        return self.timesteps if self.variant.recurrent else 1

    @property
    def variant(self) -> Variant:
        """Row of the network in the table of networks."""
        return VARIANTS[f"{self.network}_net"]

    def replace(self, **changes: Any) -> Self:
        """Return a validated configuration with other values."""
        return type(self)(**(dict(self) | changes))

    def to_json(self) -> dict[str, Any]:
        """Return the content of `config.json`."""
        return self.model_dump() | {"perturb": str(self.perturb)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: Path) -> Self:
        """Invert `to_json`.

        Raises:
            ConvRNNError: An entry is missing, unknown or invalid; the message names the first one.
        """
        values = _ADDED | dict(values)
        if "stimulus_size" not in values and "image_size" in values:
            # Older versions had no stimulus size; they perturbed images at image size.
            values["stimulus_size"] = values["image_size"]
        if missing := cls.model_fields.keys() - values.keys():
            raise _foreign(path, f"entries {', '.join(sorted(missing))} are required, got none")
        try:
            return cls(**values)
        except ValidationError as error:
            raise _foreign(path, first_problem(error)) from error
        except ConvRNNError as error:
            raise ConvRNNError(
                f"cannot read {path}: levels must be null or SDs that fit perturb, got {list(values['levels'])} for "
                f"{values['perturb']}. Start the run over with --force"
            ) from error


@dataclass(frozen=True)
class LevelOptions:
    """Training levels on the command line: an option for each regime with levels."""

    noise_sd: Annotated[
        tuple[float, ...] | None,
        Option("Noise levels, such as 0,0.02,0.04.", type=str | None, parse=parse_numbers, after="resize"),
    ] = None
    blur_sd: Annotated[
        tuple[float, ...] | None,
        Option("Blur levels in px, such as 0,1.5,3.", type=str | None, parse=parse_numbers, after="noise_sd"),
    ] = None


def from_options(config: Config, options: LevelOptions) -> Config:
    """Complete the configuration from the options of `convrnn train` or `convrnn features`.

    Raises:
        ConvRNNError: Levels of another regime are given.
    """
    levels = {Regime.NOISE: options.noise_sd, Regime.BLUR: options.blur_sd}
    for regime, given in levels.items():
        if given is not None and regime != config.perturb:
            raise ConvRNNError(
                f"cannot set levels: --{regime}-sd needs --perturb {regime}, got --perturb {config.perturb}. Remove "
                f"--{regime}-sd"
            )
    return config.replace(levels=levels.get(config.perturb), timesteps=config.exits)


def _foreign(path: Path, problem: str) -> ConvRNNError:
    return ConvRNNError(
        f"cannot read {path}: {problem}. Use the version that wrote it, or start the run over with --force"
    )


def checked(config: Config, data: PreparedSet, report: Report = silent) -> Config:
    """Return the configuration with the hashes of its data and weights; downloads published weights if necessary.

    Raises:
        ConvRNNError: Options exclude each other, a split is missing, or the weights do not fit the network.
    """
    if config.trainable == "readout" and config.weights == "none":
        raise ConvRNNError(
            "cannot train the readout alone: --trainable readout needs --weights FILE or a published name, got "
            "--weights none. Give weights, or train from scratch with --trainable all"
        )
    _require_shrinking(config)
    for split in ("train", "val"):
        require_split(data, split)
    config = config.replace(data_plan=data.plan_hash)
    if config.weights == "none":
        return config
    path = weights_file(config.weights, report)
    info = inspect_weights(path)
    variant = config.variant
    filters = tuple(convolution.filters for convolution in variant.convolutions(config.width))
    if (info.variant, info.filters) != (variant.name, filters):
        raise ConvRNNError(
            f"cannot use the weights {path}: --network {config.network} --width {config.width:g} needs {variant.name} "
            f"with filters {_joined(filters)}, got {info.variant} with filters {_joined(info.filters)}. Change "
            "--network, --width or --weights"
        )
    return config.replace(weights_sha256=info.sha256)


def _require_shrinking(config: Config) -> None:
    """Raise ConvRNNError if the crop is larger than the photograph, or the network's input larger than the crop."""
    if config.resize < config.stimulus_size:
        raise ConvRNNError(
            f"cannot crop images: --resize must be at least --stimulus-size {config.stimulus_size}, got "
            f"{config.resize}. Omit --resize, or give a larger value"
        )
    if config.image_size > config.stimulus_size:
        raise ConvRNNError(
            f"cannot resize images: --image-size must be at most --stimulus-size {config.stimulus_size}, got "
            f"{config.image_size}. Give --image-size a smaller value, or --stimulus-size a larger one"
        )


def _joined(filters: tuple[int, ...]) -> str:
    return "-".join(str(number) for number in filters)


def weights_file(weights: str, report: Report = silent) -> Path:
    """Return the weights file for a path or a published name such as bl_imagenet, downloaded if it is not cached."""
    return fetch_weights(weights, report=report) if weights in PRETRAINED else Path(weights)


def require_split(data: PreparedSet, split: str) -> None:
    """Raise ConvRNNError if a prepared set does not have a split, or the split is empty."""
    if split not in data.splits or not len(data.table(split)):
        raise ConvRNNError(data.why_empty(split))
