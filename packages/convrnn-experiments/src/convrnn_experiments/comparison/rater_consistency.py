"""Error consistency of every pair of networks and observers in one condition."""

from collections.abc import Sequence

import numpy as np

from convrnn_experiments.comparison.agreement import consistency, consistency_errors, resample
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.differences import image_order
from convrnn_experiments.comparison.exits import nearest


def same_images(rows: Sequence[Comparison]) -> list[list[Comparison]]:
    """Group comparisons by condition and images, in order: raters are consistent on images that all of them saw."""
    groups: list[list[Comparison]] = []
    for row in rows:
        for group in groups:
            if group[0].condition == row.condition and image_order(group[0], row) is not None:
                group.append(row)
                break
        else:
            groups.append([row])
    return groups


def rater_consistency(rows: Sequence[Comparison]) -> np.ndarray:
    """Return the error consistency of raters, (networks + observers, networks + observers).

    Args:
        rows: Comparisons of one group of `same_images`.
    """
    return consistency(rows[0].answers, rows[0].observers, _correct(rows))


def rater_consistency_errors(rows: Sequence[Comparison]) -> np.ndarray:
    """Return standard errors of `rater_consistency` over images, of the same shape."""
    first = rows[0]
    weights = resample(first.contrast.strata, 1, 0).images
    return consistency_errors(first.answers, first.observers, _correct(rows), weights)


def _correct(rows: Sequence[Comparison]) -> np.ndarray:
    """Return whether each network is right at its matched exits, (networks, images), in the order of the first."""
    return np.stack(
        [
            nearest(row.answers.right, row.answers.blocks, row.positions)[image_order(rows[0], row)].astype(
                float
            )
            for row in rows
        ]
    )
