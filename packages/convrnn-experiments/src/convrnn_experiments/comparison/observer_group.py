"""Human answers for a comparison: selected by regime and aligned with the images of a network."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from convrnn_data.categories import CATEGORIES
from convrnn_data.human.stimuli import EXPERIMENTS, parse_name
from convrnn_data.observers.conventions import MAX_UNREADABLE, Misses
from convrnn_data.observers.exclusions import exclude
from convrnn_data.observers.table import (
    correct_matrix,
    is_simulated,
    read_observers,
    scored_trials,
    with_misses,
)
from convrnn_data.observers.trial_counts import count_observers, count_trials
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.conditions import Regime, condition_of, level_of_condition, name_at, plain_level
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.evaluation.results import Evaluation

_REGIME_LEVEL: dict[str, str] = {Regime.COLOR: "c", Regime.GRAYSCALE: "g"}
"""Level that stands for a regime within an experiment of two regimes."""


@dataclass(frozen=True)
class SharedTrials:
    """Images and trials that a network and the observers share, and counts of those left out.

    Attributes:
        images: Whether each image of the network was answered by an observer, (images,).
        observers: Observers on these images.
        not_shown: Number of the network's images that no observer was shown.
        not_answered: Number of the network's images that were shown but missed by every observer.
        trials: Number of the observers' trials on shared images, including missed ones.
        trials_elsewhere: Number of the observers' trials in the regime on images that the network was not tested on,
            or that every observer missed.
    """

    images: np.ndarray
    observers: ConditionObservers
    not_shown: int
    not_answered: int
    trials: int
    trials_elsewhere: int


@dataclass(frozen=True)
class ObserverGroup:
    """Answers of all observers, with the choices made in reading them.

    Attributes:
        folder: Folder of the answers.
        table: Table from `read_observers`, after exclusions and with missed trials scored.
        misses: Convention by which missed trials are scored.
        exclusions: Named sets of observers that were excluded.
        all_trials: Table from `read_observers`, including practice, late and excluded trials.
    """

    folder: Path
    table: pd.DataFrame
    misses: Misses
    exclusions: tuple[str, ...]
    all_trials: pd.DataFrame

    @cached_property
    def simulated(self) -> bool:
        """True if any observer is simulated."""
        return is_simulated(self.table)

    @property
    def noun(self) -> str:
        """Name of the observers in tables and figures."""
        return "simulated observers" if self.simulated else "humans"

    def scored_by(self, misses: Misses, *, seed: int = 0) -> "ObserverGroup":
        """Return the same observers with missed trials scored by another convention."""
        if misses == self.misses != "random":  # random categories depend on the seed
            return self
        table = exclude(scored_trials(self.all_trials), named=self.exclusions)
        return replace(self, table=with_misses(table, misses, seed=seed), misses=misses)

    def observer_counts(self) -> pd.DataFrame:
        """Count observers found, read, excluded and kept; see `trial_counts.count_observers`."""
        return count_observers(self.all_trials, excluded=self.table.attrs["excluded"])

    def trial_counts(self, evaluations: Iterable[Evaluation]) -> pd.DataFrame:
        """Count trials found, lost and kept, given the evaluated images; see `trial_counts.count_trials`."""
        stimuli = {
            key for evaluation in evaluations if evaluation.human for key in trial_keys(evaluation.answers)
        }
        return count_trials(self.all_trials, excluded=self.table.attrs["excluded"], stimuli=stimuli)

    def size(self, regime: str) -> int:
        """Return the number of observers in the experiment of the regime."""
        return int(self.trials(regime)["observer"].nunique())

    def trials(self, regime: str) -> pd.DataFrame:
        """Return the trials of the regime, as rows of `table`."""
        table = self.table[self.table["experiment"] == condition_of(regime).experiment]
        return table[table["level"] == _REGIME_LEVEL[regime]] if regime in _REGIME_LEVEL else table

    def at_level(self, regime: str, level: str) -> pd.DataFrame:
        """Return the trials at a level, in its shortest form."""
        trials = self.trials(regime)
        return trials if regime in _REGIME_LEVEL else trials[trials["level"].map(plain_level) == level]

    def shared_with(self, regime: str, answers: Answers) -> SharedTrials | None:
        """Select the images that both the observers and a network answered; None if there are none.

        An image counts if at least one observer answered it, so a level that observers were not shown does not have
        shared images.
        """
        key = regime, *(tuple(column.tolist()) for column in (answers.names, answers.blocks, answers.levels))
        if key not in self._shared:
            self._shared[key] = self._select_shared(regime, answers)
        return self._shared[key]

    @cached_property
    def _shared(self) -> dict[tuple[object, ...], SharedTrials | None]:
        """Results of `shared_with`, which networks with the same images share."""
        return {}

    def _select_shared(self, regime: str, answers: Answers) -> SharedTrials | None:
        table = self.trials(regime)
        keys = pd.MultiIndex.from_tuples(trial_keys(answers), names=["block", "file_name"])
        tested = table[pd.MultiIndex.from_frame(table[["block", "file_name"]]).isin(keys)]
        if tested.empty:
            return None
        observers = _condition_observers(tested, keys, answers.blocks)
        shown = ~np.isnan(observers.scores).all(axis=0) | observers.missed.any(axis=0)
        answered: np.ndarray = np.asarray((observers.answers >= 0).any(axis=0))
        if not answered.any():
            return None
        kept = observers.select(answered)
        trials = int((~np.isnan(kept.scores) | kept.missed).sum())
        return SharedTrials(
            answered,
            kept,
            int((~shown).sum()),
            int((shown & ~answered).sum()),
            trials,
            len(table[self._at_levels(table, answers)]) - trials,
        )

    @staticmethod
    def _at_levels(table: pd.DataFrame, answers: Answers) -> pd.Series:
        """Return the mask of the trials at the levels of a network's answers."""
        if table["level"].isin(list(_REGIME_LEVEL.values())).all():
            return pd.Series(True, index=table.index)
        return table["level"].map(plain_level).isin(set(answers.levels.tolist()))


