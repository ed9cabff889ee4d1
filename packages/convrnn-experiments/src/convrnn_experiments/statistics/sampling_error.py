"""Sampling error of estimates from images and observers, both drawn from populations.

A network and the observers see the same images, so their accuracies share the error of the draw of images.
`SampledEstimates` carries a vector of estimates with the contribution of each image and each observer to their error.
The covariance of any linear combination, across networks and humans, follows from the contributions.

The covariance of a mean over a crossed design of images and observers is the sum of a component over images and one
over observers, minus the residual that both contain (two-way clustering: Miglioretti & Heagerty 2007, Am J Epidemiol
165, 453-463; Cameron, Gelbach & Miller 2011, J Bus Econ Stat 29, 238-249). Images are compared within strata
(level, response-time block and category), with n / (n - 1) for strata of n images, as in stratified sampling
(Cochran 1977, Sampling Techniques, 5.3-5.6).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.array_cache import cached_by_content
from convrnn_experiments.statistics.means import membership, safe_divide


@dataclass(frozen=True)
class SampledEstimates:
    """Estimates with the contributions of images and observers to their sampling error.

    Attributes:
        values: Estimates, (k,).
        images: Contribution of each image, (images, k), scaled so that `images.T @ images` is a covariance.
        observers: Contribution of each observer, (observers, k), on the same scale; (0, k) for networks alone.
        cells: Square root of the residual variance that `images` and `observers` both contain, (images, k).
        image_freedom: Degrees of freedom of the image component: number of images minus number of strata.
    """

    values: np.ndarray
    images: np.ndarray
    observers: np.ndarray
    cells: np.ndarray
    image_freedom: int

    @property
    def covariance(self) -> np.ndarray:
        """Positive semidefinite covariance of the estimates, (k, k)."""
        images, observers = self.images.T @ self.images, self.observers.T @ self.observers
        total = images + observers - self.cells.T @ self.cells
        # The estimated total can fall below either component.
        low = np.maximum(np.diag(images), np.diag(observers))
        total = total + np.diag(np.maximum(low - np.diag(total), 0))
        return nearest_covariance(total)

    @property
    def freedom(self) -> np.ndarray:
        """Satterthwaite's degrees of freedom of each estimate's variance, (k,)."""
        images, observers = ((part**2).sum(axis=0) for part in (self.images, self.observers))
        variance = np.diag(self.covariance)
        spread = images**2 / max(self.image_freedom, 1) + observers**2 / max(len(self.observers) - 1, 1)
        freedom = np.divide(variance**2, spread, out=np.full(len(variance), np.inf), where=spread > 0)
        return np.maximum(freedom, 1.0)

    def combine(self, weights: ArrayLike) -> "SampledEstimates":
        """Form linear combinations of the estimates, by weights (k, m)."""
        matrix = np.asarray(weights, dtype=float)
        return self._map(lambda array: array @ matrix)

    def select(self, index: ArrayLike) -> "SampledEstimates":
        """Pick estimates by position or mask."""
        columns = np.asarray(index)
        return self._map(lambda array: array[..., columns])

    def _map(self, change: Callable[[np.ndarray], np.ndarray]) -> "SampledEstimates":
        values, images, observers, cells = map(change, (self.values, self.images, self.observers, self.cells))
        return SampledEstimates(values, images, observers, cells, self.image_freedom)


def concatenate(parts: Sequence[SampledEstimates]) -> SampledEstimates:
    """Join estimates from the same images, and the same observers if any, into one vector."""
    observers = max(len(part.observers) for part in parts)
    columns = [
        part.observers if len(part.observers) else np.zeros((observers, len(part.values))) for part in parts
    ]
    return SampledEstimates(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.images for part in parts], axis=1),
        np.concatenate(columns, axis=1),
        np.concatenate([part.cells for part in parts], axis=1),
        parts[0].image_freedom,
    )


def strata(*columns: ArrayLike) -> np.ndarray:
    """Find the finest strata of images with at least two images each.

    Args:
        columns: (images,) each, from the coarsest division to the finest, such as level, block and category. An image
            alone in its stratum joins the other lone images of the next coarser stratum, or else the largest stratum
            within it.

    Returns:
        Codes from 0, (images,).
    """
    keys = [np.unique(np.asarray(column), return_inverse=True)[1] for column in columns]
    codes = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        codes = _refined(codes, key)
    return codes


def _refined(coarse: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Divide each coarse stratum by a key, pooling the images that would be alone."""
    fine = np.unique(coarse * (key.max(initial=0) + 1) + key, return_inverse=True)[1]
    sizes = np.bincount(fine)
    for code in np.unique(coarse):
        members = np.flatnonzero(coarse == code)
        alone = members[sizes[fine[members]] == 1]
        if not len(alone):
            continue
        others = np.setdiff1d(members, alone)
        pooled = fine[alone[0]] if len(alone) > 1 or not len(others) else _largest(fine[others])
        fine[alone] = pooled
    return np.unique(fine, return_inverse=True)[1]


