"""Builds the report on evaluated runs, and human answers if given: a page with figures and tables."""

from collections.abc import Collection, Sequence
from pathlib import Path

from convrnn_data.base.console import Report, silent
from convrnn_data.observers.conventions import MAX_UNREADABLE, Misses
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.differences import differences
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.report import canvas, interactive, summary
from convrnn_experiments.report.findings import Findings
from convrnn_experiments.report.formats import as_csv
from convrnn_experiments.report.html import FIGURES, TABLES, render
from convrnn_experiments.report.methods_text import methods_section
from convrnn_experiments.report.output import LIST, write_page
from convrnn_experiments.report.sections import count_of, make_sections
from convrnn_experiments.rows.read import read_rows

SIMULATED = (
    "The observers on this page are SIMULATED, and the images that they were shown were drawn by a program. No humans "
    "took part: the figures show that the software works, and say nothing about humans or photographs."
)


def write_report(
    rows: Sequence[str | Path],
    page: Path,
    *,
    human: Path | None = None,
    match: Exits = Exits.INDEX,
    misses: Misses = "chance",
    exclusions: Collection[str] = (),
    max_unreadable: float = MAX_UNREADABLE,
    seed: int = 0,
    workers: int | None = 1,
    report: Report = silent,
) -> Path:
    """Write the page and return its path; equal results give equal bytes.

    Args:
        rows: Networks, as `read_rows` takes them.
        page: HTML file. `summary.json`, figures in `figures/` and tables in `tables/` are written to its folder, and
            the files that only an earlier version of the page linked to are removed.
        human: Folder of human answers; None reports on networks only.
        match: Method of matching exits to response times.
        misses: Convention for missed responses.
        exclusions: Named sets of observers to exclude.
        max_unreadable: Largest share of trials, and of sessions, that may be unreadable.
        seed: Seed of the resampling.
        workers: Number of processes; None uses one per core.
        report: Progress callback.

    Raises:
        ConvRNNError: Results or answers are unreadable, a process ended, or the page cannot be written; nothing is
            written.
    """
    _require_writable(page)
    evaluations, accuracies = read_rows(rows)
    group = None
    if human is not None:
        group = read_observer_group(
            human, exclusions=exclusions, misses=misses, seed=seed, max_unreadable=max_unreadable
        )
    compared = [] if group is None else compare(evaluations, group, match=match, seed=seed, workers=workers)
    findings = Findings(evaluations, group, compared, differences(compared, seed=seed), match, accuracies)
    text, files = _rendered(findings, seed, workers, report)
    write_page(page, text.encode("utf-8"), files)
    return page


def _require_writable(page: Path) -> None:
    """Refuse a page that would replace a folder or a file beside it."""
    if page.is_dir():
        raise ConvRNNError(
            f"cannot write {page}: --out must be a file name, got a folder. Give a name such as {page}/index.html"
        )
    if page.name in (LIST, summary.NAME):
        raise ConvRNNError(
            f"cannot write {page}: --out must not be {LIST} or {summary.NAME}, which are written beside a page. Give "
            "another name, such as index.html"
        )


def _rendered(
    findings: Findings, seed: int, workers: int | None, report: Report
) -> tuple[str, dict[str, bytes]]:
    """Return the text of the page, and the content of the files beside it by their relative paths."""
    tables = findings.tables()
    libraries = interactive.libraries()
    sections = make_sections(findings, tables, report, workers=workers)
    explore = interactive.explore_section(findings, canvas.colour_of(findings.networks), libraries, seed=seed)
    sections[1:1] = [explore] if explore else []
    sections.insert(-1, methods_section(findings, seed))
    title = f"Networks and {findings.noun}" if findings.rows else "Networks over time"
    warning = SIMULATED if findings.group and findings.group.simulated else ""
    text = render(
        title, [_lead(findings)], warning, sections, interactive.scripts(libraries, chart=explore is not None)
    )
    files = {summary.NAME: summary.as_json(summary.summarise(findings, seed))}
    files |= {f"{TABLES}/{name}.csv": as_csv(table) for name, table in tables.items() if table}
    for drawing in (figure.drawing for section in sections for figure in section.figures):
        files[f"{FIGURES}/{drawing.name}.png"] = drawing.png
        files[f"{FIGURES}/{drawing.name}.pdf"] = drawing.pdf
    return text, files


def _lead(findings: Findings) -> str:
    tested = sorted({evaluation.name for evaluation in findings.evaluations})
    networks = list(dict.fromkeys(evaluation.network for evaluation in findings.evaluations))
    others = list(dict.fromkeys(row.network for row in findings.accuracies))
    also = f" Of {', '.join(others)}, only accuracies are known." if others else ""
    return (
        f"{count_of(len(networks), 'network')} ({', '.join(networks)}), tested on {', '.join(tested)}: answers at each "
        f"time step, and accuracy among 16 categories (chance is {canvas.CHANCE:.2f} %).{also}"
    )
