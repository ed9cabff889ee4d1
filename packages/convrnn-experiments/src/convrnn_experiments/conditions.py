"""Table of the four regimes, shared by training, evaluation and report."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from convrnn_experiments.errors import ConvRNNError


class Regime(StrEnum):
    """Regimes of SATBench, named as in commands, folders and tables."""

    COLOR = "color"
    GRAYSCALE = "grayscale"
    NOISE = "noise"
    BLUR = "blur"


@dataclass(frozen=True)
class Condition:
    """One regime: its image transformation, levels and labels.

    Attributes:
        regime: Name in commands and files.
        label: Name in figures.
        grayscale: Whether images are converted to grayscale first.
        contrast: Factor on the deviations from the image's mean, which is set to 0.5; None leaves the image unchanged.
        perturbation: Transformation that levels apply to: "noise", "blur" or None.
        levels: Training levels, one drawn per image; SDs, of noise in units of the [0, 1] range, of blur in pixels.
        test_levels: Levels of the human test stimuli.
        unit: Unit of the levels, for captions.
        experiment: Human experiment that has the stimuli of the regime.
    """

    regime: Regime
    label: str
    grayscale: bool = False
    contrast: float | None = None
    perturbation: str | None = None
    levels: tuple[float, ...] = (0.0,)
    test_levels: tuple[float, ...] = (0.0,)
    unit: str = ""
    experiment: str = ""

    def with_levels(self, levels: tuple[float, ...] | None) -> "Condition":
        """Return the condition with other training levels; None leaves them unchanged.

        Raises:
            ConvRNNError: The regime does not have levels, or they are empty, negative or not finite.
        """
        if levels is None:
            return self
        if self.perturbation is None:
            raise ConvRNNError(
                f"cannot set levels: the regime must be noise or blur, got levels {levels} for {self.regime}. Remove "
                "the levels"
            )
        if not levels or any(not 0 <= level < float("inf") for level in levels):
            raise ConvRNNError(
                f"cannot set {self.perturbation} levels: each must be a finite SD of at least 0, got {levels}. Give at "
                "least one level, none of them negative"
            )
        return replace(self, levels=tuple(float(level) for level in levels))


BLUR_SDS = tuple(round(0.1 * step, 1) for step in range(31))
"""0, 0.1 .. 3.0 px."""

CONDITIONS: dict[Regime, Condition] = {
    Regime.COLOR: Condition(Regime.COLOR, "Color", experiment="color_gray"),
    Regime.GRAYSCALE: Condition(Regime.GRAYSCALE, "Grayscale", grayscale=True, experiment="color_gray"),
    Regime.NOISE: Condition(
        Regime.NOISE,
        "Noise (grayscale, contrast 0.2)",
        grayscale=True,
        contrast=0.2,
        perturbation="noise",
        levels=(0.0, 0.01, 0.02, 0.03, 0.04),
        test_levels=(0.0, 0.04, 0.16),
        unit="noise SD (of the range 0 to 1)",
        experiment="noise",
    ),
    Regime.BLUR: Condition(
        Regime.BLUR,
        "Blur (color)",
        perturbation="blur",
        levels=BLUR_SDS,
        test_levels=(0.0, 3.0, 9.0),
        unit="blur SD (px)",
        experiment="blur",
    ),
}


def condition_of(regime: str) -> Condition:
    """Return the condition of a regime; of another experiment, such as "high-pass", one with levels of its own."""
    if regime in CONDITIONS:
        return CONDITIONS[Regime(regime)]
    return Condition(Regime.COLOR, regime, perturbation=regime, experiment=regime)


def has_blocks(regime: str) -> bool:
    """Return whether the human experiment with the images of a regime has response-time blocks."""
    return regime in CONDITIONS


ALL_LEVELS = "all"
"""Level that stands for all levels together."""


def condition_name(regime: str, level: str) -> str:
    """Return the name of a condition in tables and figures: `color`, `noise 0.04`, `blur (all levels)`."""
    if condition_of(regime).perturbation is None:
        return str(regime)
    return f"{regime} (all levels)" if level == ALL_LEVELS else f"{regime} {plain_level(level)}"


def plain_level(level: Any) -> str:
    """Return a level in its shortest form: 0.0, "0.0" and 0 all become "0"; "c" and "g" are unchanged."""
    try:
        return f"{float(level):g}"
    except ValueError:
        return str(level)


def level_of_condition(condition: Any) -> str:
    """Return the level of a condition in a trial CSV, in its shortest form.

    Experiments of one condition have `0` in people's files and `NaN` in those of networks; both become "0".
    """
    level = plain_level(condition)
    return "0" if level == "nan" else level


def name_at(level: str, image: str) -> str:
    """Return the name of an image at a level, for images whose file names do not give it: `0.7/n03662601_12531.png`."""
    return f"{level_of_condition(level)}/{image}"


def level_order(level: str) -> tuple[float, str]:
    """Return a sort key for levels: numbers in order, then other levels."""
    try:
        return float(level), level
    except ValueError:
        return float("inf"), level
