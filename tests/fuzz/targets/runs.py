"""The files of a run's folder: predictions, configuration, measures, environment and history."""

import csv
import io
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convrnn_experiments.conditions import Regime
from convrnn_experiments.evaluation import results
from convrnn_experiments.runs import config
from convrnn_experiments.runs import folder as run_folder
from fuzz import mutations, texts
from fuzz.runner import Target
from fuzz.targets.making import CSV_TOKENS, Parse, demand, of_json, put, target


def _break_table(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Rows and cells changed, or broken text."""
    if rng.random() < 0.7:
        return mutations.broken_rows(rng, rng.choice(seeds))
    return mutations.broken_text(rng, rng.choice(seeds), seeds, CSV_TOKENS)


def _predictions(data: bytes, folder: Path) -> None:
    answers = results.read_answers(put(folder / "predictions.csv", data))
    _check_answers(answers)
    _check_against_csv(answers, data)


def _check_against_csv(answers: results.Answers, data: bytes) -> None:
    """Python's own reader finds the same, row by row."""
    if len(data) > csv.field_size_limit():
        return
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig").lstrip("\r\n"), newline="")))
    demand(len(rows) == len(answers.labels), f"{len(answers.labels)} rows; csv finds {len(rows)}")
    for at, row in enumerate(rows):
        demand(float(row["labels"]) == answers.labels[at], f"label {answers.labels[at]} in {row}")
        demand(row["file_names"] == answers.names[at], f"name {answers.names[at]!r} in {row}")
        demand(float(row["block"] or -1) == answers.blocks[at], f"block {answers.blocks[at]} in {row}")
        for step, answer in enumerate(answers.answers[at]):
            demand(float(row[f"predictions_exit{step}"]) == answer, f"answer {answer} in {row}")
            demand(
                math.isclose(float(row[f"entropy_exit{step}"]), answers.entropy[at, step]),
                f"entropy in {row}",
            )


def _check_answers(answers: results.Answers) -> None:
    demand(((answers.labels >= 0) & (answers.labels < 16)).all(), "a label that is none")
    demand(((answers.answers >= 0) & (answers.answers < 16)).all(), "an answer that is none")
    demand(((answers.blocks >= -1) & (answers.blocks < 5)).all(), "a block that is none")
    demand((answers.confidence >= 0).all() and (answers.entropy >= 0).all(), "a confidence that is none")
    demand(answers.right.shape == answers.answers.shape == answers.entropy.shape, "unlike shapes")


def _config(data: bytes, folder: Path) -> None:
    put(folder / "config.json", data)
    found = run_folder.Run(folder).config()
    demand(config.exits(found) >= 1 and found.image_size >= 1, "a network without an image or an exit")
    demand(isinstance(found.condition.levels, tuple) and isinstance(found.data, str), "values of other kinds")
    values = json.loads(data)
    values.setdefault("stimulus_size", values["image_size"])  # older files have none
    demand(
        json.loads(json.dumps(found.to_json(), allow_nan=False)) == values,
        "values that are not those of the file",
    )


def _measures(data: bytes, folder: Path) -> None:
    run, evaluation = folder / "noise", folder / "noise" / "evaluation" / "noise"
    put(run / "config.json", json.dumps(texts.config()).encode())
    put(run / "environment.json", json.dumps(texts.ENVIRONMENT).encode())
    put(run / "weights.h5", b"")
    put(evaluation / "predictions.csv", texts.predictions(2, human=True))
    put(evaluation / "measures.json", data)
    (one,) = results.read_evaluations([run])
    demand(len(one.multiply_adds) == one.answers.answers.shape[1], "a cost for other time steps")
    demand(isinstance(one.measures["environment"]["command"], str) and len(one.conditions) > 0, "no command")


def _history(data: bytes, folder: Path) -> None:
    put(folder / "history.csv", data)
    rows = run_folder.Run(folder).history()
    demand(all(isinstance(value, int | float) for row in rows for value in row.values()), "no number")
    # As training does when it goes on.
    epoch = dict.fromkeys(texts.HISTORY.decode().splitlines()[0].split(","), 0.5)
    run_folder.Run(folder).write_history([*rows, epoch])
    demand(
        _same(run_folder.Run(folder).history(), [*rows, epoch]),
        "what was read and written reads as something else",
    )


def _same(these: list[dict[str, float]], those: list[dict[str, float]]) -> bool:
    """Not-a-number is the same as itself, here."""
    return [sorted(map(str, row.items())) for row in these] == [
        sorted(map(str, row.items())) for row in those
    ]


def _environment(data: bytes, folder: Path) -> None:
    put(folder / "environment.json", data)
    one = results.Evaluation(run_folder.Run(folder), "bl", NOISE, "noise", texts.MEASURES, NO_ANSWERS)
    demand(isinstance(one.trained_by, str), "no command")


NOISE = config.Config(data="data", perturb=Regime.NOISE)
NO_ANSWERS = results.Answers(*(np.zeros(0) for _ in range(8)))

TABLES = {"human": texts.predictions(2, human=True), "split": texts.predictions(1, human=False)}
TABLES |= {
    "index": TABLES["split"].replace(b"\ntest", b"\nx,test"),
    "halves": TABLES["split"].replace(b",0,0,0.5,", b",0,0.5,0.5,"),
    "twice": TABLES["split"].replace(b"block\n", b"block,labels\n").replace(b"0.04,\n", b"0.04,,3\n"),
    "huge": TABLES["split"].replace(b",0,0,0.5,", b",0," + b"9" * 400 + b",0.5,"),
}
HISTORIES = {
    "sound": texts.HISTORY,
    "others": texts.HISTORY.replace(b"epoch", b"apoch"),
    "twice": texts.HISTORY.replace(b"val_loss", b"loss"),
}


def _of_table(name: str, seeds: dict[str, bytes], parse: Parse) -> Target:
    return target(name, lambda: seeds, _break_table, parse)


TARGETS = (
    _of_table("predictions", TABLES, _predictions),
    of_json("config", [texts.config()], _config),
    of_json("measures", [texts.MEASURES], _measures),
    of_json("environment", [texts.ENVIRONMENT], _environment),
    _of_table("history", HISTORIES, _history),
)
