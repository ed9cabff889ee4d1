"""People's side of a comparison: the observers' table, cut to a condition and laid beside a network's trials."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convrnn_data.categories import CATEGORIES
from convrnn_data.human import parse_name
from convrnn_experiments.conditions import Regime
from convrnn_experiments.jatos import BEEPS
from convrnn_experiments.observers import (
    MAX_UNREADABLE,
    Misses,
    by_image,
    correct_matrix,
    exclude,
    is_simulated,
    observer_curves,
    read_observers,
    scored_trials,
    with_misses,
)
from convrnn_experiments.results import Answers, Evaluation
from convrnn_experiments.trial_counts import count_observers, count_trials

EXPERIMENTS = {
    Regime.COLOR: "color_gray",
    Regime.GRAYSCALE: "color_gray",
    Regime.NOISE: "noise",
    Regime.BLUR: "blur",
}
"""Regime -> the human experiment that has its stimuli."""
_OWN_LEVEL = {Regime.COLOR: "c", Regime.GRAYSCALE: "g"}
BEEP_TIMES = np.array(list(BEEPS.values()), dtype=float)
"""(blocks,) ms from the stimulus to the beep."""


@dataclass(frozen=True)
class Crowd:
    """People in one condition; observers in the order of their ids.

    Attributes:
        observers: ids.
        curves: (observers, blocks) accuracy in percent; NaN where an observer has no trial.
        categories: (observers, 16) accuracy in percent, all blocks together.
        correct: (observers, images) 1, 0, or NaN where the observer was not shown the image or gave no answer to
            score, see `observers.correct_matrix`; columns are the network's rows.
        response_times: (images,) mean z-score within observer and block; NaN where nobody answered.
        confusions: (blocks, 16, 16) counts: rows are true categories, columns answers.
        times: (trials,) response times in ms, and `blocks`, (trials,), their blocks.
    """

    observers: list[str]
    curves: np.ndarray
    categories: np.ndarray
    correct: np.ndarray
    response_times: np.ndarray
    confusions: np.ndarray
    times: np.ndarray
    blocks: np.ndarray


@dataclass(frozen=True)
class People:
    """Everybody's answers, with what was decided about them.

    Attributes:
        folder: where the answers lie.
        table: of `observers.read_observers`, after exclusions and with misses counted.
        misses: how they were counted.
        named: the sets of observers left out.
        everything: of `observers.read_observers`, with practice, late and excluded trials.
    """

    folder: Path
    table: pd.DataFrame
    misses: str
    named: tuple[str, ...]
    everything: pd.DataFrame

    @cached_property
    def simulated(self) -> bool:
        """Whether any of them is."""
        return is_simulated(self.table)

    @property
    def noun(self) -> str:
        """What to call them in tables and pictures."""
        return "simulated observers" if self.simulated else "people"

    def observer_counts(self) -> pd.DataFrame:
        """Observers found, read, excluded and kept; see `trial_counts.count_observers`."""
        return count_observers(self.everything, excluded=self.table.attrs["excluded"])

    def trial_counts(self, evaluations: Iterable[Evaluation]) -> pd.DataFrame:
        """Trials found, lost and kept beside what was evaluated; see `trial_counts.count_trials`."""
        stimuli = {key for one in evaluations if one.human for key in trial_keys(one.answers)}
        return count_trials(self.everything, excluded=self.table.attrs["excluded"], stimuli=stimuli)

    def observers(self, regime: Regime) -> int:
        """How many took part in the regime's experiment."""
        return int(self._of(regime)["observer"].nunique())

    def _of(self, regime: Regime) -> pd.DataFrame:
        table = self.table[self.table["experiment"] == EXPERIMENTS[regime]]
        return table[table["level"] == _OWN_LEVEL[regime]] if regime in _OWN_LEVEL else table

    def beside(self, regime: Regime, answers: Answers) -> Crowd | None:
        """People on the trials of a network's answers; None where they saw none of them."""
        table = self._of(regime)
        keys = trial_keys(answers)
        wanted = set(keys)
        here = [pair in wanted for pair in zip(table["block"], table["file_name"], strict=True)]
        table = table[here]
        if table.empty:
            return None
        return _crowd(table, keys)


def read_people(
    folder: Path,
    *,
    named: Collection[str] = (),
    misses: Misses = "chance",
    seed: int = 0,
    max_unreadable: float = MAX_UNREADABLE,
) -> People:
    """Read the answers below a folder.

    Args:
        folder: holds `jatos_results_*.txt`, at any depth.
        named: sets of observers to leave out, such as "satbench".
        misses: how missed trials are scored, see `observers.with_misses`.
        seed: of the random categories.
        max_unreadable: largest share of trials, and of sessions, that may be unreadable.

    Raises:
        ConvRNNError: there are no answers, too many cannot be read, or no such set is known.
    """
    everything = read_observers(folder, all_trials=True, max_unreadable=max_unreadable)
    table = exclude(scored_trials(everything), named=named)
    return People(folder, with_misses(table, misses, seed=seed), misses, tuple(named), everything)


def trial_keys(answers: Answers) -> list[tuple[int, str]]:
    """(block, file name as people saw it) of each row."""
    names: list[str] = []
    for name in answers.names:
        parsed = parse_name(str(name))
        names.append(str(name) if parsed is None else f"{parsed.stem}.JPEG")
    return list(zip(answers.blocks.tolist(), names, strict=True))


def _crowd(table: pd.DataFrame, keys: list[tuple[int, str]]) -> Crowd:
    curves = observer_curves(table, by=None).sort_index()
    observers = curves.index.get_level_values("observer")
    categories = 100 * table.groupby(["observer", "category"])["score"].mean().unstack("category")
    columns = pd.MultiIndex.from_tuples(keys, names=["block", "file_name"])
    correct = correct_matrix(table).droplevel("experiment", axis="columns")
    images = by_image(table).set_index(["block", "file_name"])["response_time_z"]
    answered = table[table["response"].notna()]
    timed = table[table["response_time"].notna()]
    return Crowd(
        observers=observers.tolist(),
        curves=curves.to_numpy(dtype=float),
        categories=categories.reindex(index=observers, columns=list(CATEGORIES)).to_numpy(dtype=float),
        correct=correct.reindex(index=observers, columns=columns).to_numpy(dtype=float),
        response_times=images.reindex(columns).to_numpy(dtype=float),
        confusions=_confusions(answered),
        times=timed["response_time"].to_numpy(dtype=float),
        blocks=timed["block"].to_numpy(),
    )


def _confusions(table: pd.DataFrame) -> np.ndarray:
    codes: list[Any] = [table["block"].to_numpy()]
    codes += [pd.Categorical(table[name], CATEGORIES).codes for name in ("category", "response")]
    counts = np.zeros((len(BEEPS), len(CATEGORIES), len(CATEGORIES)), dtype=np.int64)
    np.add.at(counts, tuple(codes), 1)
    return counts
