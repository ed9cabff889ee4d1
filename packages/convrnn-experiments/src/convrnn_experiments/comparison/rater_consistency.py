"""Error consistency of every pair of networks and observers in one condition."""

from collections.abc import Sequence

import numpy as np

from convrnn_experiments.comparison.agreement import consistency, consistency_errors, resample
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.exits import nearest


def rater_consistency(rows: Sequence[Comparison]) -> np.ndarray:
    """Return the error consistency of the raters of one condition, (networks + observers, networks + observers)."""
    return consistency(rows[0].answers, rows[0].observers, _correct(rows))


def rater_consistency_errors(rows: Sequence[Comparison]) -> np.ndarray:
    """Return standard errors of `rater_consistency` over images, of the same shape."""
    first = rows[0]
    weights = resample(first.contrast.strata, 1, 0).images
    return consistency_errors(first.answers, first.observers, _correct(rows), weights)


def _correct(rows: Sequence[Comparison]) -> np.ndarray:
    """Return whether each network is right at the exits matched to the response-time blocks, (networks, images)."""
    return np.stack(
        [nearest(row.answers.right, row.answers.blocks, row.positions).astype(float) for row in rows]
    )
