"""Measures that compare networks with humans: curve distance, category correlation, steepness, error consistency.

Each measure is defined once, as an array function over many samples (`root_mean_square`, `slope_weights`, `kappas`,
`pair_means`, `correlations`), which intervals and the bootstrap use. The public function is the case of one sample. An
undefined measure (division by 0, a constant to correlate with) is NaN, without a warning. SATBench (doi
10.1167/jov.25.1.4) names curve error, category-wise correlation and steepness but publishes no code for them, so their
definitions are this project's.
"""

import numpy as np
from numpy.typing import ArrayLike

from convrnn_data.categories import CATEGORIES
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.correlations import correlations, same_shape
from convrnn_experiments.statistics.means import safe_divide

CLASSES = len(CATEGORIES)


def root_mean_square(differences: np.ndarray, noise: ArrayLike = 0.0) -> np.ndarray:
    """Return the root mean square over the last axis, at least 0.

    Args:
        differences: (..., cells).
        noise: Mean sampling variance of the differences, (...), to subtract; 0 for the raw value.

    Returns:
        (...); NaN without cells.
    """
    if differences.shape[-1] == 0:
        return np.full(differences.shape[:-1], np.nan)
    return np.sqrt(np.maximum(np.mean(differences**2, axis=-1) - noise, 0))


def sat_rmse(network: ArrayLike, human: ArrayLike) -> float:
    """Return the distance between two speed-accuracy curves, in percentage points (this project's definition).

    Formula: sqrt(mean over response times i and conditions c of (network[c, i] - human[c, i])^2).

    Args:
        network: Accuracies in percent, (conditions, times) or (times,).
        human: Accuracies in percent, of the same shape.

    Returns:
        From 0 (equal curves) to 100; NaN if any accuracy is NaN or there are none.

    Raises:
        ConvRNNError: Shapes differ.
    """
    a, b = same_shape(network, human, "accuracies")
    return float(root_mean_square((a - b).ravel()))


def category_correlation(network: ArrayLike, human: ArrayLike) -> float:
    """Return Pearson's r of accuracies by category, high if the same categories are easy (this project's definition).

    Args:
        network: Accuracy by category, (16,).
        human: Accuracy by category, (16,). Categories in which either is NaN are left out.

    Returns:
        From -1 to 1; NaN if either is constant or fewer than two categories remain.

    Raises:
        ConvRNNError: Shapes differ.
    """
    return float(correlations(*same_shape(network, human, "accuracies by category")))


def slope_weights(times: np.ndarray, span: float | None = None) -> np.ndarray:
    """Return the weights whose product with accuracies is the least-squares slope over normalised time.

    Args:
        times: (times,).
        span: Duration that is normalised to 1; by default, from the first to the last of `times`.

    Returns:
        (times,); NaN where all times are equal.
    """
    if not times.size or times.min() == times.max():
        return np.full(times.shape, np.nan)
    x = (times - times.mean()) / (times.max() - times.min() if span is None else span)
    return x / (x @ x)


def steepness(times: ArrayLike, accuracy: ArrayLike) -> float:
    """Return the accuracy gained over the whole duration (this project's definition).

    Formula: the ordinary-least-squares slope of accuracy over (time - first) / (last - first), so that ms, time steps
    and multiply-adds give comparable slopes. Times at which accuracy is NaN are left out of the fit.

    Args:
        times: (times,), in any unit and order.
        accuracy: (times,).

    Returns:
        In units of `accuracy` per whole duration; NaN if fewer than two different times remain.

    Raises:
        ConvRNNError: Shapes differ.
    """
    t, y = same_shape(times, accuracy, "times and accuracies")
    known = ~(np.isnan(t) | np.isnan(y))
    if not known.any():
        return float("nan")
    return float(slope_weights(t[known], float(np.nanmax(t) - np.nanmin(t))) @ y[known])


