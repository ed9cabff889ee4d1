"""Section of the page on the spread over training seeds."""

from collections.abc import Sequence

from convrnn_experiments.comparison.differences import Difference
from convrnn_experiments.comparison.seed_groups import SeedRow
from convrnn_experiments.report.comparison_tables import differences_wide
from convrnn_experiments.report.html import Figure, Section
from convrnn_experiments.report.seed_plots import drawn_measures, seed_values
from convrnn_experiments.report.seed_tables import SEED_DIFFERENCE_NOTE, SEED_NOTE, main_rows, seeds_wide

_CAPTION = (
    "Circles: networks trained with different seeds. Diamonds: their mean. Thick lines: 95 % confidence interval over "
    "seeds, on these images. Thin lines: over seeds, images and observers, for measures whose sampling error is known."
)


def seeds_section(rows: Sequence[SeedRow], pairs: Sequence[Difference] = ()) -> Section | None:
    """Make the section; None without groups.

    Args:
        rows: Spread of the groups.
        pairs: Differences between groups, and between groups and networks.
    """
    if not rows:
        return None
    shown = main_rows(rows)
    alt_texts = [
        f"{members[0].measure.label} of {'; '.join(f'{row.name}, {row.condition}' for row in members)}"
        for members in drawn_measures(shown)
    ]
    figures = [Figure(seed_values(shown), _CAPTION, alt_texts, ["seeds"])] if alt_texts else []
    tables = [(seeds_wide(rows), 3, "seeds")]
    notes = [SEED_NOTE]
    if pairs:
        tables.append((differences_wide(pairs), 2, "seed_differences"))
        notes.append(SEED_DIFFERENCE_NOTE)
    return Section("Spread over training seeds", notes, figures, tables=tables)