def _largest(codes: np.ndarray) -> int:
    return int(np.bincount(codes).argmax())


def network_means(values: ArrayLike, groups: ArrayLike, count: int, strata: np.ndarray) -> SampledEstimates:
    """Average a network's scores within groups of images.

    Args:
        values: Scores, (images,), such as 1 for a right answer and 0 for a wrong one.
        groups: Group of each image, (images,), from 0.
        count: Number of groups.
        strata: Codes from `strata`, (images,).

    Returns:
        `count` estimates; NaN for a group without images.
    """
    scores = np.asarray(values, dtype=float)
    member = membership(groups, count)
    sizes = member.sum(axis=0)
    means = safe_divide(scores @ member, sizes)
    weights = member / np.maximum(sizes, 1)
    centred = (scores[:, None] - np.where(sizes > 0, means, 0)) * weights
    images, freedom = _within(centred, strata)
    return SampledEstimates(means, images, np.zeros((0, count)), np.zeros_like(images), freedom)


def observer_means(
    scores: ArrayLike,
    groups: ArrayLike,
    count: int,
    strata: np.ndarray,
    residuals: np.ndarray | None = None,
) -> SampledEstimates:
    """Average human accuracy within groups of images: first by observer, then unweighted over observers.

    Args:
        scores: Scores from 0 to 1, (observers, images); NaN where the observer does not have a trial.
        groups: Group of each image, (images,), from 0.
        count: Number of groups.
        strata: Codes from `strata`, (images,).
        residuals: Result of `residuals_within`, if already computed.

    Returns:
        `count` estimates; NaN for a group without trials.

    Raises:
        ConvRNNError: `scores` does not have an observer.
    """
    values = np.asarray(scores, dtype=float)
    if values.ndim != 2 or not len(values):
        raise ConvRNNError(
            f"cannot estimate sampling error: scores must be (observers, images) of at least one observer, got shape "
            f"{values.shape}. Pass a row per observer"
        )
    within = residuals_within(values, strata) if residuals is None else residuals
    return _observer_means(values, np.asarray(groups), count, strata, within)


@cached_by_content
def _observer_means(
    values: np.ndarray, groups: np.ndarray, count: int, strata: np.ndarray, residuals: np.ndarray
) -> SampledEstimates:
    """Compute `observer_means` once for all networks on the same images."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0)
    member = membership(groups, count)
    trials = known.astype(float) @ member
    own = safe_divide(filled @ member, trials)
    has = trials > 0
    number = has.sum(axis=0)
    means = safe_divide(np.nansum(own, axis=0), number)
    # Weight of a trial in the mean of each group: over the observer's trials, then over observers.
    share = np.divide(1.0, trials * np.maximum(number, 1), out=np.zeros(trials.shape), where=has)
    deviation = np.where(known[:, :, None], values[:, :, None] - np.where(has, own, 0)[:, None, :], 0)
    images, freedom = _within(np.einsum("sik,sk,ik->ik", deviation, share, member, optimize=True), strata)
    widening = np.sqrt(number / np.maximum(number - 1, 1))
    observers = np.where(has, (np.where(has, own, 0) - means) / np.maximum(number, 1), 0) * widening
    cells = np.sqrt(np.einsum("si,sk,ik->ik", residuals**2, share**2, member, optimize=True)) * widening
    return SampledEstimates(means, images, observers, cells * _correction(strata)[0][:, None], freedom)


def trial_sum(contributions: np.ndarray, strata: np.ndarray) -> SampledEstimates:
    """Sum contributions of single trials to the error of one estimate.

    Args:
        contributions: First-order effect of each trial on the estimate, (raters, images); NaN without a trial. A single
            rater is a network, otherwise observers are drawn from a population.
        strata: Codes from `strata`, (images,).

    Returns:
        The sum, 0 in expectation, with its sampling error.
    """
    known = ~np.isnan(contributions)
    effects = np.where(known, contributions, 0)
    images, freedom = _within(effects.sum(axis=0)[:, None], strata)
    raters = len(effects)
    if raters < 2:
        return SampledEstimates(images.sum(axis=0), images, np.zeros((0, 1)), np.zeros_like(images), freedom)
    observers = effects.sum(axis=1, keepdims=True)
    observers = (observers - observers.mean()) * np.sqrt(raters / (raters - 1))
    member = membership(strata, int(strata.max(initial=0)) + 1)
    means = safe_divide(effects.sum(axis=0) @ member, known.sum(axis=0) @ member)
    residual = np.where(known, effects - means[strata], 0)
    cells = np.sqrt((residual**2).sum(axis=0))[:, None] * _correction(strata)[0][:, None]
    return SampledEstimates(effects.sum(keepdims=True)[0], images, observers, cells, freedom)


def _correction(strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sqrt(n / (n - 1)) of each image's stratum, (images,), and the sizes of the strata, (strata,)."""
    sizes = np.bincount(strata)
    return np.sqrt(sizes / np.maximum(sizes - 1, 1))[strata], sizes


