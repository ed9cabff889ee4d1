"""Networks beside people: one table of networks, conditions and measures, each with its 95 % interval.

Images are resampled for networks, within each level and response-time block; observers for people; both, independently,
for measures between the two. An error such as the SAT-curve RMSE grows with the noise of both curves, so its interval
reaches further up than down.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convrnn_experiments import matching, measures, resampling
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.matching import Exits
from convrnn_experiments.people import BEEP_TIMES, Crowd, People
from convrnn_experiments.resampling import NOTHING, Estimate, divided, estimate
from convrnn_experiments.results import Answers, Evaluation

SAMPLES = 1000
SPLITS = 5
_IMAGES, _OBSERVERS, _HALVES = 1, 2, 3  # streams of the seed


@dataclass(frozen=True)
class Measure:
    """A column of the table: its name, its unit, its digits, and what it is."""

    key: str
    label: str
    unit: str
    digits: int
    meaning: str


MEASURES = (
    Measure(
        "sat_rmse",
        "SAT-curve RMSE",
        "percentage points",
        1,
        "distance of the two curves; 0 is the same curve",
    ),
    Measure(
        "category_correlation",
        "category correlation",
        "Pearson's r",
        2,
        "whether the same categories are easy for both",
    ),
    Measure(
        "steepness_network",
        "steepness, network",
        "points over all steps",
        1,
        "slope of accuracy over the network's time steps, time taken from 0 to 1",
    ),
    Measure(
        "steepness_people",
        "steepness, people",
        "points from first to last beep",
        1,
        "slope of accuracy over the beeps, time taken from 0 to 1",
    ),
    Measure(
        "error_consistency",
        "error consistency",
        "Cohen's kappa",
        2,
        "whether network and person err on the same images; by level and response-time "
        "block, then the mean over these and over observers",
    ),
    Measure(
        "error_consistency_people",
        "ceiling among people",
        "Cohen's kappa",
        2,
        "the same among people, mean over pairs",
    ),
    Measure(
        "response_time_correlation",
        "response times",
        "Spearman's rho",
        2,
        "network's (entropy threshold, fitted on one half of the images, tested on the other) with people's, by image",
    ),
)


@dataclass(frozen=True)
class Row:
    """A network beside people in one condition.

    Attributes:
        evaluation: the network on the test set.
        condition: its name.
            images, observers: how many.
        where: (blocks,) positions on the exits that go with the response-time blocks.
        network: (blocks,) the network's accuracy there, in percent; `people`: theirs; both with intervals.
        network_categories, people_categories: (16,) accuracies in percent, over all blocks.
        estimates: measure -> value and interval.
    """

    evaluation: Evaluation
    condition: str
    answers: Answers
    crowd: Crowd
    where: np.ndarray
    network: list[Estimate]
    people: list[Estimate]
    network_categories: list[Estimate]
    people_categories: list[Estimate]
    estimates: dict[str, Estimate]

    @property
    def images(self) -> int:
        """How many images."""
        return len(self.answers.labels)

    @property
    def observers(self) -> int:
        """How many observers."""
        return len(self.crowd.observers)

    @property
    def whole(self) -> bool:
        """Whether this is all that the network was tested on under the regime."""
        return self.images == len(self.evaluation.answers.labels)


@dataclass(frozen=True)
class _Pair:
    """A condition's trials: the network's answers, people on the same, and the drawn samples of both."""

    answers: Answers
    crowd: Crowd
    where: np.ndarray
    image_weights: np.ndarray
    observer_weights: np.ndarray

    @property
    def units(self) -> int:
        return min(len(self.answers.labels), len(self.crowd.observers))

    def network_curve(self) -> np.ndarray:
        """(samples, blocks) percent."""
        right = 100 * matching.per_image(self.answers.right, self.answers.blocks, self.where)
        return resampling.grouped_means(right, self.answers.blocks, matching.BLOCKS, self.image_weights)

    def people_curve(self) -> np.ndarray:
        """(samples, blocks) percent."""
        return resampling.means(self.crowd.curves, self.observer_weights)


def compare(
    evaluations: Sequence[Evaluation], people: People, *, match: Exits = Exits.INDEX, seed: int = 0
) -> list[Row]:
    """Every network in every condition that people were shown as well.

    Args:
        evaluations: those on other images than people saw are passed over.
        people: their answers.
        match: which exits go with which response times.
        seed: of the resampling and of the halves of images.

    Raises:
        ConvRNNError: no evaluation is on images that these people saw.
    """
    rows = [row for one in evaluations if one.human for row in _rows(one, people, match, seed)]
    if not rows:
        tested = ", ".join(sorted({f"{one.network} on {one.name}" for one in evaluations}))
        raise ConvRNNError(
            f"the observers of {people.folder} were shown none of the images tested ({tested}); "
            "evaluate on the stimuli of their experiments"
        )
    return rows


def _rows(evaluation: Evaluation, people: People, match: Exits, seed: int) -> Iterator[Row]:
    answers = evaluation.answers
    crowds = {
        name: people.beside(evaluation.regime, answers.of(mask))
        for name, mask in evaluation.conditions.items()
    }
    shared = {name: crowd for name, crowd in crowds.items() if crowd is not None}
    if not shared:
        return
    where = _positions(evaluation, shared, match)
    strata = np.array(
        [f"{level}/{block}" for level, block in zip(answers.levels, answers.blocks, strict=True)]
    )
    weights = resampling.counts(strata, seed=[seed, _IMAGES], samples=SAMPLES)
    pairs = {
        name: _Pair(
            answers.of(evaluation.conditions[name]),
            crowd,
            where,
            weights[:, evaluation.conditions[name]],
            resampling.counts(np.zeros(len(crowd.observers)), seed=[seed, _OBSERVERS], samples=SAMPLES),
        )
        for name, crowd in shared.items()
    }
    for name, pair in pairs.items():
        parts = list(pairs.values())[:-1] if len(pairs) > 1 and pair is list(pairs.values())[-1] else [pair]
        yield _row(evaluation, name, pair, parts, seed)


def _positions(evaluation: Evaluation, crowds: dict[str, Crowd], match: Exits) -> np.ndarray:
    exits = evaluation.answers.answers.shape[1]
    if match != Exits.LINEAR:
        return matching.positions(exits, match)
    single = [name for name in crowds if len(crowds) == 1 or not name.endswith("(all levels)")]
    network = []
    for name in single:
        answers = evaluation.answers.of(evaluation.conditions[name])
        codes = np.repeat(answers.blocks, exits), np.tile(np.arange(exits), len(answers.blocks))
        network.append(measures.grouped_mean(100.0 * answers.right.ravel(), codes, (matching.BLOCKS, exits)))
    return matching.fit_positions(network, [measures.mean_over(crowds[name].curves) for name in single])


def _row(evaluation: Evaluation, name: str, pair: _Pair, parts: list[_Pair], seed: int) -> Row:
    images, observers = len(pair.answers.labels), len(pair.crowd.observers)
    network, people = pair.network_curve(), pair.people_curve()
    by_category = _network_categories(pair), resampling.means(pair.crowd.categories, pair.observer_weights)
    return Row(
        evaluation=evaluation,
        condition=name,
        answers=pair.answers,
        crowd=pair.crowd,
        where=pair.where,
        network=[estimate(column, images) for column in network.T],
        people=[estimate(column, observers) for column in people.T],
        network_categories=[estimate(column, images) for column in by_category[0].T],
        people_categories=[estimate(column, observers) for column in by_category[1].T],
        estimates={
            "sat_rmse": estimate(_curve_errors(parts), pair.units),
            "category_correlation": estimate(resampling.correlations(*by_category), pair.units),
            "steepness_network": _steepness_of_network(pair),
            "steepness_people": estimate(_slopes(BEEP_TIMES, people), observers),
            "error_consistency": _consistency(pair),
            "error_consistency_people": _ceiling(pair),
            "response_time_correlation": _response_times(pair, seed),
        },
    )


def _network_categories(pair: _Pair) -> np.ndarray:
    right = 100 * matching.per_image(pair.answers.right, pair.answers.blocks, pair.where)
    return resampling.grouped_means(right, pair.answers.labels, measures.CLASSES, pair.image_weights)


def _curve_errors(parts: list[_Pair]) -> np.ndarray:
    """(samples,) `measures.sat_rmse` over conditions and response times."""
    network = np.stack([pair.network_curve() for pair in parts], axis=1)
    people = np.stack([pair.people_curve() for pair in parts], axis=1)
    return np.sqrt(((network - people) ** 2).mean(axis=(1, 2)))


def _slopes(times: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """(samples,) `measures.steepness` of (samples, times); NaN where any accuracy is."""
    span = times.max() - times.min()
    if not span:
        return np.full(len(accuracy), np.nan)
    x = (times - times.mean()) / span
    return accuracy @ x / (x @ x)


def _steepness_of_network(pair: _Pair) -> Estimate:
    right = pair.answers.right
    curve = resampling.means(100.0 * right, pair.image_weights)
    return estimate(_slopes(np.arange(right.shape[1], dtype=float), curve), len(right))


def _consistency(pair: _Pair) -> Estimate:
    right = matching.nearest(pair.answers.right, pair.answers.blocks, pair.where).astype(float)
    cells = [
        resampling.kappas(right[here], pair.crowd.correct[:, here], pair.image_weights[:, here])
        for here in like_trials(pair.answers)
    ]
    mean = measures.mean_over(np.stack(cells))
    known = (~np.isnan(mean)) * pair.observer_weights
    return estimate(divided((known * np.nan_to_num(mean)).sum(axis=1), known.sum(axis=1)), pair.units)


def like_trials(answers: Answers) -> list[np.ndarray]:
    """Masks of the trials of one level and block. Error consistency is computed in each, then averaged.

    Otherwise what everybody gains with time, and loses with noise or blur, would count as agreement. This project's
    choice; Geirhos et al. (2020) likewise compute it for each condition.
    """
    cells = sorted(set(zip(answers.levels.tolist(), answers.blocks.tolist(), strict=True)))
    return [(answers.levels == level) & (answers.blocks == block) for level, block in cells]


def consistency(answers: Answers, crowd: Crowd, right: np.ndarray) -> np.ndarray:
    """Error consistency of each with each: networks first, then observers.

    Args:
        answers: of one of the networks, for levels and blocks.
        crowd: people on the same trials.
        right: (networks, images) 1 or 0.

    Returns:
        (networks + observers, networks + observers): the mean over levels and blocks; NaN where undefined.
    """
    raters = np.concatenate([right, crowd.correct])
    return measures.mean_over(
        np.stack([measures.consistency_matrix(raters[:, here]) for here in like_trials(answers)])
    )


def _ceiling(pair: _Pair) -> Estimate:
    matrix = consistency(pair.answers, pair.crowd, np.zeros((0, len(pair.answers.labels))))
    return estimate(resampling.pair_means(matrix, pair.observer_weights), len(pair.crowd.observers))


def _response_times(pair: _Pair, seed: int) -> Estimate:
    """`measures.cross_validated_response_times`, with the same thresholds in every resampled set of images."""
    times, entropy = pair.crowd.response_times, pair.answers.entropy
    known = np.flatnonzero(~np.isnan(times))
    if len(known) < 4 or entropy.shape[1] < 2:
        return NOTHING
    rng = np.random.default_rng([seed, _HALVES])
    found = []
    for _ in range(SPLITS):
        order = rng.permutation(known)
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        for fitted, tested in (halves, halves[::-1]):
            threshold = measures.fit_threshold(entropy[fitted], times[fitted])
            steps = measures.entropy_response_times(entropy[tested], threshold)
            found.append(resampling.rank_correlations(steps, times[tested], pair.image_weights[:, tested]))
    return estimate(measures.mean_over(np.stack(found)), len(known))
