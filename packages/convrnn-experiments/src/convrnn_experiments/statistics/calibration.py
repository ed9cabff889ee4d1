"""Calibration of a network: whether its confidence is the share of its answers that are right."""

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate, rmse, rmse_interval
from convrnn_experiments.statistics.means import membership
from convrnn_experiments.statistics.measures import root_mean_square

_WIDE_BINS = 15
_EQUAL_BINS = 10


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the expected calibration error over 15 bins of equal width.

    The absolute difference between accuracy and mean confidence in each bin is averaged over images (Guo et al. 2017,
    ICML, "On calibration of modern neural networks", equation 3). With few images, sampling noise makes it too large;
    see `calibration_error`.

    Args:
        confidence: Probability of the answer, (images,), 0 to 1.
        correct: Whether the answer is right, (images,).

    Returns:
        Percentage points; NaN without images or if a confidence is unknown.

    Raises:
        ConvRNNError: Shapes differ.
    """
    sure, gaps = _gaps(confidence, correct)
    if not len(gaps) or np.isnan(gaps).any():
        return float("nan")
    bins = np.clip(np.ceil(sure * _WIDE_BINS).astype(int) - 1, 0, _WIDE_BINS - 1)
    return float(np.abs(np.bincount(bins, weights=gaps)).sum() / len(gaps))


def calibration_error(confidence: ArrayLike, correct: ArrayLike) -> Estimate:
    """Estimate the root mean square calibration error over 10 bins with equal numbers of images.

    In each bin, the squared difference between accuracy and mean confidence is reduced by its sampling noise, as in the
    debiased estimator of Kumar et al. (2019, NeurIPS, "Verified uncertainty calibration", section 5), with the variance
    of the differences of single images, which need not have the same confidence.

    Args:
        confidence: Probability of the answer, (images,), 0 to 1.
        correct: Whether the answer is right, (images,).

    Returns:
        Percentage points, with an interval over images; undefined with fewer than 2 images per bin or if a confidence
        is unknown.

    Raises:
        ConvRNNError: Shapes differ.
    """
    sure, gaps = _gaps(confidence, correct)
    if len(gaps) < 2 * _EQUAL_BINS or np.isnan(gaps).any():
        return UNDEFINED
    # Images of equal confidence fall into bins at random, not by their order, which can be that of the categories.
    shuffled = np.random.default_rng(0).permutation(len(sure))
    ranks = np.empty(len(sure), dtype=int)
    ranks[shuffled[np.argsort(sure[shuffled], kind="stable")]] = np.arange(len(sure))
    member = membership(ranks * _EQUAL_BINS // len(sure), _EQUAL_BINS)
    sizes = member.sum(axis=0)
    means = gaps @ member / sizes
    variances = ((gaps[:, None] - means) ** 2 * member).sum(axis=0) / (sizes - 1)
    interval = rmse_interval(
        means, np.diag(variances / sizes) + _bin_noise(means, len(gaps)), len(gaps) - _EQUAL_BINS
    )
    value = rmse(means, np.diag(variances / sizes))
    return Estimate(value, min(interval.low, value), max(interval.high, value))


def _bin_noise(means: np.ndarray, images: int) -> np.ndarray:
    """Return the covariance, along the differences of the bins, that random numbers of images in the bins add."""
    size = float(root_mean_square(means))
    if size == 0:
        return np.zeros((len(means), len(means)))
    direction = means / size
    return np.outer(direction, direction) * np.var(means**2) / (4 * size**2 * images)


def _gaps(confidence: ArrayLike, correct: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return confidence, and correct (0 or 1) minus confidence in percentage points, (images,)."""
    sure, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    if sure.ndim != 1 or sure.shape != right.shape:
        raise ConvRNNError(
            "cannot compute a calibration error: confidence and correct must be (images,) of one length, got shapes "
            f"{sure.shape} and {right.shape}. Pass one time step"
        )
    return sure, 100 * (right - sure)
