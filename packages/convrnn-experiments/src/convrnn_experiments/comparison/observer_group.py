"""People's side of a comparison: the observers' table, restricted to a condition and aligned with a network's."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from convrnn_data.categories import CATEGORIES
from convrnn_data.human.stimuli import parse_name
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.evaluation.results import Answers, Evaluation, plain_level
from convrnn_experiments.observers.conventions import MAX_UNREADABLE, Misses
from convrnn_experiments.observers.jatos import BEEPS
from convrnn_experiments.observers.table import (
    correct_matrix,
    exclude,
    is_simulated,
    read_observers,
    scored_trials,
    with_misses,
)
from convrnn_experiments.observers.trial_counts import count_observers, count_trials
from convrnn_experiments.statistics.means import mean_over, membership, safe_divide

EXPERIMENTS = {regime: condition.experiment for regime, condition in CONDITIONS.items()}
"""Regime -> the human experiment that has its stimuli."""
_OWN_LEVEL = {Regime.COLOR: "c", Regime.GRAYSCALE: "g"}
BEEP_TIMES = np.array(list(BEEPS.values()), dtype=float)
"""(blocks,) ms from the stimulus to the beep."""


@dataclass(frozen=True)
class Crowd:
    """People in one condition; rows are observers in the order of their ids, columns the network's images.

    Attributes:
        observers: ids.
        scores: (observers, images) 0 to 1, missed trials by their convention; NaN without a trial.
        correct: (observers, images) 1, 0, or NaN where there is no answer to score.
        times: (observers, images) response times in ms; NaN without an answer.
        answers: (observers, images) the category answered, 0 to 15; -1 without an answer.
        missed: (observers, images) whether the trial was missed; False without a trial.
        blocks: (images,) response-time block of each image.
    """

    observers: list[str]
    scores: np.ndarray
    correct: np.ndarray
    times: np.ndarray
    answers: np.ndarray
    missed: np.ndarray
    blocks: np.ndarray

    def of(self, images: np.ndarray) -> "Crowd":
        """The observers on some of the images, by mask; an observer without a trial on them is left out."""
        columns = {
            name: getattr(self, name)[:, images]
            for name in ("scores", "correct", "times", "answers", "missed")
        }
        took_part = ~np.isnan(columns["scores"]).all(axis=1) | columns["missed"].any(axis=1)
        return Crowd(
            [name for name, there in zip(self.observers, took_part, strict=True) if there],
            **{name: column[took_part] for name, column in columns.items()},
            blocks=self.blocks[images],
        )

    @cached_property
    def mean_times(self) -> np.ndarray:
        """(blocks,) mean response time in ms: of each observer, then over observers; the beep where nobody answered."""
        return np.where(np.isnan(found := mean_times(self)), BEEP_TIMES, found)

    def standardized_times(self, *, correct: bool = False) -> np.ndarray:
        """(observers, images) response times standardised within observer and block; NaN without a time.

        Standardising takes out that observers differ in speed, and that the beep sets the pace of a block (this
        project's definition).

        Args:
            correct: whether to keep the times of correct answers alone.
        """
        times = np.where(self.correct == 1, self.times, np.nan) if correct else self.times
        found = np.full(times.shape, np.nan)
        for block in range(len(BEEPS)):
            here = self.blocks == block
            values = times[:, here]
            known = ~np.isnan(values)
            number = known.sum(axis=1, keepdims=True)
            mean = np.where(known, values, 0).sum(axis=1, keepdims=True) / np.maximum(number, 1)
            left = np.where(known, values - mean, np.nan)
            spread = np.sqrt(np.nansum(left**2, axis=1, keepdims=True) / np.maximum(number - 1, 1))
            found[:, here] = np.divide(left, spread, out=np.full(left.shape, np.nan), where=spread > 0)
        return found

    def confusions(self, labels: np.ndarray) -> np.ndarray:
        """(blocks, 16, 16) counts of answers: rows are the true categories `labels` (images,), columns the answers."""
        counts = np.zeros((len(BEEPS), len(CATEGORIES), len(CATEGORIES)), dtype=np.int64)
        observers, images = np.nonzero(self.answers >= 0)
        np.add.at(counts, (self.blocks[images], labels[images], self.answers[observers, images]), 1)
        return counts


def mean_times(crowd: Crowd) -> np.ndarray:
    """(blocks,) mean response time in ms, of each observer and then over observers; NaN where nobody answered."""
    return mean_over(observer_mean_times(crowd))


def observer_mean_times(crowd: Crowd) -> np.ndarray:
    """(observers, blocks) mean response time in ms of each observer; NaN without an answer."""
    member = membership(crowd.blocks, len(BEEPS))
    return safe_divide(np.nan_to_num(crowd.times) @ member, (~np.isnan(crowd.times)) @ member)


@dataclass(frozen=True)
class Shared:
    """What a network and the people have in common, and what enters neither side.

    Attributes:
        images: (images,) whether each image of the network was answered by somebody.
        crowd: the people on these images.
        not_shown: images of the network that nobody was shown.
        not_answered: images of the network that were shown and that everybody missed.
        trials: people's trials on shared images, missed ones included.
        trials_elsewhere: people's trials in the regime on images that the network was not tested on, or that
            everybody missed.
    """

    images: np.ndarray
    crowd: Crowd
    not_shown: int
    not_answered: int
    trials: int
    trials_elsewhere: int


@dataclass(frozen=True)
class People:
    """Everybody's answers, with what was decided about them.

    Attributes:
        folder: where the answers are.
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

    def shared_with(self, regime: Regime, answers: Answers) -> Shared | None:
        """People and a network on the images that both have answers to; None where there are none.

        An image counts where at least one observer answered it; a level that people were not shown has no image that
        counts.
        """
        table = self._of(regime)
        keys = pd.MultiIndex.from_tuples(trial_keys(answers), names=["block", "file_name"])
        tested = pd.MultiIndex.from_frame(table[["block", "file_name"]]).isin(keys)
        here = table[tested]
        if here.empty:
            return None
        crowd = _crowd(here, keys, answers.blocks)
        shown = ~np.isnan(crowd.scores).all(axis=0) | crowd.missed.any(axis=0)
        answered: np.ndarray = np.asarray((crowd.answers >= 0).any(axis=0))
        if not answered.any():
            return None
        kept = crowd.of(answered)
        trials = int((~np.isnan(kept.scores) | kept.missed).sum())
        return Shared(
            answered,
            kept,
            int((~shown).sum()),
            int((shown & ~answered).sum()),
            trials,
            len(table[self._levels(table, answers)]) - trials,
        )

    @staticmethod
    def _levels(table: pd.DataFrame, answers: Answers) -> pd.Series:
        if table["level"].isin(list(_OWN_LEVEL.values())).all():
            return pd.Series(True, index=table.index)
        return table["level"].map(plain_level).isin(set(answers.levels.tolist()))


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


def _crowd(table: pd.DataFrame, keys: pd.MultiIndex, blocks: np.ndarray) -> Crowd:
    observers = sorted(table["observer"].unique())
    table = table.assign(
        answer=pd.Categorical(table["response"].where(~table["missed"]), CATEGORIES).codes.astype(float),
        was_missed=table["missed"].astype(float),
    )
    columns = ["block", "file_name"]
    cells = table.groupby(["observer", *columns])[["score", "response_time", "answer", "was_missed"]].first()

    def matrix(frame: pd.DataFrame) -> np.ndarray:
        found: np.ndarray = frame.reindex(index=observers, columns=keys).to_numpy(dtype=float)
        return found

    score, time, answer, missed = (matrix(cells[name].unstack(columns)) for name in cells.columns)
    correct = matrix(correct_matrix(table).droplevel("experiment", axis="columns"))
    return Crowd(
        observers,
        scores=score,
        correct=correct,
        times=time,
        answers=np.nan_to_num(answer, nan=-1).astype(np.int64),
        missed=missed == 1,
        blocks=blocks,
    )
