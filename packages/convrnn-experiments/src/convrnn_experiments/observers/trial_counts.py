"""What became of people's trials and observers: read, unreadable, excluded, missed, kept."""

from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from convrnn_data.human.stimuli import GRACE
from convrnn_experiments.observers.jatos import BEEPS

_CELL = ["experiment", "level", "block"]


def count_trials(
    table: pd.DataFrame,
    *,
    excluded: Collection[tuple[str, str]] = (),
    stimuli: Collection[tuple[int, str]] | None = None,
) -> pd.DataFrame:
    """Count what became of every trial, by experiment, level and response-time block.

    Each trial that was found is counted once among unreadable, excluded, practice, late, without_stimulus and kept.

    Args:
        table: Of `read_observers(..., all_trials=True)`, before anything is excluded.
        excluded: (observer, experiment) of those excluded, such as `exclude(...).attrs["excluded"]`.
        stimuli: (block, file name) of the images at hand; None if there is nothing to compare with. A level of which
            there is no image at all is not compared, and none of its trials counts as lacking one.

    Returns:
        A row for each experiment, level and block; an empty level and block -1 are those of unreadable trials of which
        they are not known. Columns:

        * experiment, level, block, beep: ms, missing for block -1;
        * observers: of whom trials are kept;
        * found, unreadable, excluded, practice, late (out of time), without_stimulus, kept: trials;
        * missed: trials without a response, among those kept or without a stimulus, and missed_percent of these;
        * missed_late: those of the missed whose recorded duration exceeds beep + 250 ms. They stay in, as a trial that
          timed out is missed whatever the timer recorded; the authors' filter drops them.
    """
    trials = table[["observer", *_CELL, "practice", "in_time", "missed"]].copy()
    pairs = pd.MultiIndex.from_frame(table[["observer", "experiment"]])
    out = pairs.isin(list(excluded)) if excluded else np.zeros(len(table), dtype=bool)
    practice = ~out & table["practice"]
    late = ~out & ~practice & ~table["in_time"]
    scored = ~out & ~practice & ~late
    lacking = scored & _lacking(table, stimuli)
    trials["excluded"], trials["practice"], trials["late"] = out, practice, late
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
    counts["beep"] = counts["block"].map(beeps).astype("Int64")
    return counts[
        [*_CELL, "beep", "observers", "found", "unreadable", "excluded", "practice", "late", "without_stimulus", "kept",
         "missed", "missed_percent", "missed_late"]
    ]  # fmt: skip


def _lacking(table: pd.DataFrame, stimuli: Collection[tuple[int, str]] | None) -> np.ndarray:
    """(trials,) whether a trial's image is not among the stimuli, though others of its level are."""
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
    """Count what became of every observer, by experiment.

    Args:
        table: Of `read_observers`, before anybody is excluded.
        excluded: (observer, experiment) -> reason, such as `exclude(...).attrs["excluded"]`.

    Returns:
        Columns experiment, found, unreadable, repeated (further sessions of one observer, left out), excluded, reasons
        (of exclusion, with counts, as text) and kept, simulated (of those kept). Sessions that are unreadable or
        repeated have a row of their own, with an empty experiment, as it is not known or not kept.
    """
    excluded = excluded or {}
    rows = []
    for experiment, part in table.groupby("experiment")["observer"].unique().items():
        reasons = {who: excluded[who, str(experiment)] for who in part if (who, str(experiment)) in excluded}
        counted = Counter(_criterion(reason) for reason in reasons.values())
        kept = [who for who in part if who not in reasons]
        rows.append(
            {
                "experiment": str(experiment),
                "found": len(part),
                "unreadable": 0,
                "repeated": 0,
                "excluded": len(reasons),
                "reasons": "; ".join(f"{reason}: {count}" for reason, count in sorted(counted.items())),
                "kept": len(kept),
                "simulated": sum(who.startswith("simulated-") for who in kept),
            }
        )
    sessions = table.attrs.get("sessions", {})
    unread, repeated = sessions.get("unreadable", 0), sessions.get("repeated", 0)
    if unread or repeated:
        lost = dict.fromkeys(("excluded", "kept", "simulated"), 0)
        rows.append(
            {
                "experiment": "",
                "found": unread + repeated,
                "unreadable": unread,
                "repeated": repeated,
                "reasons": "",
                **lost,
            }
        )
    return pd.DataFrame(rows, columns=list(rows[0]))


def _criterion(reason: str) -> str:
    """A reason of exclusion without the observer's own number: "missed 0.61 > 0.5" is "missed > 0.5"."""
    words = reason.split()
    return " ".join(
        word for place, word in enumerate(words) if not (place + 1 < len(words) and words[place + 1] in "<>")
    )
