"""Published speed-accuracy curves of SATBench (doi 10.1167/jov.25.1.4), read off pixels.

The authors did not print these numbers. They are drawn for orientation: real photographs, people, and networks of full
size. Nothing is computed from them.

People's curves depend on how missed trials are scored, so each curve names its convention (see
`observers.with_misses`) and is only comparable with curves of that convention. The figure replaces a missed response
by a random category, whose expectation is `chance`; the analysis notebooks score it as wrong.
"""

from dataclasses import dataclass

NAN = float("nan")

FIGURE, NOTEBOOK = "figure", "notebook"
PEOPLE, NETWORK = "people", "ConvRNN"

_SAME_EXPECTATION = {"random": ("random",), "chance": ("random",), "wrong": ("wrong",)}
"""Convention of a comparison -> conventions of published curves that it can be drawn beside."""


@dataclass(frozen=True)
class DigitisedCurve:
    """One published curve.

    Attributes:
        condition: As in the report: "color", "grayscale", or regime and level, such as "noise 0.04".
        who: `PEOPLE` or `NETWORK`.
        source: `FIGURE` of the paper, or analysis `NOTEBOOK`.
        misses: The convention for missed trials, "random" or "wrong"; None for a network, which misses none.
        percent: Accuracy in percent at response times, or time steps, 1 to 5; NaN where it was not read.
        error: Reading error of each value, in percentage points, plus or minus.
    """

    condition: str
    who: str
    source: str
    misses: str | None
    percent: tuple[float, ...]
    error: tuple[float, ...]

    @property
    def label(self) -> str:
        """The name of the curve in a legend."""
        return f"{self.who}, {self.source} ±{max(self.error):g}"


def _figure(condition: str, who: str, *values: float | str) -> DigitisedCurve:
    """A curve of the paper's figure: numbers to within 1 point, text to within 2."""
    percent = tuple(float(value) for value in values)
    error = tuple(2.0 if isinstance(value, str) else 1.0 for value in values)
    return DigitisedCurve(condition, who, FIGURE, "random" if who == PEOPLE else None, percent, error)


def _notebook(condition: str, *values: float) -> DigitisedCurve:
    return DigitisedCurve(condition, PEOPLE, NOTEBOOK, "wrong", values, (0.3,) * len(values))


CURVES: tuple[DigitisedCurve, ...] = (
    _figure("color", PEOPLE, "6.8", "22", "47", 64.1, "69"),
    _figure("color", NETWORK, 76.1, 82.0, 84.4, "80", "81"),
    _figure("grayscale", PEOPLE, 6.8, 23.3, 44.0, 58.6, 65.3),
    _figure("grayscale", NETWORK, 58.2, 72.0, 75.7, 78.3, 80.9),
    _figure("noise 0.04", PEOPLE, "7", 23.7, 46.4, 56.7, 57.2),
    _figure("noise 0.04", NETWORK, "15", 23.8, 21.1, "11", "5"),
    _figure("noise 0.16", PEOPLE, 6.8, 10.6, 15.4, 23.0, 22.0),
    _figure("noise 0.16", NETWORK, 9.5, 2.8, 10.9, 5.4, 2.0),
    _figure("blur 3", PEOPLE, "6.5", 26.6, 51.4, 63.6, 65.3),
    _figure("blur 3", NETWORK, "7", "12", "14", "12", 17.2),
    _figure("blur 9", PEOPLE, 6.3, 12.1, 24.2, 33.4, 36.5),
    _figure("blur 9", NETWORK, 8.0, 4.8, 11.9, 12.5, 4.3),
    _notebook("color", 2.7, 18.3, 45.0, 62.2, 67.1),
    _notebook("grayscale", 3.3, 20.2, 41.9, 57.0, 64.0),
    _notebook("blur 0", NAN, NAN, 48.3, 72.7, 73.2),
    _notebook("blur 9", 3.2, 9.2, 21.7, 31.5, 35.6),
)


def comparable(condition: str, misses: str) -> list[DigitisedCurve]:
    """Published curves that may be drawn beside curves of a condition, people first.

    Args:
        condition: As in `DigitisedCurve`.
        misses: The convention that people's missed trials were scored by, see `observers.with_misses`.

    Returns:
        People's curves of the same convention ("chance" is the expectation of "random"), and the network's, which
        depends on none. Empty where nothing was published; no people's curve under "answered".
    """
    conventions = (*_SAME_EXPECTATION.get(misses, ()), None)
    found = [curve for curve in CURVES if curve.condition == condition and curve.misses in conventions]
    return sorted(found, key=lambda curve: curve.who != PEOPLE)
