"""Valid JSON, CSV and text files in the formats of the packages."""

import io
import json
from collections import Counter
from typing import Any

from convrnn_data.categories import CATEGORIES
from convrnn_data.sample.simulated_observers import simulate_observer
from convrnn_experiments.conditions import Regime
from convrnn_experiments.runs.config import Config

PLAN = "0" * 64
KEYS = ("n02690373_1", "n02085782_7", "n02123045_3")

SPLITS: tuple[dict[str, Any], ...] = (
    {"format": 1, "train": list(KEYS[:2]), "val": list(KEYS[2:]), "test": []},
    {"train": [], "val": ["a"]},
    {"train": [1, 2, 3], "val": [4]},
)

SETTINGS = {
    "images": "all", "val": 0.1, "test": 0.0, "seed": 0, "split_file": None, "shard_size": 2, "check": "header",
    "resize": None,
}  # fmt: skip


def index(shard: str, content: bytes) -> dict[str, Any]:
    """Return the index of a shard whose only sample is `content`."""
    human = not shard.startswith("train")
    key = "24_color_gray_c_car_exit0" if human else KEYS[0]
    columns = {
        "keys": [key],
        "offsets": [0],
        "sizes": [len(content)],
        "labels": [6],
        "widths": [24],
        "heights": [18],
    }
    return {
        "plan": PLAN, "shard": f"{shard}.tar", "count": 1, "bytes": len(content), "sha256 of the tar": "0" * 64,
        "samples": columns, "rejected": [["n02690373/x.txt", "no image"]],
    }  # fmt: skip


def plan(kind: str, shard: str) -> dict[str, Any]:
    """Return `plan.json` of a set with one shard."""
    split = shard.partition("/")[0]
    counts = {"counts": {split: {**dict.fromkeys(CATEGORIES, 0), "car": 1}}} if kind == "imagenet" else {}
    return {
        "format": 1, "kind": kind, "plan": PLAN, "settings": SETTINGS if kind == "imagenet" else {"shard_size": 1000},
        **counts, "shards": {shard: 1}, "rejected": [["n02690373/x.txt", "no image"]],
    }  # fmt: skip


def manifest(kind: str, shard: str) -> dict[str, Any]:
    """Return `manifest.json` of a set with one shard."""
    split = shard.partition("/")[0]
    return {
        **{name: plan(kind, shard)[name] for name in ("format", "kind", "plan", "settings")},
        "categories": list(CATEGORIES),
        "counts": {split: {**dict.fromkeys(CATEGORIES, 0), "car": 1}},
        "shards": {shard: 1},
        "rejected": 0,
        "files": {f"{shard}.tar": {"bytes": 3, "sha256": "0" * 64}},
    }


def observer(experiment: str, levels: tuple[str, ...], number: int, trials: tuple[int, ...]) -> list[Any]:
    """Return the rows of one observer: two tutorial trials, `trials` of the first blocks, a row of each other kind."""
    stimuli = [
        [(f"{i}_{experiment}_{levels[i % len(levels)]}_{CATEGORIES[i]}.JPEG", levels[i % len(levels)], CATEGORIES[i])
         for i in range(12)]
        for _ in range(5)
    ]  # fmt: skip
    rows, kept, block = json.loads(simulate_observer(experiment, number, stimuli, seed=1)), [], -1
    wanted, had = (2, *trials), Counter[Any]()
    for row in rows:
        sender = row["sender"]
        block += sender.startswith("Screen")
        counted = (block, sender) if sender.startswith(("Screen", "Stimulus")) else sender
        most = (
            wanted[block]
            if sender.startswith("Stimulus") and block < len(wanted)
            else int(block < len(wanted))
        )
        had[counted] += 1
        if had[counted] <= most:
            kept.append(row)
    return kept


def config() -> dict[str, Any]:
    """Return `config.json` of a run."""
    return Config(data="data", perturb=Regime.NOISE, levels=(0.0, 0.04)).to_json()


def predictions(exits: int, *, human: bool) -> bytes:
    """Return `predictions.csv` with two images."""
    out = io.StringIO()
    steps = range(exits)
    names = [f"{what}_exit{step}" for what in ("predictions", "confidence", "entropy") for step in steps]
    margins = [f"margin_exit{step}" for step in steps]
    out.write(",".join(["file_paths", "file_names", "labels", *names, "level", "block", *margins]) + "\n")
    for row in range(2):
        values = [*(str(row) for _ in steps), *("0.5" for _ in steps), *("1.25" for _ in steps)]
        name = f"{row}_noise_0.04_{CATEGORIES[row]}_exit1.JPEG"
        last = ["0.04", "1" if human else "", *("0.25" for _ in steps)]
        out.write(",".join([f"test/{name}", name, str(row), *values, *last]) + "\n")
    return out.getvalue().encode()


MEASURES: dict[str, Any] = {
    "regime": "noise", "kind": "human stimuli", "source": "test", "images": 2, "multiply_adds": [10, 20],
    "parameters": 1000, "environment": {"command": "convrnn evaluate", "versions": {"keras": "3"}},
    "network": "bl_net",
    "accuracy": {"percent": [50.0, 75.0], "low": [40.0, 70.0], "high": [60.0, 80.0], "images": 2},
    "accuracy_by_level": {"0.04": {"percent": [50.0, 75.0], "low": [40.0, None], "high": [60.0, 80.0], "images": 2}},
}  # fmt: skip

HISTORY = b"epoch,loss,val_loss,learning_rate\n0,2.5,2.6,0.005\n1,2.25,2.5,0.005\n"
ENVIRONMENT = {"command": "convrnn train data --perturb noise", "versions": {"keras": "3"}}
