"""Check of the readers on the public trial CSVs of model-vs-human and texture-vs-shape.

    python benchmarks/real_data.py FOLDER      the folder raw-data, or any folder of trial CSVs

Counts the lines of all files with the `csv` module alone, and compares them with the trials in the table and those left
out for a reason; compares every cell of people's trials; and computes the error consistency of all pairs of people and
networks in every condition, which must equal Cohen's kappa in exact fractions within 1e-12. In this check, a missed
trial counts as wrong. The data (CC BY 4.0) are not in this repository.
"""

import argparse
import csv
import sys
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from convrnn_data.observers.conventions import MAX_UNREADABLE
from convrnn_data.observers.long_table import long_table
from convrnn_data.observers.table import with_misses
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.rows.read import read_rows
from convrnn_experiments.statistics.measures import error_consistency

TOLERANCE = 1e-12
HEADER = {"subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename"}


class Line(NamedTuple):
    """Line of a file, as the `csv` module reads it."""

    path: Path
    cells: dict[str, str]

    @property
    def key(self) -> tuple[str, str, int, int]:
        """Experiment, observer, session and trial, by the published file names."""
        experiment = self.path.stem.partition(f"_{self.cells['subj']}_")[0]
        return experiment, self.cells["subj"], int(self.cells["session"]), int(self.cells["trial"])

    @property
    def image(self) -> tuple[str, str]:
        """Condition and source image: the name without the six parts that differ between observers."""
        parts = self.cells["imagename"].split("_")
        prefixed = len(parts) > 6 and parts[0].isdigit() and (parts[2] == "dnn" or parts[2][1:].isdigit())
        return self.cells["condition"], "_".join(parts[6:] if prefixed else parts)

    @property
    def right(self) -> bool:
        return self.cells["object_response"] == self.cells["category"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="folder of trial CSVs")
    options = parser.parse_args()
    if options.folder is None:
        print("Skipped: pass the folder raw-data of model-vs-human or texture-vs-shape.")
        return 0
    lines = read_lines(options.folder)
    failures = check_counts(options.folder, lines) + check_consistency(options.folder, lines)
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


def read_lines(folder: Path) -> list[Line]:
    """Read all lines of trial CSVs without this project's code."""
    lines = []
    for path in sorted(folder.rglob("*.csv")):
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = {name: name.lower() for name in reader.fieldnames or ()}
            if set(names.values()) >= HEADER:
                lines += [Line(path, {names[name]: cell for name, cell in row.items()}) for row in reader]
    return lines


def people_of(lines: list[Line]) -> list[Line]:
    """Return the lines of files with a time in any line, or of subjects."""
    timed = {line.path for line in lines if line.cells["rt"].lower() not in ("nan", "na", "")}
    return [line for line in lines if line.path in timed or line.cells["subj"].startswith("subject")]


def check_counts(folder: Path, lines: list[Line]) -> list[str]:
    """Compare the lines with the trials that are read, and every cell of people's trials."""
    table, reading = long_table(folder, max_unreadable=1)
    left_out = {
        "networks": sum(reading.networks.values()),
        "unreadable": int(table["unreadable"].sum()),
        "repeated session": int((table["repeated_session"] & ~table["unreadable"]).sum()),
    }
    kept = table[~table["unreadable"] & ~table["repeated_session"]]
    print(
        f"{len(lines):,} lines in {len({line.path for line in lines}):,} files = {len(kept):,} trials of people"
        + "".join(f" + {count:,} {reason}" for reason, count in left_out.items())
    )
    failures = []
    if len(lines) != len(kept) + sum(left_out.values()):
        failures.append("lines and trials differ")
    if left_out["unreadable"] > MAX_UNREADABLE * len(lines):
        failures.append(f"unreadable: {reading.problems[0]}")
    wanted: dict[tuple[str, str, int, int], dict[str, str]] = {}
    for line in people_of(lines):
        wanted.setdefault(line.key, line.cells)
    differing = Counter(
        name for row in kept.itertuples(index=False) for name in _differing(row, wanted.get(_key(row)))
    )
    print(f"cells that differ: {dict(differing) or 'none'}")
    return failures + [f"column {name}: {count} cells differ" for name, count in differing.items()]


