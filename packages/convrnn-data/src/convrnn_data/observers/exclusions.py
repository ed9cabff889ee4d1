"""Exclusion of observers, by the sets of SATBench's authors or by criteria."""

from collections.abc import Collection

import pandas as pd

from convrnn_data.base.errors import ConvRNNError

_LEFT_OUT_COLOR_GRAY = """
    2406 2427 2432 2434 2436 2437 2446 2449 2460 2466 2477 2478 2487 2489 2490 2498 2513 2521
"""
_LEFT_OUT_NOISE = """
    2784 2795 2805 2807 2821 2828 2809 2815 2855 2857 2869
    2874 2877 2878 2880 2882 2893 2897 2906 2911 2918 2920
"""
_LEFT_OUT_BLUR = "2580 2581 2591 2615 2619"
EXCLUSIONS: dict[str, dict[str, frozenset[str]]] = {
    "satbench": {
        "color_gray": frozenset(_LEFT_OUT_COLOR_GRAY.split()),
        "noise": frozenset(_LEFT_OUT_NOISE.split()),
        "blur": frozenset(_LEFT_OUT_BLUR.split()),
    }
}
"""Named sets of observers to exclude, per experiment. `satbench`: excluded by its authors in their notebooks (18 of 76
for color and gray, 22 of 67 for noise, 5 of 50 for blur), which leaves 148."""


def exclude(
    table: pd.DataFrame,
    *,
    named: Collection[str] = (),
    tutorial_accuracy: float | None = None,
    misses: float | None = None,
) -> pd.DataFrame:
    """Exclude observers by named sets and by criteria, separately for each experiment.

    Args:
        table: Table from `read_observers`.
        named: Names in `EXCLUSIONS`, such as "satbench".
        tutorial_accuracy: Minimum share of correct answers in the tutorial; observers without a tutorial are excluded.
        misses: Maximum share of missed trials.

    Returns:
        Rows of the remaining observers; `attrs["excluded"]` maps (observer, experiment) to the reason.

    Raises:
        ConvRNNError: A set is unknown, or a share is not between 0 and 1.
    """
    for name in named:
        if name not in EXCLUSIONS:
            raise ConvRNNError(
                f"cannot exclude observers: the set must be one of {', '.join(EXCLUSIONS)}, got {name!r}. Name a "
                "known set"
            )
    for what, share in (("tutorial_accuracy", tutorial_accuracy), ("misses", misses)):
        if share is not None and not 0 <= share <= 1:
            raise ConvRNNError(
                f"cannot exclude observers: {what} must be a share from 0 to 1, got {share}. Pass 0.05 for 5 %"
            )
    observers = table.groupby(["observer", "experiment"]).agg(
        tutorial=("tutorial_accuracy", "first"), missed=("missed", "mean")
    )
    reasons: dict[tuple[str, str], str] = {}
    for (observer, experiment), tutorial, missed in zip(
        observers.index, observers.tutorial, observers.missed, strict=True
    ):
        sets = [name for name in named if observer in EXCLUSIONS[name].get(experiment, ())]
        if sets:
            reasons[observer, experiment] = f"in {sets[0]}"
        elif tutorial_accuracy is not None and not tutorial >= tutorial_accuracy:
            reasons[observer, experiment] = f"tutorial accuracy {tutorial:.3f} < {tutorial_accuracy}"
        elif misses is not None and missed > misses:
            reasons[observer, experiment] = f"missed {missed:.3f} > {misses}"
    excluded = pd.MultiIndex.from_frame(table[["observer", "experiment"]]).isin(list(reasons))
    remaining = table[~excluded].reset_index(drop=True)
    remaining.attrs = {**table.attrs, "excluded": {**table.attrs.get("excluded", {}), **reasons}}
    return remaining
