"""Spread of measures over training seeds, for evaluated runs whose configurations differ only in the seed.

Runs belong to one group if all entries of their `config.json` but the seed are equal, including the hashes of data and
initial weights, and if they were tested on the same images. Names of folders do not matter. Runs without a second seed,
and those of a seed that a group has twice, do not appear.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.comparison.columns import MEASURES, Measure
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.observer_group import trial_keys
from convrnn_experiments.comparison.shared_errors import spread_over_seeds
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.evaluation.sources import RunSource
from convrnn_experiments.runs.config import Config
from convrnn_experiments.statistics.sampling_error import (
    SampledEstimates,
    concatenate,
    network_means,
    strata,
)
from convrnn_experiments.statistics.training_seeds import (
    SeedSpread,
    group_by_settings,
    linear_error,
    seed_spread,
)

ACCURACY = Measure(
    "accuracy_last_step",
    "accuracy, last step",
    "percent",
    1,
    "accuracy at the last time step, on all images tested",
    interval=False,
)
_OF_HUMANS = ("_people", "_floor", "_ceiling")
"""Endings of the names of measures that do not depend on the network."""
SEED_MEASURES = (
    ACCURACY,
    *(measure for measure in MEASURES if not measure.key.endswith(_OF_HUMANS)),
)
"""Measures that have a spread over seeds."""


@dataclass(frozen=True)
class SeedRow:
    """Measure over the networks of a group in one condition.

    Attributes:
        name: Name of the group.
        networks: Names of the networks, by seed.
        seeds: Seeds of the networks.
        condition: Condition.
        test_set: Name of the results.
        pooled: Whether the condition is all levels of the regime.
        measure: Measure.
        images: Number of images.
        values: Measure of each network, by seed.
        spread: Mean and spread over the networks.
    """

    name: str
    networks: tuple[str, ...]
    seeds: tuple[int, ...]
    condition: str
    test_set: str
    pooled: bool
    measure: Measure
    images: int
    values: tuple[float, ...]
    spread: SeedSpread


@dataclass(frozen=True)
class _Tested:
    """Evaluation in one condition, with the images in an order that all networks share."""

    evaluation: Evaluation
    config: Config
    condition: str
    pooled: bool
    answers: Answers
    row: Comparison | None = None

    @property
    def keys(self) -> list[tuple[int, str, int]]:
        return [
            (*key, int(label))
            for key, label in zip(trial_keys(self.answers), self.answers.labels, strict=True)
        ]

    @property
    def order(self) -> np.ndarray:
        keys = self.keys
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=int)

    @property
    def settings(self) -> dict[str, Any]:
        """All that the networks of a group share, and the seed."""
        tested = {"condition": self.condition, "results": self.evaluation.name, "images": sorted(self.keys)}
        return self.config.to_json() | tested


def seed_rows(evaluations: Sequence[Evaluation], rows: Sequence[Comparison]) -> list[SeedRow]:
    """Summarise all measures over the training seeds of each group.

    Args:
        evaluations: Evaluations of networks, for accuracies.
        rows: Comparisons with humans, for the other measures.

    Returns:
        Rows by group and condition; none without runs that differ only in the seed.
    """
    if len({evaluation.network for evaluation in evaluations}) < 2:
        return []
    found = []
    for group in _groups(list(_evaluated(evaluations))):
        accuracies = concatenate([_last_accuracy(one) for one in group])
        spread = seed_spread(accuracies.values, linear_error(accuracies))
        found.append(_summary(group, ACCURACY, accuracies.values, spread))
    for group in _groups(list(_compared(rows))):
        found += [_summary(group, *measured) for measured in _of_comparisons(group)]
    places = {name: place for place, name in enumerate(dict.fromkeys(row.name for row in found))}
    return sorted(found, key=lambda row: places[row.name])


def _evaluated(evaluations: Sequence[Evaluation]) -> Iterator[_Tested]:
    for evaluation in evaluations:
        config = _config_of(evaluation)
        if config is None:
            continue
        for condition, mask in evaluation.conditions.items():
            yield _Tested(evaluation, config, condition, bool(mask.all()), evaluation.answers.of(mask))


def _compared(rows: Sequence[Comparison]) -> Iterator[_Tested]:
    for row in rows:
        config = _config_of(row.evaluation)
        if config is not None:
            yield _Tested(row.evaluation, config, row.condition, row.pooled, row.answers, row)


def _config_of(evaluation: Evaluation) -> Config | None:
    """Return the configuration of a training run; None for other sources, which have no training seed."""
    source = evaluation.source
    return source.config if isinstance(source, RunSource) and isinstance(source.config, Config) else None


def comparison_groups(rows: Sequence[Comparison]) -> list[list[Comparison]]:
    """Group comparisons of networks that differ only in the training seed, in order of the seeds.

    Networks without a second seed do not appear.
    """
    return [[one.row for one in group if one.row is not None] for group in _groups(list(_compared(rows)))]


def _groups(tested: Sequence[_Tested]) -> list[list[_Tested]]:
    """Group by settings and images, in order of the seeds; groups need two seeds, each of one network."""
    found = []
    for places in group_by_settings([one.settings for one in tested]):
        group = sorted((tested[place] for place in places), key=lambda one: one.config.seed)
        if len(group) > 1 and len({one.config.seed for one in group}) == len(group):
            found.append(group)
    return found


def _summary(group: Sequence[_Tested], measure: Measure, values: ArrayLike, spread: SeedSpread) -> SeedRow:
    first = group[0]
    networks = tuple(one.evaluation.network for one in group)
    seeds = tuple(one.config.seed for one in group)
    return SeedRow(
        group_name(networks, seeds),
        networks,
        seeds,
        first.condition,
        first.evaluation.name,
        first.pooled,
        measure,
        len(first.answers.labels),
        tuple(np.asarray(values, dtype=float).tolist()),
        spread,
    )


def group_name(networks: Sequence[str], seeds: Sequence[int]) -> str:
    """Return `noise` for noise-seed0 and noise-seed1, the folders of `convrnn train --seeds`; else all the names."""
    stems = {network.removesuffix(f"-seed{seed}") for network, seed in zip(networks, seeds, strict=True)}
    stem = stems.pop()
    return stem if not stems and stem not in networks else ", ".join(networks)


def group_title(rows: Sequence[Comparison]) -> str:
    """Return the name of a single network, or `noise (3 seeds)` for a group from `comparison_groups`."""
    networks = [row.evaluation.network for row in rows]
    if len(rows) == 1:
        return networks[0]
    seeds = [config.seed for row in rows if (config := _config_of(row.evaluation)) is not None]
    return f"{group_name(networks, seeds)} ({len(rows)} seeds)"


def _last_accuracy(one: _Tested) -> SampledEstimates:
    answers = one.answers.of(one.order)
    codes = strata(answers.levels.astype(str), answers.blocks, answers.labels)
    return network_means(100.0 * answers.right[:, -1], np.zeros(len(codes), dtype=int), 1, codes)


def _of_comparisons(group: Sequence[_Tested]) -> Iterator[tuple[Measure, list[float], SeedSpread]]:
    rows = [one.row for one in group if one.row is not None]
    for measure in SEED_MEASURES[1:]:
        values = [row.estimates[measure.key].value for row in rows]
        yield measure, values, spread_over_seeds(rows, measure.key)
