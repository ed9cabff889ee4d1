"""Error consistency of every pair of raters in a condition."""

from dataclasses import replace

import numpy as np
import pytest

from convrnn_experiments.comparison import agreement
from convrnn_experiments.comparison.rater_consistency import (
    rater_consistency,
    rater_consistency_errors,
    same_images,
)


def test_networks_come_first_and_agree_with_the_measures_of_the_comparison(rows):
    row = rows[0]
    matrix = rater_consistency([row])
    assert matrix.shape == (1 + row.observer_count,) * 2
    np.testing.assert_allclose(matrix, matrix.T)
    estimates = row.estimates
    assert np.nanmean(matrix[0, 1:]) == pytest.approx(estimates["error_consistency"].value)
    among = matrix[1:, 1:][np.triu_indices(row.observer_count, k=1)]
    assert np.nanmean(among) == pytest.approx(estimates["error_consistency_people"].value)


def test_standard_errors_are_the_spread_over_samples_of_images(rows, monkeypatch):
    errors = rater_consistency_errors([rows[0]])
    assert errors.shape == rater_consistency([rows[0]]).shape
    known = errors[~np.isnan(errors)]
    assert len(known)
    assert ((known >= 0) & (known < 1)).all()
    monkeypatch.setattr(agreement, "_CHUNK", 7)  # samples in memory at once
    # A matrix product of other sizes may round differently.
    np.testing.assert_allclose(errors, rater_consistency_errors([rows[0]]), rtol=1e-9, atol=1e-12)


def test_networks_are_paired_by_image_whatever_their_order(rows):
    row = rows[0]
    order = np.random.default_rng(0).permutation(row.image_count)
    other = reordered(row, order)
    assert same_images([row, other]) == [[row, other]]
    matrix = rater_consistency([row, other])
    assert matrix[0, 1] == pytest.approx(1)
    np.testing.assert_allclose(matrix[0, 2:], matrix[1, 2:])


def test_networks_on_different_images_are_not_paired(rows):
    row = rows[0]
    fewer = reordered(row, np.arange(row.image_count - 5))
    assert same_images([row, fewer, row]) == [[row, row], [fewer]]
    assert rater_consistency([fewer]).shape == rater_consistency([row]).shape


def reordered(row, images):
    """Return a comparison as it is for a network whose file has some of the images, in another order."""
    kept = np.isin(np.arange(row.image_count), images)
    observers = row.observers.select(kept)
    position = np.argsort(np.argsort(images))
    names = ("scores", "correct", "times", "answers", "missed")
    columns = {name: getattr(observers, name)[:, position] for name in names}
    observers = replace(observers, **columns, blocks=observers.blocks[position])
    return replace(row, answers=row.answers.of(images), shared=replace(row.shared, observers=observers))
