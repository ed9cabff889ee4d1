"""Simulated observers: answer files in the format of the human experiments, with human-like accuracy curves.

The answers are synthetic, to try all code that reads, scores and plots human data without a download.
Every observer's id starts with `simulated-`.

Accuracy follows SATBench's published figure (Subramanian et al. 2025, doi 10.1167/jov.25.1.4; digitised, +-2 percentage
points) for each level and response-time block, with a missed trial scored 1/16, the expected value under the figure's
convention. Misses are as frequent as in the real data. The probability of a correct answer depends on the ability of
the observer, the category and the image, so that observers agree beyond chance, and difficult images are slower and
more often wrong.
"""

import json
import math
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy.random import Generator

from convrnn_data.base.random_streams import Stream
from convrnn_data.categories import CHANCE
from convrnn_data.human.experiment import BEEPS, BLOCKS, GRACE

MISSED = (0.60, 0.50, 0.33, 0.28, 0.23)
"""Mean share of missed trials in each response-time block, as in the real data."""

MEAN_TIMES = (634, 970, 1140, 1311, 1481)
"""Mean response time in each response-time block, in ms, as in the real color experiment."""

TUTORIAL_TRIALS = 50

CURVES: dict[str, dict[str, tuple[float, ...]]] = {
    "color_gray": {"c": (6.8, 22.0, 47.0, 64.1, 69.0), "g": (6.8, 23.3, 44.0, 58.6, 65.3)},
    "noise": {
        "0": (6.8, 23.5, 46.0, 60.0, 63.0),
        "0.04": (7.0, 23.7, 46.4, 56.7, 57.2),
        "0.16": (6.8, 10.6, 15.4, 23.0, 22.0),
    },
    "blur": {
        "0": (6.8, 24.0, 50.4, 74.5, 74.6),
        "3": (6.5, 26.6, 51.4, 63.6, 65.3),
        "9": (6.3, 12.1, 24.2, 33.4, 36.5),
    },
}
"""Experiment -> level -> accuracy in percent, fastest block first, where a missed trial scores 1/16.

Level 0 of noise and the first two blocks of level 0 of blur are invented; the other blocks of level 0 of blur are from
the authors' notebook, converted from their convention.
"""

_ABILITY, _EASE, _DIFFICULTY = 0.35, 0.4, 0.8
"""SDs, in logits, of observers, categories and images."""

_CARE = 0.5
"""SD between observers of the share of missed trials, in logits."""

_TIME_SD, _LATE_MISSES = 50, 0.05
"""SD of response times in ms; share of missed trials that ended late."""

_GROUPS = (
    ("bear", "cat", "dog", "elephant", "bird"),
    ("airplane", "bicycle", "boat", "car", "truck"),
    ("bottle", "chair", "clock", "keyboard", "knife", "oven"),
)

SessionRow = dict[str, Any]


def observer_name(number: int) -> str:
    """Return the id of observer `number`, from 0: `simulated-01`."""
    return f"simulated-{number + 1:02d}"


def simulate_observer(
    experiment: str, number: int, stimuli: Sequence[Sequence[tuple[str, str, str]]], *, seed: int = 0
) -> str:
    """Simulate the answers of one observer in one experiment.

    Args:
        experiment: A key of `CURVES`.
        number: Number of the observer, from 0; odd ones start with the slowest block.
        stimuli: (file name, level, category) of each stimulus in each block.
        seed: Seed of all random numbers.

    Returns:
        A line of a `jatos_results_*.txt`: a JSON array of rows, as lab.js writes them.
    """
    rng = np.random.default_rng([seed, Stream.OBSERVER, *experiment.encode(), number])
    ability, care = rng.normal(0, _ABILITY), rng.normal(0, _CARE)
    ease = np.random.default_rng([seed, Stream.CATEGORY_EASE]).normal(0, _EASE, 16)
    easy = dict(zip(_categories(), ease - ease.mean(), strict=True))
    order = 1 if number % 2 == 0 else -1
    rows: list[SessionRow] = [{"sender": "Welcome", "url": {"srid": observer_name(number)}, "duration": 4000}]
    rows += _tutorial(rng, stimuli[-1], order)
    for block in range(BLOCKS)[::order]:
        screen, beep = list(BEEPS.items())[block]
        if (experiment, block) == ("color_gray", 1 if order == 1 else 0) and number % 4 < 3:
            rows += [{"sender": sender, "duration": 1500} for sender in ("Break", "Instructions", "Ready")]
        rows.append({"sender": screen, "duration": 2000})
        missed = _shifted(MISSED[block], care, _CARE)
        for index in rng.permutation(len(stimuli[block])):
            name, level, category = stimuli[block][index]
            hard = _difficulty(name, block, seed)
            if rng.random() < missed:
                rows += _trial(name, level, category, None, _timeout(rng, beep + GRACE), order)
                continue
            chance = _chance(answered_accuracy(experiment, level, block), ability + easy[category] - hard)
            answer = category if rng.random() < chance else _confusion(rng, category)
            time = _time(rng, MEAN_TIMES[block] + 20 * hard, beep + GRACE)
            rows += _trial(name, level, category, answer, time, order)
    return json.dumps(rows, separators=(",", ":"))


