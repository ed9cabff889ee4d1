"""Counts of human trials and observers by outcome: unreadable, excluded, missed, kept."""

from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from convrnn_data.human.experiment import BEEPS, GRACE
from convrnn_data.observers.table import has_blocks

_CELL = ["experiment", "level", "block"]


def count_trials(
    table: pd.DataFrame,
    *,
    excluded: Collection[tuple[str, str]] = (),
    stimuli: Collection[tuple[int, str]] | None = None,
) -> pd.DataFrame:
    """Count trials by experiment, level, response-time block and outcome.

    Each trial has exactly one of the outcomes unreadable, excluded, practice, late, without_stimulus and kept.

    Args:
        table: Table from `read_observers(..., all_trials=True)`, before exclusions.
        excluded: (observer, experiment) pairs, such as `exclude(...).attrs["excluded"]`.
        stimuli: (block, file name) of the available images; None skips the check. Levels without any image are skipped
            too: their trials do not count as without_stimulus.

    Returns:
        A row per experiment, level and block; unreadable trials of unknown level or block have an empty level or block
        -1. Columns:

        * experiment, level, block, beep: ms, missing for block -1 and in experiments without response-time blocks;
        * observers: number with kept trials;
        * found, unreadable, excluded, practice, late (out of time), without_stimulus, kept: numbers of trials;
        * missed: trials without a response, among those kept or without a stimulus, and missed_percent of these;
        * missed_late: missed trials whose recorded duration exceeds beep + 250 ms. They are kept, since a trial that
          timed out is missed whatever the timer recorded; the authors' filter drops them.
    """
    trials = table[["observer", *_CELL, "practice", "in_time", "missed"]].copy()
    pairs = pd.MultiIndex.from_frame(table[["observer", "experiment"]])
    left_out = pairs.isin(list(excluded)) if excluded else np.zeros(len(table), dtype=bool)
    practice = ~left_out & table["practice"]
    late = ~left_out & ~practice & ~table["in_time"]
    scored = ~left_out & ~practice & ~late
    lacking = scored & _lacking(table, stimuli)
    trials["excluded"], trials["practice"], trials["late"] = left_out, practice, late
    trials["without_stimulus"], trials["kept"] = lacking, scored & ~lacking
    trials["missed"] = scored & table["missed"]
    trials["missed_late"] = trials["missed"] & (table["duration"] > table["beep"] + GRACE)
    trials["scored"] = scored
    names = ["excluded", "practice", "late", "without_stimulus", "kept", "missed", "missed_late", "scored"]
    counts = trials.groupby(_CELL)[names].sum()
    unreadable = pd.Series(table.attrs.get("unreadable", {}), dtype="int64")
    cells = (
        counts.index.union(pd.MultiIndex.from_tuples(unreadable.index, names=_CELL))
        if len(unreadable)
        else counts.index
    )
    counts = counts.reindex(cells, fill_value=0)
    counts["unreadable"] = unreadable.reindex(cells, fill_value=0) if len(unreadable) else 0
    counts["found"] = counts[["unreadable", "excluded", "practice", "late", "scored"]].sum(axis=1)
    kept = trials[trials["kept"]].groupby(_CELL)["observer"].nunique()
    counts["observers"] = kept.reindex(cells, fill_value=0)
    counts["missed_percent"] = 100 * counts["missed"] / counts["scored"].where(counts["scored"] > 0)
    counts = counts.reset_index()
    beeps = dict(enumerate(BEEPS.values()))
    counts["beep"] = counts["block"].map(beeps).where(has_blocks(counts)).astype("Int64")
    return counts[
        [*_CELL, "beep", "observers", "found", "unreadable", "excluded", "practice", "late", "without_stimulus", "kept",
         "missed", "missed_percent", "missed_late"]
    ]  # fmt: skip


def _lacking(table: pd.DataFrame, stimuli: Collection[tuple[int, str]] | None) -> np.ndarray:
    """Return whether the image of each trial is missing although other images of its level are present, (trials,)."""
    if stimuli is None:
        return np.zeros(len(table), dtype=bool)
    known = pd.MultiIndex.from_frame(table[["block", "file_name"]]).isin(list(stimuli))
    compared = (
        pd.Series(known, index=table.index).groupby([table["experiment"], table["level"]]).transform("any")
    )
    return ~known & compared.to_numpy()


def count_observers(
    table: pd.DataFrame, *, excluded: Mapping[tuple[str, str], str] | None = None
) -> pd.DataFrame:
    """Count observers by experiment and outcome.

    Args:
        table: Table from `read_observers`, before exclusions.
        excluded: (observer, experiment) -> reason, such as `exclude(...).attrs["excluded"]`.

    Returns:
        Columns experiment, found, unreadable, repeated (additional sessions of an observer, left out), excluded,
        reasons (of exclusion, with counts, as text), kept, and simulated (among those kept). Unreadable and repeated
        sessions have a separate row with an empty experiment.
    """
    excluded = excluded or {}
    rows = []
    for experiment, part in table.groupby("experiment")["observer"].unique().items():
        name = str(experiment)
        reasons = {observer: excluded[observer, name] for observer in part if (observer, name) in excluded}
        counted = Counter(_criterion(reason) for reason in reasons.values())
        kept = [observer for observer in part if observer not in reasons]
        rows.append(
            {
                "experiment": name,
                "found": len(part),
                "unreadable": 0,
                "repeated": 0,
                "excluded": len(reasons),
                "reasons": "; ".join(f"{reason}: {count}" for reason, count in sorted(counted.items())),
                "kept": len(kept),
                "simulated": sum(observer.startswith("simulated-") for observer in kept),
            }
        )
    sessions = table.attrs.get("sessions", {})
    unreadable, repeated = sessions.get("unreadable", 0), sessions.get("repeated", 0)
    if unreadable or repeated:
        lost = dict.fromkeys(("excluded", "kept", "simulated"), 0)
        rows.append(
            {
                "experiment": "",
                "found": unreadable + repeated,
                "unreadable": unreadable,
                "repeated": repeated,
                "reasons": "",
                **lost,
            }
        )
    return pd.DataFrame(rows, columns=list(rows[0]))


def _criterion(reason: str) -> str:
    """Remove the value of the observer from a reason of exclusion: "missed 0.61 > 0.5" becomes "missed > 0.5"."""
    words = reason.split()
    return " ".join(
        word for index, word in enumerate(words) if not (index + 1 < len(words) and words[index + 1] in "<>")
    )
