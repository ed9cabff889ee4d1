"""Networks and people: speed-accuracy curves and what is computed from them.

Pure functions, arrays in, arrays or numbers out. Where a measure is undefined (nothing to divide by, a constant to
correlate with) it is NaN, without a warning. SATBench (doi 10.1167/jov.25.1.4) names curve error, category-wise
correlation and steepness but publishes no code of them: those definitions are this project's and say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.bootstrap import bootstrap_interval as bootstrap_interval
from convrnn_experiments.statistics.bootstrap import bootstrap_replicates as bootstrap_replicates
from convrnn_experiments.statistics.resampling import divided

CLASSES = 16

_HIGHEST_CANDIDATES = 50


def grouped_mean(values: ArrayLike, codes: Sequence[ArrayLike], shape: Sequence[int]) -> np.ndarray:
    """Means of values by group: accuracy by observer, time, level or category, or any of them together.

    Formula: mean of `values[i]` over all i with `(codes[0][i], codes[1][i], ...) == cell`; NaN values are left out.
    For accuracy in percent give `100 * correct`. Accuracy of people is first by observer, then the unweighted mean
    over observers (`mean_over`).

    Args:
        values: (trials,).
        codes: For each dimension of the result an integer array (trials,), counted from 0.
        shape: The result's shape, one length for each array of codes.

    Returns:
        An array of `shape`; NaN where there is no value.

    Raises:
        ConvRNNError: If lengths differ, or a code is outside its dimension.
    """
    numbers = np.asarray(values, dtype=float)
    arrays = [np.asarray(code) for code in codes]
    if len(arrays) != len(shape) or any(code.shape != numbers.shape for code in arrays) or numbers.ndim != 1:
        raise ConvRNNError(
            f"cannot group means: codes must be {len(shape)} arrays as long as the values, got shapes "
            f"{[code.shape for code in arrays]} for values of shape {numbers.shape}. Pass one array per dimension"
        )
    for code, length in zip(arrays, shape, strict=True):
        if code.size and not (code.min() >= 0 and code.max() < length):
            raise ConvRNNError(
                f"cannot group means: codes must be from 0 to {length - 1}, got {code.min()} to {code.max()}. Pass a "
                "larger shape"
            )
    cells = int(np.prod(shape))
    known = ~np.isnan(numbers)
    if not known.any():
        return np.full(shape, np.nan)
    at = np.ravel_multi_index([code[known].astype(np.int64) for code in arrays], tuple(shape))
    totals = np.bincount(at, weights=numbers[known], minlength=cells)
    return divided(totals, np.bincount(at, minlength=cells)).reshape(shape)


def mean_over(values: ArrayLike, axis: int | tuple[int, ...] = 0) -> np.ndarray:
    """The unweighted mean over an axis of what is not NaN; NaN where nothing is."""
    numbers = np.asarray(values, dtype=float)
    known = ~np.isnan(numbers)
    return divided(np.where(known, numbers, 0).sum(axis=axis), known.sum(axis=axis))


def sat_rmse(network: ArrayLike, human: ArrayLike) -> float:
    """Distance of two speed-accuracy curves, in percentage points. This project's definition.

    Formula: sqrt(mean over response times i and conditions c of (network[c, i] - human[c, i])^2).

    Args:
        network: Accuracies in percent, (conditions, times) or (times,).
        human: The same for people, of the same shape.

    Returns:
        From 0 (the same curve) to 100; NaN if any accuracy is, or there is none.

    Raises:
        ConvRNNError: If the shapes differ.
    """
    a, b = _pair(network, human, "accuracies")
    return float(np.sqrt(np.mean((a - b) ** 2))) if a.size else float("nan")


def category_correlation(network: ArrayLike, human: ArrayLike) -> float:
    """Whether the same categories are easy for both: Pearson's r. This project's definition.

    Formula: r over the categories of network[k] and human[k]; categories in which either is NaN are left out.

    Args:
        network: Accuracy by category, (16,).
        human: The same for people.

    Returns:
        From -1 to 1; NaN if one of them is constant or fewer than two categories are left.

    Raises:
        ConvRNNError: If the shapes differ.
    """
    return _pearson(*_pair(network, human, "accuracies by category"))


def steepness(times: ArrayLike, accuracy: ArrayLike) -> float:
    """How much accuracy is gained over the whole of the time. This project's definition.

    Formula: the ordinary-least-squares slope of accuracy over (time - first) / (last - first), so that ms, time steps
    and multiply-adds give comparable slopes. Times at which accuracy is NaN are left out of the fit.

    Args:
        times: (times,), any unit, in any order.
        accuracy: (times,).

    Returns:
        In units of `accuracy` per whole duration; NaN if fewer than two different times are left.

    Raises:
        ConvRNNError: If the shapes differ.
    """
    t, y = _pair(times, accuracy, "times and accuracies")
    known = ~(np.isnan(t) | np.isnan(y))
    if not known.any() or t[known].min() == t[known].max():
        return float("nan")
    span = float(np.nanmax(t) - np.nanmin(t))
    x = (t[known] - t[known].mean()) / span
    return float((x * (y[known] - y[known].mean())).sum() / (x**2).sum())


def error_consistency(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Whether two observers err on the same trials, beyond what their accuracies bring about: Cohen's kappa.

    Formula: (c_obs - c_exp) / (1 - c_exp), where c_obs is the share of trials on which both are right or both wrong
    and c_exp = p_a p_b + (1 - p_a)(1 - p_b) with p the accuracies. Source: Geirhos, Meding & Wichmann 2020.

    Args:
        correct_a: Right or wrong, (trials,).
        correct_b: The same trials in the same order.

    Returns:
        From -1 to 1, 0 by chance; NaN without trials and where c_exp is 1 (both always right, or both always wrong).

    Raises:
        ConvRNNError: If the shapes differ, or a value is neither right nor wrong.
    """
    a, b = _pair(correct_a, correct_b, "trials")
    matrix = np.stack([a.ravel(), b.ravel()])
    if np.isnan(matrix).any():
        raise ConvRNNError(
            f"cannot compute error consistency: every trial must have an answer, got {int(np.isnan(matrix).sum())} "
            "NaN. Pass the trials that both answered"
        )
    return float(consistency_matrix(matrix)[0, 1])


