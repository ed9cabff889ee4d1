"""Trial CSVs: the format in which model-vs-human (Geirhos et al. 2021) publishes answers of people and of networks.

A file has a line per trial, in the columns of `COLUMNS`, and usually holds one session of one observer. Published files
differ in the case of `Session`; further columns are ignored by other readers, and are kept in `Trial.more`.

| column | |
|---|---|
| subj | observer, such as `subject-01`, or network, such as `resnet50` |
| session | number of the session, from 1 |
| trial | number of the trial in the session, from 1 |
| rt | response time in seconds; `NaN` if missed, and in files of networks |
| object_response | one of the 16 categories; `na` if missed |
| category | category of the image; of its shape, if cues conflict |
| condition | text such as `0.7`, `inf`, `cr` or `128-10-10`; `NaN` or `0` in experiments of one condition |
| imagename | file name, such as `0001_hp_s01_0.7_boat_10_n03662601_12531.png`; `source_image` removes the prefix |
"""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.text import decoded
from convrnn_data.categories import CATEGORIES, LABELS

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")

LARGEST = 1 << 28
"""Maximum size of a file in bytes; published files have 1,280 trials and 0.13 MB."""

LONGEST_TIME = 60.0
"""Maximum response time in seconds; longer ones are probably in milliseconds."""

DURATION = "duration"
"""Further column with the time in ms. It leaves no doubt about the unit, so `rt` may be impossible in its presence."""

MISSING = frozenset({"", "na", "nan", "null", "none", "undefined"})
"""Words for a missing value, in lower case."""

