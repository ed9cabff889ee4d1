"""Sampling error of estimates from images and observers, both drawn from populations.

A network and the observers see the same images, so their accuracies share the error of having drawn these images and
not others. `Sampled` carries a vector of estimates together with what each image and each observer contributes to its
error; covariances of any linear combination, across networks and people, follow from the contributions.

The covariance of a mean over a crossed design of images and observers is the sum of a component over images and one
over observers, less the residual that both contain (two-way clustering: Miglioretti & Heagerty 2007, Am J Epidemiol
165, 453-463; Cameron, Gelbach & Miller 2011, J Bus Econ Stat 29, 238-249). Images are compared within strata
(level, response-time block and category), with n / (n - 1) for strata of n images, as in stratified sampling
(Cochran 1977, Sampling Techniques, 5.3-5.6).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError


@dataclass(frozen=True)
class Sampled:
    """Estimates, and the contributions of images and observers to their sampling error.

    Attributes:
        values: (k,) estimates.
        images: (images, k) contribution of each image, scaled so that `images.T @ images` is a covariance.
        observers: (observers, k) contribution of each observer, likewise; (0, k) for networks alone.
        cells: (images, k) square root of the residual variance that both of the above contain.
        image_freedom: degrees of freedom of the image component: images less strata.
    """

    values: np.ndarray
    images: np.ndarray
    observers: np.ndarray
    cells: np.ndarray
    image_freedom: int

    @property
    def covariance(self) -> np.ndarray:
        """(k, k) covariance of the estimates, positive semidefinite."""
        images, observers = self.images.T @ self.images, self.observers.T @ self.observers
        total = images + observers - self.cells.T @ self.cells
        # A difference of estimated components can turn out below either of them.
        low = np.maximum(np.diag(images), np.diag(observers))
        total = total + np.diag(np.maximum(low - np.diag(total), 0))
        return nearest_covariance(total)

    @property
    def freedom(self) -> np.ndarray:
        """(k,) Satterthwaite's degrees of freedom of each estimate's variance."""
        images, observers = ((part**2).sum(axis=0) for part in (self.images, self.observers))
        variance = np.diag(self.covariance)
        spread = images**2 / max(self.image_freedom, 1) + observers**2 / max(len(self.observers) - 1, 1)
        found = np.divide(variance**2, spread, out=np.full(len(variance), np.inf), where=spread > 0)
        return np.maximum(found, 1.0)

    def combined(self, weights: ArrayLike) -> "Sampled":
        """Linear combinations of the estimates, by weights (k, m)."""
        matrix = np.asarray(weights, dtype=float)
        return Sampled(
            self.values @ matrix,
            self.images @ matrix,
            self.observers @ matrix,
            self.cells @ matrix,
            self.image_freedom,
        )

    def taken(self, index: ArrayLike) -> "Sampled":
        """Some of the estimates, by position or mask."""
        columns = np.asarray(index)
        return Sampled(
            self.values[columns],
            self.images[:, columns],
            self.observers[:, columns],
            self.cells[:, columns],
            self.image_freedom,
        )


def joined(parts: Sequence[Sampled]) -> Sampled:
    """Estimates from the same images, and observers where there are any, as one vector."""
    observers = max(len(part.observers) for part in parts)
    columns = [
        part.observers if len(part.observers) else np.zeros((observers, len(part.values))) for part in parts
    ]
    return Sampled(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.images for part in parts], axis=1),
        np.concatenate(columns, axis=1),
        np.concatenate([part.cells for part in parts], axis=1),
        parts[0].image_freedom,
    )


def strata(*columns: ArrayLike) -> np.ndarray:
    """Strata for images: the finest that have at least two images each.

    Args:
        columns: (images,) each, from the coarsest division to the finest, such as level, block and category. An image
            alone in its stratum joins the others that are alone in the next coarser one, or its largest stratum.

    Returns:
        (images,) codes from 0.
    """
    keys = [np.unique(np.asarray(column), return_inverse=True)[1] for column in columns]
    codes = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        codes = _refined(codes, key)
    return codes


def _refined(coarse: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Each coarse stratum divided by a key, with what is left alone put together."""
    fine = np.unique(coarse * (key.max(initial=0) + 1) + key, return_inverse=True)[1]
    sizes = np.bincount(fine)
    for code in np.unique(coarse):
        here = np.flatnonzero(coarse == code)
        alone = here[sizes[fine[here]] == 1]
        if not len(alone):
            continue
        others = np.setdiff1d(here, alone)
        pooled = fine[alone[0]] if len(alone) > 1 or not len(others) else _largest(fine[others])
        fine[alone] = pooled
    return np.unique(fine, return_inverse=True)[1]


def _largest(codes: np.ndarray) -> int:
    return int(np.bincount(codes).argmax())


def network_means(values: ArrayLike, groups: ArrayLike, count: int, strata: np.ndarray) -> Sampled:
    """Means of a network's scores within groups of images.

    Args:
        values: (images,) such as 1 for a right answer and 0 for a wrong one.
        groups: (images,) group of each image, from 0.
        count: number of groups.
        strata: (images,) of `strata`.

    Returns:
        `count` estimates; NaN for a group without images.
    """
    scores = np.asarray(values, dtype=float)
    member = _members(groups, count)
    sizes = member.sum(axis=0)
    means = np.divide(scores @ member, sizes, out=np.full(count, np.nan), where=sizes > 0)
    weights = member / np.maximum(sizes, 1)
    centred = (scores[:, None] - np.where(sizes > 0, means, 0)) * weights
    images, freedom = _within(centred, strata)
    return Sampled(means, images, np.zeros((0, count)), np.zeros_like(images), freedom)


