"""Human answers: JATOS results and trial CSVs."""

import json
from pathlib import Path
from typing import Any

from convrnn_data.base import text
from convrnn_data.categories import CATEGORIES
from convrnn_data.human import stimuli, trial_csv
from convrnn_data.observers import answer_files, long_table, reading, trial_counts, trial_files
from convrnn_data.observers import table as observer_table
from convrnn_data.observers.exclusions import exclude
from fuzz.harness import REFUSALS, Target, demand, put, variant
from fuzz.seeds import documents
from fuzz.strategies import CSV_TOKENS, json_files, tables

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


HEADER = "subj,Session,trial,rt,object_response,category,condition,imagename"
TRIAL_SEEDS = {
    "people": f"""{HEADER}
subject-01,1,1,1.33161187171936,clock,boat,0.7,0001_hp_s01_0.7_boat_10_n03662601_10.png
subject-01,1,2,NaN,na,knife,inf,0002_hp_s01_inf_knife_10_n03041632_11.png
""",
    "network": f"{HEADER}\nresnet50,1,1,NaN,oven,truck,NaN,truck3-oven2.png\n",
    "satbench": f"""{HEADER},order,duration,tutorial_accuracy
7,2,11,0.4501,cat,cat,9,50_blur_9_cat_exit1.JPEG,1,450.1,0.5
7,2,12,NaN,na,oven,3,52_blur_3_oven_exit1.JPEG,1,751.3,0.5
""",
}
TRIAL_TOKENS = (*CSV_TOKENS, *HEADER.encode().split(b","), b"duration", b"NaN", b"na", b"_exit9", b"634")


def _trials(data: bytes, folder: Path) -> None:
    path = put(folder / "blur_7_session_2.csv", data)
    file = trial_csv.read_trial_csv(path)
    lines = [line for line in text.decoded(data).split("\n")[1:] if line.strip()]
    demand(len(file.trials) + len(file.bad) == len(lines), "a line that is neither read nor named")
    written = trial_csv.format_trial_csv(file.trials, file.more)
    demand(trial_csv.parse_trials(path, written).trials == _renumbered(file.trials), "not read back")
    table = observer_table.read_observers(path, all_trials=True, max_unreadable=1)
    found = len(table) + sum(table.attrs["unreadable"].values())
    demand(found == len(lines), f"{found} of {len(lines)} trials counted")
    demand(trial_counts.count_trials(table)["found"].sum() == found, "uncounted trials")
    trial_files.write_trial_csvs(table, folder / "out")
    back = observer_table.read_observers(folder / "out", all_trials=True)
    demand(back.equals(table), "a table that is not read back")
    long_table.write_long_table(long_table.long_table(path, max_unreadable=1)[0], folder / "long.csv")


def _renumbered(trials: list[trial_csv.Trial]) -> list[trial_csv.Trial]:
    return [trial._replace(line=line) for line, trial in enumerate(trials, start=2)]


TARGETS = {
    "jatos": Target(_jatos, *json_files(_observers_of((3, 2)), _with_second_line), (*REFUSALS, Reported)),
    "trials": Target(
        _trials,
        {name: seed.encode() for name, seed in TRIAL_SEEDS.items()},
        tables([seed.encode() for seed in TRIAL_SEEDS.values()], tokens=TRIAL_TOKENS),
    ),
    "observers": Target(_observers, *json_files(_observers_of((12, 11)), _with_second_line)),
}