_PEOPLE = "subject"
_SMALL = Decimal("1e-6")
_LONGEST_TEXT = 300
_LONGEST_RECORD = 1e6
"""Largest recorded time, s, that is not read as corrupt."""
_NUMBER = re.compile(r"[+-]?(?:\d{1,20}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_COUNT = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_EXTENSION = re.compile(r"\.csv(\.gz)?$", re.IGNORECASE)
_SESSION = re.compile(r"(?P<prefix>.+)_session[-_]\d+", re.IGNORECASE)
_IMAGE = re.compile(
    rf"\d+_[A-Za-z]+_(?:s\d+|dnn)_(?P<condition>.+?)_(?:{'|'.join(CATEGORIES)})_\d+_(?P<source>.+)", re.ASCII
)


class Trial(NamedTuple):
    """Line of a trial CSV.

    Attributes:
        line: Line in the file, from 1.
        observer: Observer or network.
        session: From 1.
        trial: Number in the session, from 1.
        time: Response time in ms; None if not recorded.
        response: Category; None if missed.
        category: Category of the image.
        condition: As in the file.
        image: File name of the image, without folders.
        more: Cells of the further columns, in the order of `TrialFile.more`.
    """

    line: int
    observer: str
    session: int
    trial: int
    time: float | None
    response: str | None
    category: str
    condition: str
    image: str
    more: tuple[str, ...] = ()


class BadLine(NamedTuple):
    """Line that is not a valid trial, and the rule that it breaks."""

    line: int
    what: str


@dataclass(frozen=True)
class TrialFile:
    """Content of a trial CSV; each line after the header is in `trials` or in `bad`.

    Attributes:
        path: The file.
        experiment: By the file name; see `experiment_of`.
        trials: Valid trials, in the order of the file.
        bad: Invalid lines.
        more: Names of the columns besides `COLUMNS`, in lower case.
    """

    path: Path
    experiment: str
    trials: list[Trial]
    bad: list[BadLine]
    more: tuple[str, ...] = ()

    @property
    def is_network(self) -> bool:
        """True if the answers are a network's: they have no times, and no name starts with `subject`."""
        return any(trial.response for trial in self.trials) and not any(
            trial.time is not None or trial.observer.lower().startswith(_PEOPLE) for trial in self.trials
        )


def is_trial_header(line: str) -> bool:
    """Return whether a line has all names of `COLUMNS`, in any order and case."""
    return set(COLUMNS) <= set(_header(line))


def read_trial_csv(path: Path) -> TrialFile:
    """Read a trial CSV.

    Raises:
        ConvRNNError: The file cannot be read or is too large, or its header lacks a column or has one twice. Invalid
            lines do not raise.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ConvRNNError(
            f"cannot read {path}: {advice.describe(error, path, 'Give a trial CSV')}"
        ) from error
    if len(data) > LARGEST:
        raise ConvRNNError(
            f"cannot read {path}: a trial CSV must be at most {LARGEST:,} bytes, got a larger file. Split it by session"
        )
    return parse_trials(path, decoded(data))


def parse_trials(path: Path, text: str) -> TrialFile:
    r"""Parse the text of a trial CSV, with \n as line break.

    Raises:
        ConvRNNError: The header lacks a column or has one twice.
    """
    first, _, body = text.partition("\n")
    names = _header(first)
    _require_columns(path, names)
    more = tuple(name for name in names if name not in COLUMNS)
    columns = [names.index(name) for name in (*COLUMNS, *more)]
    trials: list[Trial] = []
    bad: list[BadLine] = []
    seen: dict[tuple[str, int, int], int] = {}
    lines = body.split("\n")
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        trial = _trial(number, line, columns, bounded=DURATION not in more)
        if not isinstance(trial, str):
            earlier = seen.setdefault((trial.observer, trial.session, trial.trial), number)
            if earlier != number:
                trial = (
                    f"a trial of a session must be listed once, got trial {trial.trial} on line {earlier} too"
                )
            elif number == len(lines) + 1 and trials and _extension(trial) != _extension(trials[0]):
                trial = f"the last line must be complete, got imagename {trial.image!r}"
        if isinstance(trial, str):
            bad.append(BadLine(number, trial))
        else:
            trials.append(trial)
    observers = {trial.observer for trial in trials}
    experiment = experiment_of(path, observers.pop() if len(observers) == 1 else "")
    return TrialFile(path, experiment, trials, bad, more)


def _require_columns(path: Path, names: list[str]) -> None:
    lacking = [name for name in COLUMNS if name not in names]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if lacking or twice:
        got = f"none named {lacking[0]}" if lacking else f"{twice[0]} twice"
        raise ConvRNNError(
            f"cannot read {path}: a trial CSV must have the columns {', '.join(COLUMNS)}, each once, got {got}. "
            "Correct the first line"
        )


def experiment_of(path: Path, observer: str) -> str:
    """Return the experiment by the name of a file.

    It is the part before the observer in `{experiment}_{observer}_session_1.csv` or `..._session-1.csv`, and the whole
    name without extension in other names.

    Args:
        path: The file.
        observer: As in its column `subj`; if the name lacks it, the first underscore ends the experiment.
    """
    stem = _EXTENSION.sub("", path.name) or path.name
    match = _SESSION.fullmatch(stem)
    if match is None:
        return stem
    prefix = match["prefix"]
    for name in {observer, quote(observer, safe="")} - {""}:
        before, found, _ = f"{prefix}_".rpartition(f"_{name}_")
        if found and before:
            return before
    return prefix.partition("_")[0]


def file_name_of(experiment: str, observer: str, session: int) -> str:
    """Return the name of a file as published, `{experiment}_{observer}_session_1.csv`, from which both can be read."""
    return f"{experiment}_{quote(observer, safe='')}_session_{session}.csv"


def source_image(image: str) -> str:
    """Return the name that an image has for every observer: `n03662601_12531.png` of `0001_hp_s01_..._12531.png`.

    Names of Geirhos' experiments start with the trial, an abbreviation of the experiment, `s01` (the observer) or
    `dnn`, the condition, the category and a number. Networks' files of some experiments have names without this prefix.
    """
    match = _IMAGE.fullmatch(image)
    return image if match is None else match["source"]


def format_trial_csv(trials: Iterable[Trial], more: tuple[str, ...] = ()) -> str:
    """Format trials as a trial CSV, which `parse_trials` reads without loss.

    Args:
        trials: Trials; their `line` is ignored.
        more: Names of the further columns.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *more))
    for trial in trials:
        writer.writerow(
            (
                *(trial.observer, trial.session, trial.trial, _seconds(trial.time), trial.response or "na"),
                *(trial.category, trial.condition, trial.image, *trial.more),
            )
        )
    return text.getvalue()


