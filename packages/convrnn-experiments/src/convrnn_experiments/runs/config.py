"""What a training run is asked for, and whether it can work: known before anything slow is imported."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from convrnn_data import PreparedSet
from convrnn_data.base.console import Report, silent
from convrnn_data.base.schema import misfit
from convrnn_experiments.conditions import CONDITIONS, Condition, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_model.weights.inspection import inspect_weights
from convrnn_model.weights.pretrained import PRETRAINED, fetch_weights
from convrnn_model.variants import VARIANTS


@dataclass(frozen=True)
class Config:
    """Everything that decides what a training run gives; `config.json`.

    Attributes are the options of `convrnn train`; `data_plan`, `weights_sha256` say what their paths held.
    """

    data: str
    perturb: Regime
    network: str = "bl"
    width: float = 1.0
    timesteps: int = 8
    cumulative_readout: bool = False
    weights: str = "none"
    trainable: str = "readout"
    stimulus_size: int = 224
    image_size: int = 128
    resize: int = 256
    levels: tuple[float, ...] | None = None
    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 0.005
    epsilon: float = 0.1
    views: int = 1
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    clip_norm: float | None = None
    mixed_precision: bool = False
    devices: tuple[str, ...] = ()
    seed: int = 0
    data_plan: str = ""
    weights_sha256: str = ""

    @property
    def condition(self) -> Condition:
        """The regime with this run's levels."""
        return CONDITIONS[self.perturb].with_levels(self.levels)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `config.json` holds them."""
        return asdict(self) | {"perturb": str(self.perturb)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: Path) -> "Config":
        """The inverse of `to_json`.

        Raises:
            ConvRNNError: names `path` and the keys that are missing or unknown.
        """
        values = _with_stimulus_size(values)
        known = {field.name for field in fields(cls)}
        if missing := known - set(values):
            raise _foreign(path, f"{', '.join(sorted(missing))} missing")
        if unknown := set(values) - known:
            raise _foreign(path, f"unknown keys {', '.join(sorted(unknown))}")
        if bad := misfit(values, _FORM):
            raise _foreign(path, f"a value that does not fit: {bad}")
        levels = values["levels"]
        given = {
            "perturb": Regime(values["perturb"]),
            "levels": None if levels is None else tuple(levels),
            "devices": tuple(values["devices"]),
        }
        config = cls(**{**values, **given})
        try:
            _ = config.condition  # Levels that the regime does not have.
        except ConvRNNError as error:
            raise ConvRNNError(
                f"cannot read {path}: levels must be null or SDs that fit perturb, got {list(levels)} for "
                f"{values['perturb']}. Start the run over with --force"
            ) from error
        return config


def default_resize(stimulus_size: int) -> int:
    """Return the shorter side of a photograph from which stimuli of this size are cropped, px: 8/7 of it."""
    return round(stimulus_size * 8 / 7)


def _with_stimulus_size(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add the stimulus size to a configuration from before there was one: pictures were perturbed at image size."""
    if "stimulus_size" in values or "image_size" not in values:
        return values
    return {**values, "stimulus_size": values["image_size"]}


def _foreign(path: Path, found: str) -> ConvRNNError:
    return ConvRNNError(
        f"cannot read {path}: it must be a run's configuration as this version writes it, got {found}. Use the version "
        "that wrote it, or start the run over with --force"
    )


def from_options(
    *,
    data: Path,
    perturb: Regime,
    network: str,
    timesteps: int,
    stimulus_size: int,
    image_size: int,
    resize: int | None,
    noise_sd: tuple[float, ...] | None,
    blur_sd: tuple[float, ...] | None,
    devices: str | None = None,
    **others: Any,
) -> Config:
    """A configuration from the options of `convrnn train`, or of `convrnn features`, which has some of them.

    Args:
        data: the prepared set.
        perturb: the regime.
        network: a variant's name.
        timesteps: of bl; others have one.
        stimulus_size: side of the square that is cropped and perturbed, px.
        image_size: side of the network's input, px.
        resize: shorter side before cropping, px; 8/7 of the stimulus size where not given.
        noise_sd: levels, where others than the regime's own are wanted.
        blur_sd: levels, as `noise_sd`.
        devices: names between commas.
        others: attributes of `Config` that are options as they are.

    Raises:
        ConvRNNError: levels of another regime.
    """
    return Config(
        data=str(data),
        perturb=perturb,
        network=network,
        timesteps=timesteps if network == "bl" else 1,
        stimulus_size=stimulus_size,
        image_size=image_size,
        resize=default_resize(stimulus_size) if resize is None else resize,
        levels=_levels(perturb, {Regime.NOISE: noise_sd, Regime.BLUR: blur_sd}),
        devices=tuple(devices.split(",")) if devices else (),
        **others,
    )