def _within(contributions: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, int]:
    """Centre contributions (images, k) within strata, correct for stratum size, and count degrees of freedom."""
    factor, sizes = _correction(strata)
    sums = np.zeros((len(sizes), contributions.shape[1]))
    np.add.at(sums, strata, contributions)
    # A single image has no stratum mean to compare with, so its deviation from the mean of the group remains.
    centre = np.where(sizes[:, None] > 1, sums / np.maximum(sizes, 1)[:, None], 0)
    return (contributions - centre[strata]) * factor[:, None], int((sizes - (sizes > 1)).sum())


@cached_by_content
def residuals_within(scores: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return residuals from observer and image effects within each stratum, (observers, images); 0 without a trial."""
    known = ~np.isnan(scores)
    left = np.where(known, scores, 0)
    member = membership(strata, int(strata.max(initial=0)) + 1)
    for _ in range(2):  # one pass is exact where no trial is missing
        trials = known @ member
        rows = np.divide(left @ member, trials, out=np.zeros(trials.shape), where=trials > 0)
        left = np.where(known, left - rows @ member.T, 0)
        answered = known.sum(axis=0)
        columns = np.divide(left.sum(axis=0), answered, out=np.zeros(len(answered)), where=answered > 0)
        left = np.where(known, left - columns, 0)
    return left


def nearest_covariance(matrix: np.ndarray) -> np.ndarray:
    """Remove negative eigenvalues, preserving the diagonal."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if values.min(initial=0) >= 0:
        return matrix
    clipped = (vectors * np.maximum(values, 0)) @ vectors.T
    diagonal = np.diag(clipped)
    scale = np.sqrt(np.divide(np.diag(matrix), diagonal, out=np.zeros(len(clipped)), where=diagonal > 0))
    return clipped * np.outer(scale, scale)


def pooled_shares(
    chosen: np.ndarray, groups: np.ndarray, count: int, options: int
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the share of each option among the answers within groups of images, pooled over observers.

    Args:
        chosen: Option chosen, (observers, images), from 0; -1 without an answer.
        groups: Group of each image, (images,), from 0.
        count: Number of groups.
        options: Number of options.

    Returns:
        Shares and their variances over draws of images and observers, each (count, options); NaN without an answer.
    """
    member = membership(groups, count)
    picked = (chosen[:, :, None] == np.arange(options)).astype(float)
    answered = (chosen >= 0).astype(float)
    number = answered.sum(axis=0) @ member
    total = member.T @ picked.sum(axis=0)
    shares = safe_divide(total, np.broadcast_to(number[:, None], total.shape))
    expected = np.nan_to_num(shares)[groups]
    deviation = (picked - expected) * answered[:, :, None] / np.maximum(number, 1)[groups][:, None]
    by_image = member.T @ deviation.sum(axis=0) ** 2
    by_observer = np.einsum("gi,sio->sgo", member.T, deviation, optimize=True) ** 2
    cells = member.T @ (deviation**2).sum(axis=0)
    images, observers = member.sum(axis=0)[:, None], len(chosen)
    parts = (
        by_image * images / np.maximum(images - 1, 1),
        by_observer.sum(axis=0) * observers / max(observers - 1, 1),
    )
    variances = np.maximum(parts[0] + parts[1] - cells, np.maximum(*parts))
    return shares, np.where(np.isnan(shares), np.nan, variances)