def consistency_matrix(correct: ArrayLike, others: ArrayLike | None = None) -> np.ndarray:
    """Error consistency of each with each, over the trials that both have.

    Args:
        correct: 1, 0, or NaN where there is no answer, (raters, trials).
        others: The raters of the columns, (others, trials); the same raters if None.

    Returns:
        (raters, others): `error_consistency` of each pair, NaN where undefined.

    Raises:
        ConvRNNError: If the trials differ in number, or a value is not 0, 1 or NaN.
    """
    a = _right_or_wrong(correct)
    b = a if others is None else _right_or_wrong(others)
    if a.shape[1] != b.shape[1]:
        raise ConvRNNError(
            f"cannot compute error consistency: raters must have the same trials, got {a.shape[1]} and {b.shape[1]} "
            "trials. Pass NaN for trials without an answer"
        )
    return _kappas(a, b, np.ones(a.shape[1]))


def weighted_consistency(correct: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`consistency_matrix` with each trial counted `weights` (trials,) times, as in a bootstrap sample."""
    return _kappas(correct, correct, weights)


def _kappas(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    has_a, has_b = ((~np.isnan(x)).astype(float) for x in (a, b))
    right_a, right_b = np.nan_to_num(a) * weights, np.nan_to_num(b)
    shared, both = (has_a * weights) @ has_b.T, right_a @ right_b.T
    only_a, only_b = right_a @ has_b.T, (has_a * weights) @ right_b.T
    # Counts where weights are whole, so that "undefined" is decided exactly; fractional weights leave rounding:
    # kappa = 2 (n both - a b) / (a (n - b) + b (n - a)).
    chance = only_a * (shared - only_b) + only_b * (shared - only_a)
    chance = np.where(chance > 1e-9 * shared**2, chance, 0)
    return divided(2 * (shared * both - only_a * only_b), chance)


def ceiling(correct: ArrayLike) -> float:
    """Error consistency among people: the mean over all pairs, which no network can be expected to exceed by much.

    Args:
        correct: 1, 0, or NaN where there is no answer, (observers, trials).

    Returns:
        The mean over the pairs for which it is defined; NaN if there are none.
    """
    matrix = consistency_matrix(correct)
    return float(mean_over(matrix[np.triu_indices(len(matrix), k=1)]))


def confusion_matrix(categories: ArrayLike, answers: ArrayLike, classes: int = CLASSES) -> np.ndarray:
    """How often each category was given each answer.

    Args:
        categories: True labels, (trials,).
        answers: Labels answered, (trials,) or (trials, times); -1 for no answer, which is not counted.
        classes: Number of labels.

    Returns:
        Counts, (classes, classes) or (times, classes, classes): rows are true, columns answered.

    Raises:
        ConvRNNError: If lengths differ or a label is out of range.
    """
    true, given = np.asarray(categories, dtype=np.int64), np.asarray(answers, dtype=np.int64)
    if true.ndim != 1 or given.ndim not in (1, 2) or len(given) != len(true):
        raise ConvRNNError(
            f"cannot count answers: there must be one row of answers per category, got shapes {given.shape} and "
            f"{true.shape}. Pass (trials,) or (trials, times) and (trials,)"
        )
    if true.size and (true.min() < 0 or true.max() >= classes or given.min() < -1 or given.max() >= classes):
        both = np.concatenate([true, given.ravel()])
        raise ConvRNNError(
            f"cannot count answers: labels must be from 0 to {classes - 1}, and answers from -1, got {both.min()} to "
            f"{both.max()}. Pass `classes` for other labels"
        )
    columns = given[:, None] if given.ndim == 1 else given
    time = np.broadcast_to(np.arange(columns.shape[1]), columns.shape)
    answered = columns >= 0
    rows = np.broadcast_to(true[:, None], columns.shape)
    at = np.ravel_multi_index(
        (time[answered], rows[answered], columns[answered]), (columns.shape[1], classes, classes)
    )
    counts = np.bincount(at, minlength=columns.shape[1] * classes**2).reshape(-1, classes, classes)
    return counts[0] if given.ndim == 1 else counts


def row_shares(confusions: ArrayLike) -> np.ndarray:
    """Confusion counts as shares of each true category, (..., classes, classes); NaN in rows without an answer."""
    counts = np.asarray(confusions, dtype=float)
    return divided(counts, np.broadcast_to(counts.sum(axis=-1, keepdims=True), counts.shape))


def entropy_response_times(entropy: ArrayLike, threshold: float) -> np.ndarray:
    """A network's response times: the first time step whose readout entropy has fallen to the threshold.

    Source: Spoerer et al. 2020, PLOS Comput Biol, doi 10.1371/journal.pcbi.1008215.

    Args:
        entropy: Of the readout, (images, times).
        threshold: In the unit of `entropy`.

    Returns:
        (images,): time steps from 0; NaN for an image whose entropy never falls to the threshold.
    """
    reached = np.asarray(entropy, dtype=float) <= threshold
    if reached.ndim != 2:
        raise ConvRNNError(
            f"cannot compute response times: entropy must be (images, times), got shape {reached.shape}. Pass a row "
            "per image"
        )
    if reached.shape[1] == 0:
        return np.full(len(reached), np.nan)
    return np.where(reached.any(axis=1), reached.argmax(axis=1), np.nan)


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rho: Pearson's r of the ranks, ties sharing their mean rank.

    Args:
        a: (images,), such as a network's response times.
        b: (images,), such as people's. Images for which either is NaN are left out.

    Returns:
        From -1 to 1; NaN if one of them is constant or fewer than two images are left.

    Raises:
        ConvRNNError: If the shapes differ.
    """
    x, y = _pair(a, b, "response times")
    known = ~(np.isnan(x) | np.isnan(y))
    return _pearson(_ranks(x[known]), _ranks(y[known]))


def response_order(entropy: ArrayLike, threshold: float) -> np.ndarray:
    """`entropy_response_times` for ranking: an image that never reaches the threshold is slower than the last step.

    Returns:
        (images,): time steps from 0; the number of time steps for an image whose entropy never falls to the threshold.
    """
    steps = entropy_response_times(entropy, threshold)
    return np.where(np.isnan(steps), np.shape(entropy)[1], steps)


def fit_threshold(entropy: ArrayLike, human: ArrayLike, candidates: ArrayLike | None = None) -> float:
    """The entropy threshold that best predicts human response times. This project's definition.

    The candidate with the highest `rank_correlation` of `response_order` with people's times; the lowest of equals.

    Args:
        entropy: Of the readout, (images, times).
        human: People's response time per image, (images,); NaN where there is none.
        candidates: Thresholds to try; 50 quantiles of `entropy` if None.

    Returns:
        The threshold; NaN if no candidate gives a correlation.
    """
    values, times = np.asarray(entropy, dtype=float), np.asarray(human, dtype=float)
    if values.ndim != 2 or times.shape != values.shape[:1]:
        raise ConvRNNError(
            "cannot fit a threshold: entropy must be (images, times) and human times (images,), got shapes "
            f"{values.shape} and {times.shape}. Pass the same images in both"
        )
    known = ~np.isnan(times)
    values, times = values[known], times[known]
    if candidates is None:
        finite = values[np.isfinite(values)]
        candidates = np.quantile(finite, np.linspace(0, 1, _HIGHEST_CANDIDATES)) if finite.size else []
    best, chosen = -np.inf, float("nan")
    for threshold in np.unique(np.asarray(candidates, dtype=float)):
        rho = rank_correlation(response_order(values, threshold), times)
        if rho > best:
            best, chosen = rho, float(threshold)
    return chosen


@dataclass(frozen=True)
class ResponseTimeFit:
    """Response times of a network against people's, tested on images that the threshold was not fitted on.

    Attributes:
        correlation: Mean rank correlation on the halves held out; NaN if undefined in all of them.
        reached: Mean share of held-out images that get a response time.
        thresholds: The fitted thresholds, two for each split.
    """

    correlation: float
    reached: float
    thresholds: tuple[float, ...]


def cross_validated_response_times(
    entropy: ArrayLike, human: ArrayLike, *, seed: int, splits: int = 10
) -> ResponseTimeFit:
    """Fit the threshold on one half of the images and test it on the other, both ways, over random halves.

    After Spoerer et al. 2020, who fit the threshold on other data than they test it on; halves of the images and their
    number are this project's choice.

    Args:
        entropy: Of the readout, (images, times).
        human: People's response time per image, (images,); NaN where there is none.
        seed: Of the halves.
        splits: How many times to split.
    """
    values, times = np.asarray(entropy, dtype=float), np.asarray(human, dtype=float)
    known = ~np.isnan(times)
    values, times = values[known], times[known]
    rng = np.random.default_rng(seed)
    correlations, reached, thresholds = [], [], []
    for _ in range(splits):
        order = rng.permutation(len(times))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        for fitted, tested in (halves, halves[::-1]):
            threshold = fit_threshold(values[fitted], times[fitted])
            steps = entropy_response_times(values[tested], threshold)
            thresholds.append(threshold)
            correlations.append(rank_correlation(response_order(values[tested], threshold), times[tested]))
            reached.append(float((~np.isnan(steps)).mean()) if len(steps) else float("nan"))
    return ResponseTimeFit(float(mean_over(correlations)), float(mean_over(reached)), tuple(thresholds))


def _pair(a: ArrayLike, b: ArrayLike, what: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.shape != y.shape:
        raise ConvRNNError(
            f"cannot compare {what}: both must have the same shape, got shapes {x.shape} and {y.shape}. Pass the same "
            "entries in both"
        )
    return x, y


def _right_or_wrong(correct: ArrayLike) -> np.ndarray:
    values = np.asarray(correct, dtype=float)
    if values.ndim != 2 or not (np.isnan(values) | (values == 0) | (values == 1)).all():
        known = np.isnan(values) | (values == 0) | (values == 1)
        found = f"shape {values.shape}" if values.ndim != 2 else f"{values[~known][0]:g}"
        raise ConvRNNError(
            f"cannot compute error consistency: answers must be (raters, trials) of 1, 0 or NaN, got {found}. Pass 1 "
            "for right, 0 for wrong and NaN for no answer"
        )
    return values


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    # Constant is what has one value: a spread computed from a rounded mean need not be 0.
    if x.size < 2 or x.min() == x.max() or y.min() == y.max():
        return float("nan")
    # Onto [0, 1] first: exact even for neighbouring numbers, whose mean would be rounded to one of them.
    x, y = (x - x.min()) / np.ptp(x), (y - y.min()) / np.ptp(y)
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()), -1, 1))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties sharing their mean rank."""
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[at]
