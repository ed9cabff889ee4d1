"""Published speed-accuracy curves of SATBench (doi 10.1167/jov.25.1.4), digitised from figures.

The authors did not publish the numbers. The curves are drawn for orientation (real photographs, humans, full-size
networks); no measure is computed from them.

Human curves depend on the scoring of missed trials, so each names its convention (see `observers.table.with_misses`)
and is only comparable with curves of the same convention. The figure replaces a missed response by a random category,
whose expectation is `chance`; the analysis notebooks score it as wrong.
"""

from dataclasses import dataclass

NAN = float("nan")

FIGURE, NOTEBOOK = "figure", "notebook"
HUMANS, NETWORK = "people", "ConvRNN"

_SAME_EXPECTATION = {"random": ("random",), "chance": ("random",), "wrong": ("wrong",)}
"""Convention of a comparison -> comparable conventions of published curves."""


@dataclass(frozen=True)
class DigitisedCurve:
    """Published curve.

    Attributes:
        condition: As in the report: "color", "grayscale", or regime and level, such as "noise 0.04".
        who: `HUMANS` or `NETWORK`.
        source: `FIGURE` of the paper, or analysis `NOTEBOOK`.
        misses: Convention for missed trials, "random" or "wrong"; None for a network, which misses none.
        percent: Accuracy in percent at response times, or time steps, 1 to 5; NaN if it was not read.
        error: Reading error of each value in percentage points, plus or minus.
    """

    condition: str
    who: str
    source: str
    misses: str | None
    percent: tuple[float, ...]
    error: tuple[float, ...]

    @property
    def human(self) -> bool:
        """True if the curve is of humans."""
        return self.who == HUMANS

    @property
    def label(self) -> str:
        """Name of the curve in a legend."""
        return f"{'humans' if self.human else self.who}, {self.source} ±{max(self.error):g}"


def _figure(condition: str, who: str, *values: float | str) -> DigitisedCurve:
    """Define a curve of the paper's figure: numbers read to within 1 point, text to within 2."""
    percent = tuple(float(value) for value in values)
    error = tuple(2.0 if isinstance(value, str) else 1.0 for value in values)
    return DigitisedCurve(condition, who, FIGURE, "random" if who == HUMANS else None, percent, error)


def _notebook(condition: str, *values: float) -> DigitisedCurve:
    return DigitisedCurve(condition, HUMANS, NOTEBOOK, "wrong", values, (0.3,) * len(values))


CURVES: tuple[DigitisedCurve, ...] = (
    _figure("color", HUMANS, "6.8", "22", "47", 64.1, "69"),
    _figure("color", NETWORK, 76.1, 82.0, 84.4, "80", "81"),
    _figure("grayscale", HUMANS, 6.8, 23.3, 44.0, 58.6, 65.3),
    _figure("grayscale", NETWORK, 58.2, 72.0, 75.7, 78.3, 80.9),
    _figure("noise 0.04", HUMANS, "7", 23.7, 46.4, 56.7, 57.2),
    _figure("noise 0.04", NETWORK, "15", 23.8, 21.1, "11", "5"),
    _figure("noise 0.16", HUMANS, 6.8, 10.6, 15.4, 23.0, 22.0),
    _figure("noise 0.16", NETWORK, 9.5, 2.8, 10.9, 5.4, 2.0),
    _figure("blur 3", HUMANS, "6.5", 26.6, 51.4, 63.6, 65.3),
    _figure("blur 3", NETWORK, "7", "12", "14", "12", 17.2),
    _figure("blur 9", HUMANS, 6.3, 12.1, 24.2, 33.4, 36.5),
    _figure("blur 9", NETWORK, 8.0, 4.8, 11.9, 12.5, 4.3),
    _notebook("color", 2.7, 18.3, 45.0, 62.2, 67.1),
    _notebook("grayscale", 3.3, 20.2, 41.9, 57.0, 64.0),
    _notebook("blur 0", NAN, NAN, 48.3, 72.7, 73.2),
    _notebook("blur 9", 3.2, 9.2, 21.7, 31.5, 35.6),
)


def comparable(condition: str, misses: str) -> list[DigitisedCurve]:
    """Select the published curves that are comparable with curves of a condition, humans first.

    Args:
        condition: Condition, as in `DigitisedCurve`.
        misses: Convention by which missed human trials were scored, see `observers.table.with_misses`.

    Returns:
        Human curves of the same convention ("chance" is the expectation of "random"), and the curve of the network,
        which has none. Empty if none were published; no human curve under "answered".
    """
    conventions = (*_SAME_EXPECTATION.get(misses, ()), None)
    curves = [curve for curve in CURVES if curve.condition == condition and curve.misses in conventions]
    return sorted(curves, key=lambda curve: not curve.human)