def _key(row: object) -> tuple[str, str, int, int]:
    return row.experiment, row.observer, row.session, row.trial + 1


def _differing(row: object, cells: dict[str, str] | None) -> list[str]:
    if cells is None:
        return ["trial"]
    missed = cells["object_response"].lower() in ("na", "nan", "")
    pairs = {
        "object_response": missed == row.missed and (missed or cells["object_response"] == row.response),
        "category": cells["category"] == row.category,
        "condition": cells["condition"] == row.level,
        "imagename": cells["imagename"] == row.image_name,
        "rt": pd.isna(row.response_time)
        if missed or cells["rt"].lower() in ("nan", "na")
        else float(Fraction(cells["rt"]) * 1000) == row.response_time,
    }
    return [name for name, equal in pairs.items() if not equal]


def check_consistency(folder: Path, lines: list[Line]) -> list[str]:
    """Compare the error consistency of all pairs in all conditions with exact fractions."""
    own = exact_answers(lines)
    read = read_answers(
        folder, sorted({line.path for line in lines} - {line.path for line in people_of(lines)})
    )
    largest, pairs, undefined = 0.0, 0, 0
    for condition, raters in own.items():
        if set(raters) != set(read.get(condition, {})):
            return [f"{condition}: other raters: {sorted(set(raters) ^ set(read.get(condition, {})))}"]
        for a, b in combinations(sorted(raters), 2):
            exact = kappa(raters[a], raters[b])
            names = sorted(set(read[condition][a]) & set(read[condition][b]))
            value = error_consistency(*([read[condition][rater][name] for name in names] for rater in (a, b)))
            if exact is None or np.isnan(value):
                undefined += (exact is None) and bool(np.isnan(value))
                largest = max(largest, 0.0 if exact is None and np.isnan(value) else np.inf)
                continue
            largest, pairs = max(largest, abs(float(exact) - value)), pairs + 1
    print(
        f"error consistency: {pairs:,} pairs in {len(own):,} conditions, {undefined:,} undefined; largest difference "
        f"from exact fractions {largest:.1e}"
    )
    return [f"error consistency differs by {largest:.1e}"] if largest > TOLERANCE else []


Answers = dict[tuple[str, str], dict[str, dict[str, bool]]]
"""(experiment, condition) -> rater -> image -> whether the answer is right."""


def exact_answers(lines: list[Line]) -> Answers:
    """Arrange the lines by condition and rater without this project's code."""
    answers: Answers = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        condition, image = line.image
        answers[line.key[0], _plain(condition)][line.cells["subj"]].setdefault(image, line.right)
    return answers


def read_answers(folder: Path, networks: list[Path]) -> Answers:
    """Arrange what this project reads by condition and rater."""
    answers: Answers = defaultdict(lambda: defaultdict(dict))
    table = with_misses(read_observer_group(folder, max_unreadable=1).all_trials, "wrong")
    for row in table.itertuples(index=False):
        level, _, image = row.file_name.partition("/")
        answers[row.experiment, level][row.observer].setdefault(image, bool(row.score))
    for path in networks:
        try:
            (evaluation,) = read_rows([path]).evaluations
        except ConvRNNError as error:
            print(f"not read: {error}", file=sys.stderr)
            continue
        for name, right in zip(evaluation.answers.names, evaluation.answers.right[:, 0], strict=True):
            level, _, image = str(name).partition("/")
            answers[evaluation.regime, level][evaluation.network].setdefault(image, bool(right))
    return answers


def _plain(condition: str) -> str:
    """Return a number in its shortest form, so that 0.10 and 0.1 are one condition; NaN of networks is people's 0."""
    try:
        return f"{float(condition):g}".replace("nan", "0")
    except ValueError:
        return condition


def kappa(a: dict[str, bool], b: dict[str, bool]) -> Fraction | None:
    """Return Cohen's kappa of right and wrong answers on shared images; None where it is undefined."""
    shared = a.keys() & b.keys()
    if not shared:
        return None
    equal = Fraction(sum(a[image] == b[image] for image in shared), len(shared))
    first, second = (Fraction(sum(rater[image] for image in shared), len(shared)) for rater in (a, b))
    chance = first * second + (1 - first) * (1 - second)
    return None if chance == 1 else (equal - chance) / (1 - chance)


if __name__ == "__main__":
    sys.exit(main())
