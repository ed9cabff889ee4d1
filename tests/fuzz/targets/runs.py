"""Files of a run: predictions, configuration, measures, environment and history."""

import csv
import io
import json
import math
from pathlib import Path

from convrnn_experiments.conditions import Regime
from convrnn_experiments.evaluation import results, sources
from convrnn_experiments.runs import config
from convrnn_experiments.runs import folder as run_folder
from fuzz.harness import Target, demand, put
from fuzz.seeds import documents
from fuzz.strategies import json_files, tables


def _predictions(data: bytes, folder: Path) -> None:
    answers = results.read_answers(put(folder / "predictions.csv", data))
    _check_answers(answers)
    _check_against_csv(answers, data)


def _check_against_csv(answers: results.Answers, data: bytes) -> None:
    """Compare with Python's `csv`, row by row."""
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
    demand(((answers.labels >= 0) & (answers.labels < 16)).all(), "an invalid label")
    demand(((answers.answers >= 0) & (answers.answers < 16)).all(), "an invalid answer")
    demand(((answers.blocks >= -1) & (answers.blocks < 5)).all(), "an invalid block")
    demand((answers.confidence >= 0).all() and (answers.entropy >= 0).all(), "an invalid confidence")
    demand(answers.right.shape == answers.answers.shape == answers.entropy.shape, "unequal shapes")


def _config(data: bytes, folder: Path) -> None:
    put(folder / "config.json", data)
    found = run_folder.Run(folder).config()
    demand(found.exits >= 1 and found.image_size >= 1, "a network without an image or an exit")
    demand(isinstance(found.condition.levels, tuple) and isinstance(found.data, str), "values of other types")
    values = json.loads(data)
    values.setdefault("stimulus_size", values["image_size"])  # absent from older files
    demand(
        json.loads(json.dumps(found.to_json(), allow_nan=False)) == values,
        "values differ from the file's",
    )


def _measures(data: bytes, folder: Path) -> None:
    run = folder / "noise"
    written = run / "evaluation" / "noise"
    put(run / "config.json", json.dumps(documents.config()).encode())
    put(run / "environment.json", json.dumps(documents.ENVIRONMENT).encode())
    put(run / "weights.h5", b"")
    put(written / "predictions.csv", documents.predictions(2, human=True))
    put(written / "measures.json", data)
    (evaluation,) = results.read_evaluations([run])
    demand(len(evaluation.multiply_adds) == evaluation.answers.answers.shape[1], "costs of other time steps")
    demand(
        all(isinstance(command, str) for command in evaluation.source.commands)
        and len(evaluation.conditions) > 0,
        "no command",
    )


def _history(data: bytes, folder: Path) -> None:
    put(folder / "history.csv", data)
    rows = run_folder.Run(folder).history()
    demand(
        all(isinstance(value, int | float) for row in rows for value in row.values()),
        "a value that is not a number",
    )
    # Resumed training extends the history.
    epoch = dict.fromkeys(documents.HISTORY.decode().splitlines()[0].split(","), 0.5)
    run_folder.Run(folder).write_history([*rows, epoch])
    demand(
        _same(run_folder.Run(folder).history(), [*rows, epoch]),
        "a history that changes when it is written and read",
    )


def _same(first: list[dict[str, float]], second: list[dict[str, float]]) -> bool:
    """Compare rows, where NaN equals NaN."""
    return [sorted(map(str, row.items())) for row in first] == [
        sorted(map(str, row.items())) for row in second
    ]


def _environment(data: bytes, folder: Path) -> None:
    put(folder / "environment.json", data)
    source = sources.RunSource(run_folder.Run(folder), NOISE, documents.MEASURES)
    demand(isinstance(source.trained_by, str), "no command")


NOISE = config.Config(data="data", perturb=Regime.NOISE)

PREDICTIONS = {"human": documents.predictions(2, human=True), "split": documents.predictions(1, human=False)}
PREDICTIONS |= {
    "index": PREDICTIONS["split"].replace(b"\ntest", b"\nx,test"),
    "halves": PREDICTIONS["split"].replace(b",0,0,0.5,", b",0,0.5,0.5,"),
    "twice": PREDICTIONS["split"].replace(b"block\n", b"block,labels\n").replace(b"0.04,\n", b"0.04,,3\n"),
    "huge": PREDICTIONS["split"].replace(b",0,0,0.5,", b",0," + b"9" * 400 + b",0.5,"),
}
HISTORIES = {
    "valid": documents.HISTORY,
    "others": documents.HISTORY.replace(b"epoch", b"apoch"),
    "twice": documents.HISTORY.replace(b"val_loss", b"loss"),
}


TARGETS = {
    "predictions": Target(_predictions, PREDICTIONS, tables(tuple(PREDICTIONS.values()))),
    "config": Target(_config, *json_files([documents.config()])),
    "measures": Target(_measures, *json_files([documents.MEASURES])),
    "environment": Target(_environment, *json_files([documents.ENVIRONMENT])),
    "history": Target(_history, HISTORIES, tables(tuple(HISTORIES.values()))),
}
