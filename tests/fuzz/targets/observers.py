"""People's answers."""

import json
from pathlib import Path
from typing import Any

from convrnn_data.categories import CATEGORIES
from convrnn_data.human import stimuli
from convrnn_experiments.observers import jatos, trial_counts
from convrnn_experiments.observers import table as observer_table
from fuzz import texts
from fuzz.targets.making import REFUSALS, choice, demand, of_json, put


def _observers_of(trials: tuple[int, ...]) -> list[Any]:
    """Two observers: the first blocks have so many trials, of which the first ten are practice."""
    return [
        texts.observer("noise", ("0", "0.04", "0.16"), 0, trials),
        texts.observer("color_gray", ("c", "g"), 1, trials),
    ]


def _lines(text: bytes) -> bytes:
    return text + b"\n" + SECOND


SECOND = json.dumps(texts.observer("blur", ("0", "3", "9"), 2, (11,))).encode() + b"\n"


class Reported(Exception):
    """What a file of answers holds that was left out, and said so."""


def _answers(data: bytes, folder: Path) -> None:
    sessions, problems = jatos.read_file(put(folder / "jatos_results_1.txt", data))
    for session in sessions:
        for row in session.rows:
            demand(row[1] in stimuli.EXPERIMENTS and row[2] in range(5) and row[5] in (1, -1), f"{row}")
            demand(row[11] == (row[9] is None) and row[9] in (None, *CATEGORIES), f"{row}")
    told = {str(problem).partition(": ")[2] for problem in problems} - {""}
    usual = {what for what in told if "incomplete session" in what or "no trial after" in what}
    if rest := sorted(told - usual):
        raise Reported(rest[0])


def _observers(data: bytes, folder: Path) -> None:
    strict = choice(data, 4) == 1
    path = put(folder / "jatos_results_1.txt", data)
    table = observer_table.read_observers(path, strict=strict, all_trials=True, max_unreadable=1)
    if choice(data, 16) == 1:
        counts = trial_counts.count_trials(table)
        demand(
            counts["found"].sum() == len(table) + counts["unreadable"].sum(), "trials that were not counted"
        )
    table = observer_table.scored_trials(table)
    demand(set(table["category"]) <= set(CATEGORIES), "a category that is none")
    demand(set(table["response"].dropna()) <= set(CATEGORIES), "a response that is none")
    observer_table.is_simulated(table)
    right = ~table["missed"] & (table["response"] == table["category"])
    demand(
        bool((right == table["correct"]).all()),
        "an answer that is right and counted as wrong, or the reverse",
    )
    if choice(data, 16) == 0:
        observer_table.by_image(observer_table.with_misses(table, "random"))
        observer_table.observer_curves(observer_table.exclude(table, named=["satbench"], misses=0.5))
        table.to_csv(folder / "table.csv")


TARGETS = (
    of_json("jatos", _observers_of((3, 2)), _answers, _lines, *REFUSALS, Reported),
    of_json("observers", _observers_of((12, 11)), _observers, _lines),
)