def milliseconds(seconds: str) -> float:
    """Convert seconds to the nearest float of ms, by a decimal shift, so that `format_trial_csv` restores the text."""
    return float(Decimal(seconds).scaleb(3))


def _seconds(time: float | None) -> str:
    if time is None or math.isnan(time):
        return "NaN"
    seconds = Decimal(repr(float(time))).scaleb(-3).normalize()
    return str(seconds) if 0 < abs(seconds) < _SMALL else f"{seconds:f}"


def _header(line: str) -> list[str]:
    try:
        return [name.strip().lower() for name in _cells(line)]
    except csv.Error:
        return []


def _cells(line: str) -> list[str]:
    return next(csv.reader([line], strict=True), [])


def _extension(trial: Trial) -> str:
    return trial.image.rpartition(".")[2]


def _trial(number: int, line: str, columns: list[int], *, bounded: bool) -> Trial | str:
    """Parse a line, or return the rule that it breaks."""
    try:
        cells = _cells(line)
    except csv.Error as error:
        return f"it must be comma-separated, got invalid CSV ({error})"
    if len(cells) != len(columns):
        return f"it must have {len(columns)} cells as the header has, got {len(cells)}"
    observer, session, trial, time, response, category, condition, image, *more = (
        cells[column].strip() for column in columns
    )
    image = image.replace("\\", "/").rpartition("/")[2]
    if problem := (
        _text_problem("subj", observer)
        or _text_problem("condition", condition)
        or _text_problem("imagename", image)
        or _count_problem("session", session)
        or _count_problem("trial", trial)
        or _category_problem("category", category)
        or (_category_problem("object_response", response) if response.lower() not in MISSING else "")
        or (_time_problem(time, bounded=bounded) if time.lower() not in MISSING else "")
    ):
        return problem
    return Trial(
        number,
        observer,
        int(session),
        int(trial),
        None if time.lower() in MISSING else milliseconds(time),
        None if response.lower() in MISSING else response.lower(),
        category.lower(),
        condition,
        image,
        tuple(more),
    )


def _text_problem(name: str, text: str) -> str:
    valid = 0 < len(text) <= _LONGEST_TEXT and text.isprintable() and "\ufffd" not in text
    return "" if valid else f"{name} must be printable text, got {_shown(text)}"


def _count_problem(name: str, text: str) -> str:
    return "" if _COUNT.fullmatch(text) else f"{name} must be a whole number from 1, got {_shown(text)}"


def _category_problem(name: str, text: str) -> str:
    return "" if text.lower() in LABELS else f"{name} must be one of the 16 categories, got {_shown(text)}"


def _time_problem(seconds: str, *, bounded: bool) -> str:
    if not _NUMBER.fullmatch(seconds):
        return f"rt must be a number of seconds, got {_shown(seconds)}"
    smallest, largest = (0.0, LONGEST_TIME) if bounded else (-_LONGEST_RECORD, _LONGEST_RECORD)
    if smallest <= float(seconds) <= largest:
        return ""
    hint = "; it may be in milliseconds" if bounded and float(seconds) > LONGEST_TIME else ""
    return f"rt must be from {smallest:g} to {largest:g} s, got {_shortened(seconds)}{hint}"


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


def _shown(text: str) -> str:
    return repr(_shortened(text))
