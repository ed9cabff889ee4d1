"""Tables of the spread over training seeds."""

import math
from collections.abc import Sequence

from convrnn_experiments.comparison.seed_groups import ACCURACY, SeedRow
from convrnn_experiments.report.comparison_tables import SHOWN_DIFFERENCES
from convrnn_experiments.report.formats import Table, ends, fixed, with_interval

SHOWN = (ACCURACY.key, *SHOWN_DIFFERENCES)
"""Measures in the table and figure of the page."""
SEED_NOTE = (
    "Networks whose configurations differ only in the seed, on the same images. Brackets: 95 % confidence intervals of "
    "the mean over seeds (Student's), for networks trained in the future and tested on these images and observers; on "
    "new images, also over the draw of images and observers, for measures whose sampling error is known. The SD over "
    "seeds contains the sampling error that the networks do not share."
)
SEED_DIFFERENCE_NOTE = (
    "Differences between groups, and between groups and single networks: brackets are 95 % confidence intervals over "
    "seeds, images and observers, for a single network over images and observers only; an asterisk marks p < 0.05 with "
    "Holm's correction over all pairs in the condition and measure, in which a group counts as one."
)


def seeds(rows: Sequence[SeedRow]) -> Table:
    """Tabulate the spread over seeds, a row per group of networks, condition and measure."""
    return [
        {
            "network": row.name,
            "networks": "; ".join(row.networks),
            "condition": row.condition,
            "test_set": row.test_set,
            "measure": row.measure.key,
            "seeds": row.spread.seeds,
            "mean": row.spread.mean.value,
            "sd": row.spread.sd,
            **ends(row.spread.mean),
            **{f"new_images_{end}": value for end, value in ends(row.spread.on_new_images).items()},
            "seed_sd": math.sqrt(row.spread.seed_variance),
            "unit": row.measure.unit,
            "images": row.images,
        }
        for row in rows
    ]


def main_rows(rows: Sequence[SeedRow]) -> list[SeedRow]:
    """Select what the page shows: all levels of a regime, and the main measures."""
    return [row for row in rows if row.pooled and row.measure.key in SHOWN]


def seeds_wide(rows: Sequence[SeedRow]) -> Table:
    """Tabulate the spread of `main_rows` for reading."""
    return [
        {
            "network": row.name,
            "condition": row.condition,
            "measure": f"{row.measure.label} ({row.measure.unit})",
            "seeds": str(row.spread.seeds),
            "mean over seeds": with_interval(row.spread.mean, row.measure.digits),
            "on new images": _interval(row),
            "SD over seeds": fixed(row.spread.sd, 2),
        }
        for row in main_rows(rows)
    ]


def _interval(row: SeedRow) -> str:
    """Format the interval on new images; a dash for a measure without one."""
    found = row.spread.on_new_images
    return (
        with_interval(found, row.measure.digits, interval=True)
        if math.isfinite(found.low)
        else fixed(math.nan)
    )
