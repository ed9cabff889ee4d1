"""Simulate balanced accuracy, sensitivity and calibration error: bias, and how often their intervals contain the truth.

Answers follow the choice model, with preferences that differ between categories, and in half of the designs with
similarities that the model does not have: the true sensitivity is then that of the model fitted to very many images.
Observers differ in sensitivity. The confidence of the network is the softmax of noisy log odds times a factor.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from common import bias_and_coverage, simulate_designs, simulation_options
from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.comparison.over_time import network_course, observer_course
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.statistics.measures import CLASSES

MANY = 400_000
"""Number of images behind the true values of a network."""
SPREAD = 0.3
"""Standard deviation of sensitivity over observers, and of difficulty over images."""


@dataclass(frozen=True)
class Design:
    """Design of an experiment.

    Attributes:
        images: Number of images per category; those of humans are divided between the response-time blocks.
        observers: Number of observers.
        sensitivity: In log odds.
        similar: Difference in log odds between answers of similar and of other categories.
        sharpness: Factor on the noisy log odds whose softmax is the confidence.
    """

    images: int
    observers: int
    sensitivity: float
    similar: float
    sharpness: float


DESIGNS = [
    Design(images, observers, sensitivity, similar, sharpness)
    for images, observers, sensitivity, similar, sharpness in (
        (10, 8, 0.5, 0.0, 1.5),
        (10, 8, 3.0, 1.0, 1.5),
        (10, 45, 5.0, 0.0, 0.6),
        (65, 8, 5.0, 1.0, 1.5),
        (65, 45, 0.5, 1.0, 0.6),
        (65, 45, 3.0, 0.0, 3.0),
    )
]


def answer_logits(design: Design, labels: np.ndarray) -> np.ndarray:
    """Return the log odds of the answers to images of some categories, (images, categories)."""
    bias = np.random.default_rng(16).normal(scale=0.7, size=CLASSES)
    pairs = np.arange(CLASSES) // 4
    similar = design.similar * (pairs[:, None] == pairs)
    return bias + similar[labels] + design.sensitivity * np.eye(CLASSES)[labels]


def draw(design: Design, rng: np.random.Generator, times: int = 1) -> tuple[Answers, ConditionObservers]:
    """Draw an experiment, with `times` as many images as the design has."""
    labels = np.tile(np.arange(CLASSES), design.images * times)
    count = len(labels)
    blocks = np.arange(count) // CLASSES % BLOCKS
    ease = SPREAD * rng.normal(size=count)
    right = np.eye(CLASSES)[labels]
    logits = answer_logits(design, labels) + ease[:, None] * right
    # The likeliest answer under noise of this distribution follows the choice model.
    noisy = logits + rng.gumbel(size=logits.shape)
    given = noisy.argmax(axis=1)
    odds = np.exp(design.sharpness * (noisy - noisy.max(axis=1, keepdims=True)))
    confidence = 1 / odds.sum(axis=1)
    answers = Answers(
        *(np.full(count, "", dtype=object),) * 2,
        labels=labels,
        answers=given[:, None],
        confidence=confidence[:, None],
        entropy=np.zeros((count, 1)),
        margin=np.zeros((count, 1)),
        levels=np.full(count, "0", dtype=object),
        blocks=blocks,
    )
    skill = SPREAD * rng.normal(size=design.observers)
    theirs = np.stack(
        [(logits + own * right + rng.gumbel(size=logits.shape)).argmax(axis=1) for own in skill]
    )
    missed = rng.random(theirs.shape) < 0.2
    correct = np.where(missed, np.nan, theirs == labels)
    observers = ConditionObservers(
        [str(number) for number in range(design.observers)],
        scores=np.nan_to_num(correct, nan=1 / CLASSES),
        correct=correct,
        times=np.where(missed, np.nan, 500.0),
        answers=np.where(missed, -1, theirs),
        missed=missed,
        blocks=blocks,
    )
    return answers, observers


def estimates(
    design: Design, rng: np.random.Generator, times: int = 1
) -> dict[str, tuple[float, float, float]]:
    """Return value and ends of each measure in a drawn experiment."""
    answers, observers = draw(design, rng, times)
    found = {
        f"network {measure}": values[0]
        for measure, values in network_course(answers).items()
        if measure != "expected_calibration_error"
    }
    human = observer_course(observers, answers.labels, answers.levels)
    found |= {f"humans {measure}": values[0] for measure, values in human.items()}
    return {measure: (one.value, one.low, one.high) for measure, one in found.items()}


def truths(design: Design, seed: int) -> dict[str, float]:
    """Return the measures on very many images and, for humans, the mean over groups of very many observers."""
    rng = np.random.default_rng([seed, 1])
    network = estimates(replace(design, observers=2), rng, MANY // (CLASSES * design.images))
    many = replace(design, observers=40 * design.observers)
    groups = [estimates(many, rng, 5) for _ in range(8)]
    return {
        measure: value[0]
        if measure.startswith("network")
        else float(np.mean([one[measure][0] for one in groups]))
        for measure, value in network.items()
    }


def simulate(design: Design, experiments: int, seed: int) -> list[dict[str, Any]]:
    """Simulate a design, and return a row per measure with bias and coverage."""
    true = truths(design, seed)
    seen = defaultdict(list)
    for experiment in range(experiments):
        rng = np.random.default_rng([seed, design.images, design.observers, experiment + 2])
        for measure, values in estimates(design, rng).items():
            seen[measure].append(values)
    return [
        asdict(design) | {"measure": measure} | bias_and_coverage(values, true[measure])
        for measure, values in seen.items()
    ]


def line(row: Mapping[str, Any]) -> str:
    """Format a row."""
    return (
        f"{row['images']:2} x {row['observers']:2}  s {row['sensitivity']}  {row['measure']:25} truth "
        f"{row['truth']:7.3f}  bias {row['bias_percent']:+6.2f} ({row['bias_error_percent']:.2f}) %  covers "
        f"{row['covered_percent']:5.1f} %"
    )


def main() -> None:
    """Simulate all designs and write the results."""
    options = simulation_options(__doc__, "over_time_recovery.json", experiments=1000).parse_args()
    simulate_designs(options, simulate, DESIGNS, line)


if __name__ == "__main__":
    main()