def error_consistency(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Return Cohen's kappa, positive if two observers err on the same trials more often than their accuracies imply.

    Formula: (c_obs - c_exp) / (1 - c_exp), where c_obs is the share of trials on which both are right or both wrong
    and c_exp = p_a p_b + (1 - p_a)(1 - p_b) with p the accuracies. Source: Geirhos, Meding & Wichmann 2020.

    Args:
        correct_a: Whether each answer is correct, (trials,).
        correct_b: The same trials in the same order.

    Returns:
        From -1 to 1, 0 by chance; NaN without trials and where c_exp is 1 (both always right, or both always wrong).

    Raises:
        ConvRNNError: Shapes differ, or a value is neither right nor wrong.
    """
    a, b = same_shape(correct_a, correct_b, "trials")
    matrix = np.stack([a.ravel(), b.ravel()])
    if np.isnan(matrix).any():
        raise ConvRNNError(
            f"cannot compute error consistency: every trial must have an answer, got {int(np.isnan(matrix).sum())} "
            "NaN. Pass the trials that both answered"
        )
    return float(consistency_matrix(matrix)[0, 1])


def consistency_matrix(correct: ArrayLike, others: ArrayLike | None = None) -> np.ndarray:
    """Return the `error_consistency` of every pair of raters, over the trials that both answered.

    Args:
        correct: 1, 0, or NaN without an answer, (raters, trials).
        others: Raters of the columns, (others, trials); by default, the same raters.

    Returns:
        (raters, others); NaN where undefined.

    Raises:
        ConvRNNError: Numbers of trials differ, or a value is not 0, 1 or NaN.
    """
    a = _answers_of_raters(correct)
    b = a if others is None else _answers_of_raters(others)
    if a.shape[1] != b.shape[1]:
        raise ConvRNNError(
            f"cannot compute error consistency: raters must have the same trials, got {a.shape[1]} and {b.shape[1]} "
            "trials. Pass NaN for trials without an answer"
        )
    return kappas(a, b, np.ones((1, a.shape[1])))[0]


def _answers_of_raters(correct: ArrayLike) -> np.ndarray:
    values = np.asarray(correct, dtype=float)
    known = np.isnan(values) | (values == 0) | (values == 1)
    if values.ndim != 2 or not known.all():
        received = f"shape {values.shape}" if values.ndim != 2 else f"{values[~known][0]:g}"
        raise ConvRNNError(
            f"cannot compute error consistency: answers must be (raters, trials) of 1, 0 or NaN, got {received}. Pass "
            "1 for right, 0 for wrong and NaN for no answer"
        )
    return values


def kappas(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Cohen's kappa of every pair of raters in every weighted sample, over the trials that both answered.

    Args:
        a: 1, 0, or NaN without an answer, (raters, trials).
        b: Raters of the columns, (others, trials).
        weights: How often each sample counts each trial, (samples, trials).

    Returns:
        (samples, raters, others); NaN where undefined.
    """
    has_b, right_b = (~np.isnan(b)).astype(float), np.nan_to_num(b)
    result = np.empty((len(weights), len(a), len(b)))
    for row, rater in enumerate(a):
        has_a, right_a = (~np.isnan(rater)).astype(float), np.nan_to_num(rater)
        shared, both = weights @ (has_b * has_a).T, weights @ (right_b * right_a).T
        only_a, only_b = weights @ (has_b * right_a).T, weights @ (right_b * has_a).T
        # Counts make undefined cases exact for integer weights; fractional weights leave rounding errors:
        # kappa = 2 (n both - a b) / (a (n - b) + b (n - a)).
        chance = only_a * (shared - only_b) + only_b * (shared - only_a)
        chance = np.where(chance > 1e-9 * shared**2, chance, 0)
        result[:, row] = safe_divide(2 * (shared * both - only_a * only_b), chance)
    return result


def ceiling(correct: ArrayLike) -> float:
    """Return the mean error consistency over all pairs of observers, which a network can hardly exceed.

    Args:
        correct: 1, 0, or NaN without an answer, (observers, trials).

    Returns:
        Mean over the pairs for which it is defined; NaN if there are none.
    """
    matrix = consistency_matrix(correct)
    return float(pair_means(matrix, np.ones((1, len(matrix))))[0])


def pair_means(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average a symmetric matrix (raters, raters) over pairs of different raters, in each weighted sample.

    A rater who was drawn twice is not paired with themselves, which would count as perfect agreement.

    Args:
        matrix: Result of `consistency_matrix`; NaN is left out.
        weights: (samples, raters).

    Returns:
        (samples,).
    """
    off_diagonal = matrix.copy()
    np.fill_diagonal(off_diagonal, np.nan)
    known = (~np.isnan(off_diagonal)).astype(float)
    total = np.einsum("si,ij,sj->s", weights, np.nan_to_num(off_diagonal), weights, optimize=True)
    return safe_divide(total, np.einsum("si,ij,sj->s", weights, known, weights, optimize=True))


def confusion_matrix(categories: ArrayLike, answers: ArrayLike, classes: int = CLASSES) -> np.ndarray:
    """Count how often each category received each answer.

    Args:
        categories: True labels, (trials,).
        answers: Labels answered, (trials,) or (trials, times); -1 for no answer, which is not counted.
        classes: Number of labels.

    Returns:
        Counts, (classes, classes) or (times, classes, classes): true labels in rows, answers in columns.

    Raises:
        ConvRNNError: Lengths differ or a label is out of range.
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
    index = np.ravel_multi_index(
        (time[answered], rows[answered], columns[answered]), (columns.shape[1], classes, classes)
    )
    counts = np.bincount(index, minlength=columns.shape[1] * classes**2).reshape(-1, classes, classes)
    return counts[0] if given.ndim == 1 else counts


def row_shares(confusions: ArrayLike) -> np.ndarray:
    """Convert confusion counts (..., classes, classes) to shares of each row; NaN in rows without an answer."""
    counts = np.asarray(confusions, dtype=float)
    return safe_divide(counts, np.broadcast_to(counts.sum(axis=-1, keepdims=True), counts.shape))
