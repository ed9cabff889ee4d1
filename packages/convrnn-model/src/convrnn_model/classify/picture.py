"""Picture of answers over time: each photo, the probabilities of its top classes, and the entropy of the readout."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convrnn_model.classify.answers import Answers
from convrnn_model.errors import ConvRNNError
from convrnn_model.files import write_whole

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Palette of Okabe and Ito (2008), distinguishable with every common form of colour blindness."""
MARKERS = ("o", "s", "^", "D", "v", "P")
FORMATS = (".png", ".pdf")
MOST_CLASSES = len(COLOURS)
_STYLE: dict[str, Any] = {
    **{"font.size": 9, "axes.titlesize": 10, "legend.fontsize": 8, "legend.frameon": False},
    **{"axes.spines.top": False, "axes.spines.right": False},
}
_WIDTH, _HEIGHT = 9.2, 2.5
"""Size of a row, in inches."""


def draw(answers: Sequence[Answers], path: str | Path, *, classes: int = 5) -> None:
    """Draw a row per photo, and write the picture.

    Args:
        answers: Answers to the photos.
        path: PNG or PDF file; replaced if it exists.
        classes: Number of classes to show, at most 6: those with the highest probability at any time step.

    Raises:
        ConvRNNError: The suffix is another one, the file cannot be written, or matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ConvRNNError(
            f"the picture must be {', '.join(FORMATS)}, got {path.name}. Choose one of these suffixes."
        )
    matplotlib = _matplotlib()
    with matplotlib.rc_context(_STYLE):
        figure = _figure(matplotlib, answers, min(classes, MOST_CLASSES))
        picture = io.BytesIO()
        figure.savefig(picture, format=path.suffix[1:].lower(), dpi=200, metadata=_metadata(path))
    write_whole(path, picture.getvalue())


def _figure(matplotlib: Any, answers: Sequence[Answers], classes: int) -> Any:
    figure = matplotlib.figure.Figure(figsize=(_WIDTH, _HEIGHT * len(answers)), layout="constrained")
    rows = figure.subplots(len(answers), 3, squeeze=False, width_ratios=(1, 2.1, 1.5))
    for row, one in zip(rows, answers, strict=True):
        _photo(row[0], one)
        _probabilities(row[1], one, classes)
        _entropy(row[2], one)
    for axis in rows[-1, 1:]:
        axis.set_xlabel("Time step")
    return figure


def _photo(axis: Any, answers: Answers) -> None:
    axis.imshow(answers.photo.image)
    axis.set_axis_off()
    name = answers.photo.path.name
    axis.set_title(name if len(name) <= 24 else f"{name[:11]}…{name[-12:]}", loc="left")


def _probabilities(axis: Any, answers: Answers, classes: int) -> None:
    best = answers.probabilities.max(axis=0)
    shown = np.argsort(-best, kind="stable")[:classes]
    final = answers.probabilities[-1]
    steps = np.arange(1, len(answers.probabilities) + 1)
    for label, colour, marker in zip(
        shown[np.argsort(-final[shown], kind="stable")], COLOURS, MARKERS, strict=False
    ):
        axis.plot(
            steps, answers.probabilities[:, label], color=colour, marker=marker, markersize=4, clip_on=False,
            label=answers.names[label],
        )  # fmt: skip
    axis.set(ylim=(0, 1), ylabel="Probability", xticks=steps)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), handlelength=1.4, borderaxespad=0.3)


def _entropy(axis: Any, answers: Answers) -> None:
    steps = np.arange(1, len(answers.entropy) + 1)
    axis.plot(steps, answers.entropy, color="black", marker="o", markersize=4, clip_on=False)
    axis.axhline(answers.largest_entropy, color="0.5", linestyle=(0, (1, 2)), linewidth=1)
    axis.annotate(
        "equal probabilities", (1, answers.largest_entropy), (0, -3), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", va="top", color="0.35", fontsize=7.5,
    )  # fmt: skip
    axis.set(ylim=(0, 1.05 * answers.largest_entropy), ylabel="Entropy (nats)", xticks=steps)


def _metadata(path: Path) -> dict[str, Any]:
    """Return metadata without the time, so that equal answers give equal bytes."""
    return {"CreationDate": None} if path.suffix.lower() == ".pdf" else {}


def _matplotlib() -> Any:
    try:
        import matplotlib
        import matplotlib.figure
    except ImportError as error:
        raise ConvRNNError(
            'pictures need matplotlib, which is not installed. Install it: pip install "convrnn-model[classify]".'
        ) from error
    return matplotlib
