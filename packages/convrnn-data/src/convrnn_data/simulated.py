"""Simulated observers: answers in the form of the human experiments' files, with curves like people's.

Nobody gave these answers. They exist so that everything which reads, scores and draws human data can be tried without
a download; every observer's id starts with `simulated-`. The probability of a correct answer follows the digitised
curves of SATBench (arXiv 2206.08427, +-2 percentage points) for each level and response-time block, shifted by how
able the observer is, how easy the category and how easy the image: so that observers agree with one another beyond
chance, and hard images are both slower and more often wrong.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from convrnn_data.human import GRACE
from convrnn_data.streams import Stream

BLOCKS = ((0, 500), (400, 900), (600, 1100), (800, 1300), (1000, 1500))
"""Per response-time block: the number in its `sender`, and its beep in ms after the stimulus."""

TUTORIAL_TRIALS = 20

CURVES: dict[str, dict[str, tuple[float, ...]]] = {
    "color_gray": {"c": (6.8, 22.0, 47.0, 64.1, 69.0), "g": (6.8, 23.3, 44.0, 58.6, 65.3)},
    "noise": {
        "0": (6.8, 23.5, 46.0, 60.0, 63.0),
        "0.04": (7.0, 23.7, 46.4, 56.7, 57.2),
        "0.16": (6.8, 10.6, 15.4, 23.0, 22.0),
    },
    "blur": {
        "0": (6.8, 24.0, 50.0, 64.0, 68.0),
        "3": (6.5, 26.6, 51.4, 63.6, 65.3),
        "9": (6.3, 12.1, 24.2, 33.4, 36.5),
    },
}
"""Experiment -> level -> accuracy in percent, fastest block first. Level 0 of noise and blur is made up."""

_ABILITY, _EASE, _DIFFICULTY = 0.35, 0.4, 0.8
"""SDs, in logits, of observers, categories and images."""

_MISS_RATE = 0.04
_ALIKE = (
    ("bear", "cat", "dog", "elephant", "bird"),
    ("airplane", "bicycle", "boat", "car", "truck"),
    ("bottle", "chair", "clock", "keyboard", "knife", "oven"),
)

Row = dict[str, Any]


def observer_name(number: int) -> str:
    """The id of the simulated observer `number`, counted from 0: `simulated-01`."""
    return f"simulated-{number + 1:02d}"


def simulate_observer(
    experiment: str, number: int, stimuli: Sequence[Sequence[tuple[str, str, str]]], *, seed: int = 0
) -> str:
    """Answer one experiment as one observer would.

    Args:
        experiment: A key of `CURVES`.
        number: The observer's number, from 0; odd ones start with the slowest block.
        stimuli: Per block, the stimuli as (file name, level, category).
        seed: The same seed gives the same line.

    Returns:
        One line of a `jatos_results_*.txt`: a JSON array of rows, as lab.js writes them.
    """
    rng = np.random.default_rng([seed, Stream.OBSERVER, *experiment.encode(), number])
    ability = rng.normal(0, _ABILITY)
    ease = np.random.default_rng([seed, Stream.CATEGORY_EASE]).normal(0, _EASE, 16)
    easy = dict(zip(_categories(), ease, strict=True))
    order = 1 if number % 2 == 0 else -1
    rows: list[Row] = [{"sender": "Welcome", "url": {"srid": observer_name(number)}, "duration": 4000}]
    rows.append({"sender": "ScreenCategorizationTutorial", "duration": 3000})
    for name, level, category in stimuli[-1][:TUTORIAL_TRIALS]:
        known: str = category if rng.random() < 0.95 else _confusion(rng, category)
        rows += _trial(name, level, category, known, float(rng.normal(1100, 200)), order)
    for block in range(len(BLOCKS))[::order]:
        screen, beep = BLOCKS[block]
        rows.append({"sender": f"Screen{screen}", "duration": 2000})
        for index in rng.permutation(len(stimuli[block])):
            name, level, category = stimuli[block][index]
            hard = _difficulty(name, block, seed)
            chance = _chance(CURVES[experiment][level][block], ability + easy[category] - hard)
            answer, duration = _respond(rng, category, chance, beep + 25 * hard)
            rows += _trial(name, level, category, answer, min(duration, beep + GRACE), order)
    return json.dumps(rows, separators=(",", ":"))


def _categories() -> list[str]:
    return sorted(name for group in _ALIKE for name in group)


def _difficulty(name: str, block: int, seed: int) -> float:
    """How hard this image is for everyone, in logits; the same for all observers."""
    return float(
        np.random.default_rng([seed, Stream.IMAGE_DIFFICULTY, block, *name.encode()]).normal(0, _DIFFICULTY)
    )


def _chance(percent: float, shift: float) -> float:
    """Move an accuracy by `shift` logits, as far as it lies above guessing among 16."""
    guess = 1 / 16
    known = min(0.98, max(0.002, (percent / 100 - guess) / (1 - guess)))
    # The mean over normal shifts lies nearer to a half than the middle does: stretched so that it comes out right.
    spread = math.sqrt(1 + math.pi / 8 * (_ABILITY**2 + _EASE**2 + _DIFFICULTY**2))
    moved = 1 / (1 + math.exp(-(spread * math.log(known / (1 - known)) + shift)))
    return guess + (1 - guess) * moved


def _respond(rng: Generator, category: str, chance: float, target: float) -> tuple[str | None, float]:
    """One answer (None where missed) and its time in ms; people aim just past the beep."""
    if rng.random() < _MISS_RATE:
        return None, math.inf
    answer = category if rng.random() < chance else _confusion(rng, category)
    return answer, max(150.0, float(rng.normal(target + 40, 70)))


def _confusion(rng: Generator, category: str) -> str:
    """A wrong answer, three times in five from the same group: animals, vehicles, things."""
    group = next(group for group in _ALIKE if category in group)
    pool = list(group) if rng.random() < 0.6 else _categories()
    return str(rng.choice([name for name in pool if name != category]))


def _trial(
    name: str, level: str, category: str, answer: str | None, duration: float, order: int
) -> list[Row]:
    """The three rows of one trial; a missed one has no `response`."""
    response: Row = {"sender": "Stimulus & Response", "category": category, "mode": level, "filename": name}
    response |= {"order": order, "correct": answer == category, "duration": round(duration, 1)}
    response["ended_on"] = "timeout" if answer is None else "response"
    if answer is not None:
        response["response"] = answer
    return [
        response,
        {"sender": "inter-stimulus", "duration": 500},
        {"sender": "Trial", "duration": round(duration + 500, 1)},
    ]
