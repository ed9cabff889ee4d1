"""Human answers (JATOS)."""

import json
from pathlib import Path
from typing import Any

from convrnn_data.categories import CATEGORIES
from convrnn_data.human import stimuli
from convrnn_data.observers import answer_files, reading, trial_counts
from convrnn_data.observers import table as observer_table
from convrnn_data.observers.exclusions import exclude
from fuzz.harness import REFUSALS, Target, demand, put, variant
from fuzz.seeds import documents
from fuzz.strategies import json_files

SECOND_LINE = json.dumps(documents.observer("blur", ("0", "3", "9"), 2, (11,))).encode() + b"\n"


class Reported(Exception):
    """Content that was left out and reported."""


def _observers_of(trials: tuple[int, ...]) -> list[Any]:
    """Return two observers with `trials` of the first blocks, of which the first ten are practice."""
    return [
        documents.observer("noise", ("0", "0.04", "0.16"), 0, trials),
        documents.observer("color_gray", ("c", "g"), 1, trials),
    ]


def _with_second_line(text: bytes) -> bytes:
    return text + b"\n" + SECOND_LINE


def _jatos(data: bytes, folder: Path) -> None:
    path = put(folder / "jatos_results_1.txt", data)
    sessions, problems, _ = reading.read_texts(answer_files.answer_texts(path))
    for session in sessions:
        for row in session.rows:
            demand(row[1] in stimuli.EXPERIMENTS and row[2] in range(5) and row[5] in (1, -1), f"{row}")
            demand(row[11] == (row[9] is None) and row[9] in (None, *CATEGORIES), f"{row}")
    reports = {str(problem).partition(": ")[2] for problem in problems} - {""}
    usual = {text for text in reports if "incomplete session" in text or "no trial after" in text}
    if unusual := sorted(reports - usual):
        raise Reported(unusual[0])


def _observers(data: bytes, folder: Path) -> None:
    path = put(folder / "jatos_results_1.txt", data)
    strict = variant(data, 4) == 1
    table = observer_table.read_observers(path, strict=strict, all_trials=True, max_unreadable=1)
    if variant(data, 16) == 1:
        counts = trial_counts.count_trials(table)
        demand(counts["found"].sum() == len(table) + counts["unreadable"].sum(), "uncounted trials")
    table = observer_table.scored_trials(table)
    demand(set(table["category"]) <= set(CATEGORIES), "an invalid category")
    demand(set(table["response"].dropna()) <= set(CATEGORIES), "an invalid response")
    observer_table.is_simulated(table)
    correct = ~table["missed"] & (table["response"] == table["category"])
    demand(bool((correct == table["correct"]).all()), "an answer scored wrongly")
    if variant(data, 16) == 0:
        observer_table.by_image(observer_table.with_misses(table, "random"))
        observer_table.observer_curves(exclude(table, named=["satbench"], misses=0.5))
        table.to_csv(folder / "table.csv")


TARGETS = {
    "jatos": Target(_jatos, *json_files(_observers_of((3, 2)), _with_second_line), (*REFUSALS, Reported)),
    "observers": Target(_observers, *json_files(_observers_of((12, 11)), _with_second_line)),
}