def read_observer_group(
    folder: Path,
    *,
    exclusions: Collection[str] = (),
    misses: Misses = "chance",
    seed: int = 0,
    max_unreadable: float = MAX_UNREADABLE,
) -> ObserverGroup:
    """Read the human answers below a folder.

    Args:
        folder: Folder with `jatos_results_*.txt` at any depth.
        exclusions: Named sets of observers to exclude, such as "satbench".
        misses: Convention for missed trials; see `observers.table.with_misses`.
        seed: Seed of the random categories.
        max_unreadable: Largest share of trials, and of sessions, that may be unreadable.

    Raises:
        ConvRNNError: There are no answers, too many are unreadable, or a named set is unknown.
    """
    all_trials = _with_level_names(read_observers(folder, all_trials=True, max_unreadable=max_unreadable))
    table = exclude(scored_trials(all_trials), named=exclusions)
    return ObserverGroup(folder, with_misses(table, misses, seed=seed), misses, tuple(exclusions), all_trials)


def _with_level_names(table: pd.DataFrame) -> pd.DataFrame:
    """Add the level to file names that do not give it, and shorten levels."""
    other = ~table["experiment"].isin(EXPERIMENTS)
    if other.any():
        pairs = zip(table.loc[other, "level"], table.loc[other, "file_name"], strict=True)
        table.loc[other, "level"] = table.loc[other, "level"].map(level_of_condition)
        table.loc[other, "file_name"] = [name_at(level, name) for level, name in pairs]
    return table


def trial_keys(answers: Answers) -> list[tuple[int, str]]:
    """Return the block and the file name, as in the human test set, of each row."""
    names: list[str] = []
    for name in answers.names:
        parsed = parse_name(str(name))
        names.append(str(name) if parsed is None else f"{parsed.stem}.JPEG")
    return list(zip(answers.blocks.tolist(), names, strict=True))


def _condition_observers(table: pd.DataFrame, keys: pd.MultiIndex, blocks: np.ndarray) -> ConditionObservers:
    """Arrange a table of trials as arrays, with columns in the order of `keys` (block, file name)."""
    ids = sorted(table["observer"].unique())
    table = table.assign(
        answer=pd.Categorical(table["response"].where(~table["missed"]), CATEGORIES).codes.astype(float),
        was_missed=table["missed"].astype(float),
    )
    columns = ["block", "file_name"]
    cells = table.groupby(["observer", *columns])[["score", "response_time", "answer", "was_missed"]].first()

    def matrix(frame: pd.DataFrame) -> np.ndarray:
        values: np.ndarray = frame.reindex(index=ids, columns=keys).to_numpy(dtype=float)
        return values

    score, time, answer, missed = (matrix(cells[name].unstack(columns)) for name in cells.columns)
    correct = matrix(correct_matrix(table).droplevel("experiment", axis="columns"))
    return ConditionObservers(
        ids,
        scores=score,
        correct=correct,
        times=time,
        answers=np.nan_to_num(answer, nan=-1).astype(np.int64),
        missed=missed == 1,
        blocks=blocks,
    )