def answered_accuracy(experiment: str, level: str, block: int) -> float:
    """Return the percentage correct among answered trials that yields `CURVES` if missed trials score 1/16."""
    missed = MISSED[block]
    return (CURVES[experiment][level][block] - 100 * CHANCE * missed) / (1 - missed)


def _tutorial(rng: Generator, stimuli: Sequence[tuple[str, str, str]], order: int) -> list[SessionRow]:
    """Return the rows of the tutorial, which repeats images if there are too few."""
    rows: list[SessionRow] = [{"sender": "ScreenCategorizationTutorial", "duration": 3000}]
    for name, level, category in islice(cycle(stimuli), TUTORIAL_TRIALS):
        known: str = category if rng.random() < 0.95 else _confusion(rng, category)
        rows += _trial(name, level, category, known, float(rng.normal(1100, 200)), order)
    return rows


def _categories() -> list[str]:
    return sorted(name for group in _GROUPS for name in group)


def _difficulty(name: str, block: int, seed: int) -> float:
    """Return the difficulty of an image in logits, the same for all observers."""
    return float(
        np.random.default_rng([seed, Stream.IMAGE_DIFFICULTY, block, *name.encode()]).normal(0, _DIFFICULTY)
    )


def _chance(percent: float, shift: float) -> float:
    """Shift an accuracy by `shift` logits, after correction for chance."""
    corrected = min(0.98, max(0.002, (percent / 100 - CHANCE) / (1 - CHANCE)))
    return CHANCE + (1 - CHANCE) * _shifted(corrected, shift, math.hypot(_ABILITY, _EASE, _DIFFICULTY))


def _shifted(probability: float, shift: float, sd: float) -> float:
    """Shift a probability by logits, such that the mean over normal shifts with this SD is the probability itself."""
    # Averaging over shifts pulls the mean toward 0.5, so the logit is scaled up first.
    spread = math.sqrt(1 + math.pi / 8 * sd**2)
    return 1 / (1 + math.exp(-(spread * math.log(probability / (1 - probability)) + shift)))


def _time(rng: Generator, mean: float, last: float) -> float:
    """Draw a response time in ms, at most `last`."""
    return min(last, max(150.0, float(rng.normal(mean, _TIME_SD))))


def _timeout(rng: Generator, last: float) -> float:
    """Draw the recorded duration of a missed trial, which sometimes ends late by up to a frame."""
    return last + (float(rng.uniform(0.1, 17)) if rng.random() < _LATE_MISSES else 0.0)


def _confusion(rng: Generator, category: str) -> str:
    """Draw a wrong answer, with probability 0.6 from the same group: animals, vehicles or objects."""
    group = next(group for group in _GROUPS if category in group)
    pool = list(group) if rng.random() < 0.6 else _categories()
    return str(rng.choice([name for name in pool if name != category]))


def _trial(
    name: str, level: str, category: str, answer: str | None, duration: float, order: int
) -> list[SessionRow]:
    """Return the three rows of a trial; a missed trial has no `response`."""
    response: SessionRow = {
        "sender": "Stimulus & Response",
        "category": category,
        "mode": level,
        "filename": name,
    }
    response |= {"order": order, "correct": answer == category, "duration": round(duration, 1)}
    response["ended_on"] = "timeout" if answer is None else "response"
    if answer is not None:
        response["response"] = answer
    return [
        response,
        {"sender": "inter-stimulus", "duration": 500},
        {"sender": "Trial", "duration": round(duration + 500, 1)},
    ]
