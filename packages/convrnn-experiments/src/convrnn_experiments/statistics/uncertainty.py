"""Measures of a network's uncertainty over time, from which response times follow."""

import numpy as np
from numpy.typing import ArrayLike

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.means import mean_over


def confidence_margin(probabilities: ArrayLike) -> np.ndarray:
    """Return the probability of the likeliest category minus that of the second likeliest.

    Args:
        probabilities: (..., categories), at least two categories.

    Returns:
        (...), 0 to 1.
    """
    values = np.asarray(probabilities)
    if values.ndim < 1 or values.shape[-1] < 2:
        raise ConvRNNError(
            f"cannot compute a margin: probabilities must be (..., categories) with at least 2 categories, got shape "
            f"{values.shape}. Pass the whole softmax"
        )
    second, first = np.moveaxis(np.partition(values, -2, axis=-1)[..., -2:], -1, 0)
    return np.asarray(np.minimum(first - second, 1.0))


def uncertainty_area(uncertainty: ArrayLike) -> np.ndarray:
    """Return the area under the uncertainty curve, divided by the number of time steps.

    Goetschalckx et al. (2023, NeurIPS, "Computing a human-like reaction time metric from stable recurrent vision
    models") integrate the epistemic uncertainty of an evidential readout. With a softmax readout, entropy takes its
    place, which is this project's choice. It does not need a threshold.

    Args:
        uncertainty: (images, times), such as the entropy of the readout in nats.

    Returns:
        Mean over the time steps, (images,), in the unit of `uncertainty`.
    """
    return np.asarray(mean_over(np.asarray(uncertainty, dtype=float).T))


def leading_evidence(answers: ArrayLike, confidence: ArrayLike) -> np.ndarray:
    """Return the evidence of the leading one of several racing accumulators, one per category.

    At each time step, the accumulator of the network's answer gains the confidence of the answer, the others gain
    nothing; none leaks. The response is the first time step at which the leading accumulator is at least the bound, as
    in a race model (Usher & McClelland 2001, Psychol Rev 108, 550-592, review such models). Evidence from the answer
    alone is this project's choice: it needs only the columns of `predictions.csv`.

    Args:
        answers: (images, times) categories.
        confidence: (images, times) softmax of the answer.

    Returns:
        (images, times), rising over time; NaN where the confidence is unknown.
    """
    given, gained = np.asarray(answers), np.asarray(confidence, dtype=float)
    if given.shape != gained.shape or given.ndim != 2:
        raise ConvRNNError(
            "cannot accumulate evidence: answers and confidence must be (images, times) of one shape, got shapes "
            f"{given.shape} and {gained.shape}. Pass the same images and time steps in both"
        )
    same = given[:, :, None] == given[:, None, :]  # (images, time, earlier time)
    earlier = np.tri(given.shape[1], dtype=bool)
    own = (same & earlier) @ gained[:, :, None]
    return np.asarray(np.maximum.accumulate(own[:, :, 0], axis=1))
