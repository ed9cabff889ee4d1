"""First section of the report: the answer in sentences, one picture and the ranking."""

import html

from convrnn_experiments.comparison.exits import MEANING
from convrnn_experiments.report import plots
from convrnn_experiments.report.answer import ceiling, finding, headline, short
from convrnn_experiments.report.findings import Findings
from convrnn_experiments.report.html import Figure, Section
from convrnn_experiments.report.overview_plot import overview
from convrnn_experiments.report.ranking_tables import ranking_wide
from convrnn_experiments.report.unranked import unranked_note

TITLE = "In short"


def answer_section(findings: Findings, colours: plots.Colours) -> Section | None:
    """Write the section; None without humans, or without a network at a known distance from them."""
    rankings = [one for one in findings.rankings if one.pooled]
    if not rankings:
        return None
    noun = findings.noun
    answer = headline(rankings, noun)
    findings_of = [
        " ".join(text for text in (finding(one, noun), ceiling(one, noun)) if text not in ("", answer))
        for one in rankings
    ]
    caption = (
        f"Top: accuracy of {noun} (black, with 95 % confidence band) at their mean response times, and of each network "
        f"at the matched time steps ({findings.match}: {MEANING[findings.match]}). Bottom: distance of the curves, the "
        "SAT-curve RMSE corrected for sampling noise, in percentage points with 95 % confidence intervals; 0 means "
        "equal curves. Dashed: RMSE between two random halves of the observers, without correction."
        f"{_SEEDS if any(len(place.contender.rows) > 1 for one in rankings for place in one.places) else ''}"
    )
    alt_texts = [
        f"{short(one.condition)}: curves and distances from {noun} of "
        f"{', '.join(place.network for place in one.places)}"
        for one in rankings
    ]
    note = unranked_note(findings.unranked)
    figure = Figure(overview(rankings, colours), caption, alt_texts, ["curves", "ranking"])
    return Section(
        TITLE,
        [],
        [figure],
        [(ranking_wide(rankings, noun, findings.unranked), 3, "ranking")],
        f"<p class='faint'>{html.escape(note)}</p>{_READING}" if note else _READING,
        headline=answer,
        items=findings_of,
    )


_SEEDS = (
    " Networks that differ only in the seed of their training are one entry: their mean, with its interval over seeds, "
    "images and observers."
)
_READING = (
    "<p class='faint'>Rank: by SAT-curve RMSE in percentage points. Behind the first: difference of the RMSEs, paired "
    "by image; an asterisk marks p &lt; 0.05 with Holm's correction over all pairs; without one, the rank "
    "is uncertain. Brackets: 95 % confidence intervals, not corrected for the number of comparisons. The rows of the "
    "observers state the RMSE between two random halves of them, and the ceilings of error consistency and category "
    "correlation. Dash: not available.</p>"
)