def observer_means(
    scores: ArrayLike,
    groups: ArrayLike,
    count: int,
    strata: np.ndarray,
    residuals: np.ndarray | None = None,
) -> Sampled:
    """People's accuracy within groups of images: of each observer, then the unweighted mean over observers.

    Args:
        scores: (observers, images) from 0 to 1; NaN where the observer has no trial.
        groups: (images,) group of each image, from 0.
        count: number of groups.
        strata: (images,) of `strata`.
        residuals: of `residuals_within`, where they are known already.

    Returns:
        `count` estimates; NaN for a group without trials.

    Raises:
        ConvRNNError: there is no observer.
    """
    values = np.asarray(scores, dtype=float)
    if values.ndim != 2 or not len(values):
        raise ConvRNNError(
            f"cannot estimate sampling error: scores must be (observers, images) of at least one observer, got shape "
            f"{values.shape}. Pass a row per observer"
        )
    known = ~np.isnan(values)
    filled = np.where(known, values, 0)
    member = _members(groups, count)
    trials = known.astype(float) @ member
    own = np.divide(filled @ member, trials, out=np.full(trials.shape, np.nan), where=trials > 0)
    has = trials > 0
    number = has.sum(axis=0)
    means = np.divide(np.nansum(own, axis=0), number, out=np.full(count, np.nan), where=number > 0)
    # Weight of a trial in each group's mean: over its observer's trials, then over observers.
    share = np.divide(1.0, trials * np.maximum(number, 1), out=np.zeros(trials.shape), where=has)
    deviation = np.where(known[:, :, None], values[:, :, None] - np.where(has, own, 0)[:, None, :], 0)
    images, freedom = _within(np.einsum("sik,sk,ik->ik", deviation, share, member, optimize=True), strata)
    widening = np.sqrt(number / np.maximum(number - 1, 1))
    observers = np.where(has, (np.where(has, own, 0) - means) / np.maximum(number, 1), 0) * widening
    residual = (residuals_within(values, strata) if residuals is None else residuals) ** 2
    cells = np.sqrt(np.einsum("si,sk,ik->ik", residual, share**2, member, optimize=True)) * widening
    return Sampled(means, images, observers, cells * _correction(strata)[0][:, None], freedom)


def _members(groups: ArrayLike, count: int) -> np.ndarray:
    return (np.asarray(groups)[:, None] == np.arange(count)).astype(float)


def _correction(strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(images,) sqrt(n / (n - 1)) of each image's stratum, and (strata,) its size."""
    sizes = np.bincount(strata)
    return np.sqrt(sizes / np.maximum(sizes - 1, 1))[strata], sizes


def _within(contributions: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, int]:
    """Contributions (images, k) less their stratum's mean, corrected for its size; and the degrees of freedom."""
    factor, sizes = _correction(strata)
    sums = np.zeros((len(sizes), contributions.shape[1]))
    np.add.at(sums, strata, contributions)
    # A stratum of one image has nothing to be compared with: its deviation from the group's mean stays.
    centre = np.where(sizes[:, None] > 1, sums / np.maximum(sizes, 1)[:, None], 0)
    return (contributions - centre[strata]) * factor[:, None], int((sizes - (sizes > 1)).sum())


def residuals_within(scores: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """What neither observer nor image explains within a stratum, (observers, images); 0 where there is no trial."""
    known = ~np.isnan(scores)
    left = np.where(known, scores, 0)
    member = _members(strata, int(strata.max(initial=0)) + 1)
    for _ in range(2):  # exact at once where nobody misses a trial
        trials = known @ member
        rows = np.divide(left @ member, trials, out=np.zeros(trials.shape), where=trials > 0)
        left = np.where(known, left - rows @ member.T, 0)
        answered = known.sum(axis=0)
        columns = np.divide(left.sum(axis=0), answered, out=np.zeros(len(answered)), where=answered > 0)
        left = np.where(known, left - columns, 0)
    return left


def nearest_covariance(matrix: np.ndarray) -> np.ndarray:
    """The matrix without its negative eigenvalues, its diagonal kept."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if values.min(initial=0) >= 0:
        return matrix
    found = (vectors * np.maximum(values, 0)) @ vectors.T
    scale = np.sqrt(
        np.divide(np.diag(matrix), np.diag(found), out=np.zeros(len(found)), where=np.diag(found) > 0)
    )
    return found * np.outer(scale, scale)


def pooled_shares(
    chosen: np.ndarray, groups: np.ndarray, count: int, options: int
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each option among the answers within groups of images, all observers together.

    Args:
        chosen: (observers, images) the option chosen, from 0; -1 where there is no answer.
        groups: (images,) group of each image, from 0.
        count: number of groups.
        options: number of options.

    Returns:
        Shares and their variances, each (count, options), images and observers both drawn; NaN without an answer.
    """
    member = _members(groups, count)
    picked = (chosen[:, :, None] == np.arange(options)).astype(float)
    answered = (chosen >= 0).astype(float)
    number = answered.sum(axis=0) @ member
    total = member.T @ picked.sum(axis=0)
    shares = np.divide(total, number[:, None], out=np.full(total.shape, np.nan), where=number[:, None] > 0)
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