def _levels(regime: Regime, given: Mapping[Regime, tuple[float, ...] | None]) -> tuple[float, ...] | None:
    for its, levels in given.items():
        if levels is not None and its != regime:
            raise ConvRNNError(
                f"cannot set levels: --{its}-sd needs --perturb {its}, got --perturb {regime}. Remove --{its}-sd"
            )
    return given.get(regime)


def _one_of(*choices: str) -> re.Pattern[str]:
    return re.compile("|".join(choices))


_NONE = type(None)
_AT_LEAST_1 = range(1, 2**31)
_FORM = {
    "data": str,
    "perturb": _one_of(*Regime),
    "network": _one_of(*(name.removesuffix("_net") for name in VARIANTS)),
    "width": float,
    "timesteps": _AT_LEAST_1,
    "cumulative_readout": bool,
    "weights": str,
    "trainable": _one_of("readout", "all"),
    "stimulus_size": _AT_LEAST_1,
    "image_size": _AT_LEAST_1,
    "resize": _AT_LEAST_1,
    "levels": (_NONE, [float]),
    "epochs": _AT_LEAST_1,
    "batch_size": _AT_LEAST_1,
    "learning_rate": float,
    "epsilon": float,
    "views": _AT_LEAST_1,
    "schedule": _one_of("constant", "cosine"),
    "warmup_epochs": float,
    "clip_norm": (_NONE, float),
    "mixed_precision": bool,
    "devices": [str],
    "seed": range(2**63),
    "data_plan": str,
    "weights_sha256": str,
}
"""What the values in `config.json` may be."""


def exits(config: Config) -> int:
    """How many readouts the network has: its time steps, or 1 for a feedforward one."""
    return config.timesteps if config.network == "bl" else 1


def checked(config: Config, data: PreparedSet, report: Report = silent) -> Config:
    """The configuration with what its paths hold; fetches published weights, and writes nothing else.

    Raises:
        ConvRNNError: options that do not go together, a split that is missing, weights of another network.
    """
    if config.trainable == "readout" and config.weights == "none":
        raise ConvRNNError(
            "cannot train the readout alone: --trainable readout needs --weights FILE or a published name, got "
            "--weights none. Give weights, or train from scratch with --trainable all"
        )
    _require_shrinking(config)
    for split in ("train", "val"):
        require_split(data, split)
    config = replace(config, data_plan=data.plan_hash)
    if config.weights == "none":
        return config
    path = weights_file(config.weights, report)
    info = inspect_weights(path)
    wanted = VARIANTS[f"{config.network}_net"]
    filters = tuple(convolution.filters for convolution in wanted.convolutions(config.width))
    if (info.variant, info.filters) != (wanted.name, filters):
        raise ConvRNNError(
            f"cannot use the weights {path}: --network {config.network} --width {config.width:g} needs {wanted.name} "
            f"with filters {_spelt(filters)}, got {info.variant} with filters {_spelt(info.filters)}. Change "
            "--network, --width or --weights"
        )
    return replace(config, weights_sha256=info.sha256)


def _require_shrinking(config: Config) -> None:
    """Raises ConvRNNError where a crop would not fit into the photograph, or the network's input not into the crop."""
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


def _spelt(filters: tuple[int, ...]) -> str:
    return "-".join(str(number) for number in filters)


def weights_file(weights: str, report: Report = silent) -> Path:
    """A path, or a published name such as bl_imagenet, as a file; downloads what is not in the cache."""
    return fetch_weights(weights, report=report) if weights in PRETRAINED else Path(weights)


def require_split(data: PreparedSet, split: str) -> None:
    """Raises ConvRNNError where a prepared set has no such split, or an empty one."""
    if split not in data.splits or not len(data.table(split)):
        raise ConvRNNError(data.why_empty(split))
