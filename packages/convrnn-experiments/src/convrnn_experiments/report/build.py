"""From evaluated runs, and people's answers where there are any, to one page with its pictures and tables."""

import html
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convrnn_data.base.console import Report, silent
from convrnn_data.categories import CATEGORIES
from convrnn_experiments.comparison.compare import Difference, Row, compare, differences
from convrnn_experiments.comparison.exits import MEANING, Exits
from convrnn_experiments.comparison.observer_group import People, read_people
from convrnn_experiments.conditions import CONDITIONS
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import Evaluation, read_evaluations
from convrnn_experiments.observers.conventions import MAX_UNREADABLE, MISSES, Misses
from convrnn_experiments.report import canvas, comparison_tables, plots, sat_plots, tables
from convrnn_experiments.report.example_images import examples
from convrnn_experiments.report.html import FIGURES, TABLES, Figure, Section, render
from convrnn_experiments.report.output import LIST, write_page
from convrnn_experiments.report.tables import Table

BANDS = "Bands and bars are 95 % confidence intervals over images"
SIMULATED = (
    "The observers of this page are SIMULATED, and the images that they were shown are drawn by a program. "
    "No person answered: figures here show that everything works, and say nothing about people or photographs."
)
DIGITISED_NOTE = (
    "Pale gray: published curves of SATBench (Subramanian et al. 2025, Journal of Vision 25(1):4, doi "
    "10.1167/jov.25.1.4; real photographs, people, a network of full size), digitised from its figure (±2 percentage "
    "points) or analysis notebooks (±0.3), whichever scores missed trials as this page does; for orientation only."
)


@dataclass(frozen=True)
class Findings:
    """Everything that the page is made of."""

    evaluations: list[Evaluation]
    people: People | None
    rows: list[Row]
    differences: list[Difference]
    match: Exits

    @property
    def whole(self) -> list[Row]:
        """The comparisons over all levels."""
        return [row for row in self.rows if row.pooled]

    @property
    def noun(self) -> str:
        """What people are called."""
        return self.people.noun if self.people else "people"

    def row_of(self, evaluation: Evaluation) -> Row | None:
        """The comparison of an evaluation over all levels."""
        return next((row for row in self.whole if row.evaluation is evaluation), None)


def write(
    paths: Sequence[Path],
    page: Path,
    *,
    human: Path | None = None,
    match: Exits = Exits.INDEX,
    misses: Misses = "chance",
    named: Collection[str] = (),
    max_unreadable: float = MAX_UNREADABLE,
    seed: int = 0,
    report: Report = silent,
) -> Path:
    """Write the page; returns its path. The same results give the same bytes.

    Args:
        paths: evaluated runs.
        page: the HTML file; pictures go to `figures/` and tables to `tables/` beside it. What an earlier page of this
            name has there, and this one has not, is removed.
        human: folder of people's answers; without it the page is about networks alone.
        match: which exits go with which response times.
        misses: what a missed response counts as.
        named: sets of observers to leave out.
        max_unreadable: largest share of trials, and of sessions, that may be unreadable.
        seed: of the resampling.
        report: called as pictures are made.

    Raises:
        ConvRNNError: results or answers cannot be read, or the page cannot be written there; nothing is written.
    """
    if page.is_dir():
        raise ConvRNNError(
            f"cannot write {page}: --out must be a file name, got a folder. Give a name such as {page}/index.html"
        )
    if page.name == LIST:
        raise ConvRNNError(
            f"cannot write {page}: --out must not be {LIST}, the list of the files beside a page. Give another name, "
            "such as index.html"
        )
    evaluations = read_evaluations(paths)
    people = (
        None
        if human is None
        else read_people(human, named=named, misses=misses, seed=seed, max_unreadable=max_unreadable)
    )
    rows = [] if people is None else compare(evaluations, people, match=match, seed=seed)
    found = Findings(evaluations, people, rows, differences(rows), match)
    made = _tables(found)
    sections = _sections(found, made, report)
    text = render(_title(found), _lead(found), SIMULATED if people and people.simulated else "", sections)
    files = {f"{TABLES}/{name}.csv": tables.as_csv(table) for name, table in made.items() if table}
    for picture in (figure.picture for section in sections for figure in section.figures):
        files[f"{FIGURES}/{picture.name}.png"] = picture.png
        files[f"{FIGURES}/{picture.name}.pdf"] = picture.pdf
    write_page(page, text.encode("utf-8"), files)
    return page


def _title(found: Findings) -> str:
    return f"Networks and {found.noun}" if found.rows else "Networks over time"


def _lead(found: Findings) -> list[str]:
    tested = sorted({one.name for one in found.evaluations})
    networks = list(dict.fromkeys(one.network for one in found.evaluations))
    words = (
        f"{_count(len(networks), 'network')} ({', '.join(networks)}), tested on {', '.join(tested)}: what each answers "
        f"at each time step, and how often it is right among 16 categories (chance is {canvas.CHANCE:.2f} %)."
    )
    return [words]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _tables(found: Findings) -> dict[str, Table]:
    """Every table that is written, by name; empty ones are not."""
    made = {
        "accuracy": tables.accuracies(found.evaluations),
        "confusion_networks": tables.network_confusions(
            [(one, found.row_of(one)) for one in found.evaluations]
        ),
        "response_times_networks": [
            row
            for one in found.evaluations
            for row in tables.network_times(one, *plots.network_times(one, found.row_of(one)))
        ],
        "runs": tables.provenance(found.evaluations),
    }
    if found.people is not None:
        made |= {
            "comparison": comparison_tables.comparison(found.rows, found.people, found.match),
            "differences": comparison_tables.differences(found.differences),
            "compared": comparison_tables.compared(found.rows),
            "misses": comparison_tables.misses(found.rows, found.people),
            "curves": comparison_tables.people_accuracies(found.rows, found.people),
            "curves_networks": comparison_tables.network_curves(found.rows),
            "images_networks": comparison_tables.network_images(found.rows),
            "trials_people": comparison_tables.people_trials(found.rows, found.people),
            "categories": comparison_tables.categories(found.rows, found.people),
            "confusion_people": tables.people_confusions(found.whole, found.people),
            "consistency": tables.consistencies(
                found.whole, plots.consistency_of, plots.consistency_errors_of
            ),
            "response_times_people": tables.people_times(found.whole, found.people),
            "observers": tables.observers(found.people, found.evaluations),
            "trials": tables.trials(found.people, found.evaluations),
            "observer_problems": tables.problems(found.people),
            "digitised": tables.digitised(),
        }
    return made


def _sections(found: Findings, made: dict[str, Table], report: Report) -> list[Section]:
    colours = canvas.colour_of([one.network for one in found.evaluations])
    makers = [_accuracy, _comparison, _trials, _categories, _consistency, _times, _confusions, _examples]
    sections = []
    with canvas.style():
        for done, make in enumerate(makers, start=1):
            section = make(found, colours)
            report("report", done, len(makers))
            if section is not None:
                sections.append(section)
    return [*sections, _provenance(found, made)]


def _accuracy(found: Findings, colours: sat_plots.Colours) -> Section:
    panels = sat_plots.panels_of(found.evaluations, found.rows)
    misses = None if found.people is None else found.people.misses
    names = ["accuracy", "curves", "curves_networks"] if found.rows else ["accuracy"]
    said = [f"{panel.title}: accuracy over time of {_names(panel)}" for panel in panels]
    units = sorted({unit for one in found.evaluations if (unit := CONDITIONS[one.regime].unit)})
    levels = f" Numbers above the panels: {', '.join(units)}." if units else ""
    drawn = [
        Figure(
            sat_plots.sat_curves(panels, colours, found.noun, cost=cost, misses=misses),
            f"Accuracy over {'multiply-adds up to a time step' if cost else 'time steps'}."
            f"{_matched_words(found)} {_bands(found)}{levels}"
            + (f" {DIGITISED_NOTE}" if misses is not None and not cost else ""),
            said,
            names + (["digitised"] if misses is not None and not cost else []),
        )
        for cost in (False, True)
    ]
    if found.rows:
        drawn.append(_milliseconds(found, panels, colours))
    return Section(
        "Accuracy over time", [], drawn, [(tables.accuracy_wide(found.evaluations), 3, "accuracy")]
    )


def _bands(found: Findings) -> str:
    return f"{BANDS}{' for networks, over images and observers for people' if found.rows else ''}."


def _matched_words(found: Findings) -> str:
    """What the marks of a curve stand for, where there are people."""
    if not found.rows:
        return ""
    return (
        " Filled marks: the network on all images compared, at each step. Hollow marks: the images of each "
        "response-time block at the step matched to it, which the RMSE compares with people. Round marks: "
        f"{found.noun}, at the matched steps ({found.match}: {MEANING[found.match]})."
    )


def _milliseconds(found: Findings, panels: Sequence[sat_plots.Panel], colours: sat_plots.Colours) -> Figure:
    compared = [panel for panel in panels if panel.rows]
    return Figure(
        sat_plots.millisecond_curves(panels, colours, found.noun),
        f"Accuracy over response time. Round marks: {found.noun} at their mean response times, with 95 % confidence "
        "intervals of both. Networks: time steps mapped to milliseconds by a speed and a delay, fitted to all images "
        "of the regime, for orientation; a network whose accuracy hardly changes over time has no meaningful map.",
        [f"{panel.title}: accuracy over response time of {_names(panel)}" for panel in compared],
        ["curves", "curves_networks", "response_times_people"],
    )


def _names(panel: sat_plots.Panel) -> str:
    return ", ".join(f"network {line.network}" for line in panel.lines) + (
        " and people" if panel.rows else ""
    )


def _comparison(found: Findings, colours: sat_plots.Colours) -> Section | None:
    if found.people is None:
        return None
    listed = comparison_tables.notes(found.rows, found.people, found.match)
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in listed)
    shown = [
        (comparison_tables.comparison_wide(found.rows, keys), 2, "comparison")
        for keys in (comparison_tables.CURVES, comparison_tables.AGREEMENT)
    ]
    if found.differences:
        shown.append((comparison_tables.differences_wide(found.differences), 2, "differences"))
    return Section(
        f"Networks and {found.noun} in numbers", tables=shown, further=f"<ul class='faint'>{notes}</ul>"
    )


def _trials(found: Findings, colours: sat_plots.Colours) -> Section | None:
    if found.people is None:
        return None
    words = (
        "Trials missed, in percent of the trials compared, by condition and response-time block: of each observer, "
        f"then the mean over observers. In the comparison {MISSES[found.people.misses]}."
    )
    counts = [
        {name.replace("_", " "): str(value) for name, value in row.items()}
        for row in comparison_tables.compared(found.rows)
    ]
    lost = tables.trials(found.people, found.evaluations)
    shown = tables.as_html(
        [{name.replace("_", " "): _shown(row[name]) for name in _TRIALS} for row in lost], text=2
    )
    every = (
        "<details><summary>What became of every trial, by experiment, level and block</summary>"
        f"{shown}<a href='{TABLES}/trials.csv' download>trials.csv</a></details>"
    )
    return Section(
        "Images, trials and misses",
        [words],
        tables=[(comparison_tables.misses_wide(found.rows), 1, "misses"), (counts, 2, "compared")],
        further=every if lost else "",
    )


_TRIALS = ("experiment", "level", "block", "found", "unreadable", "excluded", "practice", "late", "without_stimulus",
           "kept", "missed_percent")  # fmt: skip
"""Columns of the trials that the page has room for."""


def _shown(value: object) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.1f}"
    return str(value)


def _categories(found: Findings, colours: sat_plots.Colours) -> Section | None:
    if not found.whole:
        return None
    said = [f"Accuracy by category of {row.evaluation.network} and {found.noun}" for row in found.whole]
    words = f"Each point is a category: accuracy of {found.noun} across, of the network up, over all response times."
    picture = plots.category_scatter(found.whole, colours, found.noun)
    return Section("Categories", [], [Figure(picture, f"{words} {_bands(found)}", said, ["categories"])])


def _consistency(found: Findings, colours: sat_plots.Colours) -> Section | None:
    if not found.whole:
        return None
    said = [f"Error consistency in {name}" for name in dict.fromkeys(row.condition for row in found.whole)]
    words = (
        f"Cohen's kappa of right and wrong, of each network and each of the {found.noun} with each other: 0 is what "
        "the accuracies alone bring about, 1 is erring on the same images. Computed within each level and "
        "response-time block, then averaged."
    )
    picture = plots.consistency_heatmaps(found.whole, found.noun)
    return Section("Error consistency", [], [Figure(picture, words, said, ["consistency"])])


def _times(found: Findings, colours: sat_plots.Colours) -> Section:
    pairs = [(one, found.row_of(one)) for one in found.evaluations]
    said = [
        f"Response times of {who} in {one.name}"
        for one, row in pairs
        for who in ([f"network {one.network}", found.noun] if row else [f"network {one.network}"])
    ]
    words = (
        "A network answers at the first time step at which the entropy of its readout has fallen to a threshold "
        "(Spoerer et al. 2020), here the one whose order of images best predicts people's; where there are no people, "
        "one that half of the images reach."
    )
    if found.rows:
        words += (
            " Within a block the beep drives people's times, so only their order within observer and block is compared "
            "with the network's."
        )
    picture = plots.response_times(pairs, colours, found.noun)
    names = ["response_times_networks"] + (["response_times_people"] if found.rows else [])
    return Section("Response times", [], [Figure(picture, words, said, names)])


def _confusions(found: Findings, colours: sat_plots.Colours) -> Section:
    drawn = []
    for one in found.evaluations:
        row = found.row_of(one)
        picture = plots.confusions(row, one, found.noun)
        said = [f"Confusion matrix {number + 1} of {one.network}" for number in range(len(picture.panels))]
        caption = f"Network {one.network} on {one.name}: of each category (rows), the share of each answer (columns)."
        names = ["confusion_networks", "confusion_people"] if row else ["confusion_networks"]
        drawn.append(Figure(picture, caption, said, names))
    return Section("Confusions over time", [], drawn)


def _examples(found: Findings, colours: sat_plots.Colours) -> Section | None:
    drawn, absent = [], []
    for one in found.evaluations:
        chosen = examples(one)
        if not chosen:
            absent.append(f"The images of {one.name} are no longer at {one.measures['source']}.")
            continue
        said = [_said(example.title, example.answers) for example in chosen]
        caption = f"Network {one.network} on {one.name}: images on which its answer changes."
        drawn.append(Figure(plots.example_images(one, chosen), caption, said, photographs=True))
    return Section("Answers that change", absent, drawn)


def _said(title: str, answers: np.ndarray) -> str:
    return f"{title}; answers: {', '.join(CATEGORIES[label] for label in answers)}"


def _provenance(found: Findings, made: dict[str, Table]) -> Section:
    networks = {one.network: one for one in found.evaluations}
    told = "".join(
        _run(one, [other for other in found.evaluations if other.network == name])
        for name, one in networks.items()
    )
    shown = [(tables.transposed(made["observers"], "experiment"), 1, "observers")] if found.people else []
    return Section(
        "What was run", [], [], shown, f"{_problems(made.get('observer_problems', []))}<dl>{told}</dl>"
    )


def _run(one: Evaluation, ours: Sequence[Evaluation]) -> str:
    """A run: the commands that made it and tested it, then what they were asked for and what they ran on."""
    config = [f"{key} {value}" for key, value in one.config.to_json().items() if value not in ("", None)]
    versions = [f"{name} {value}" for name, value in one.measures["environment"]["versions"].items()]
    commands = [one.trained_by, *(other.measures["environment"]["command"] for other in ours)]
    told = [
        f"{one.measures['network']}, {one.measures['parameters']:,} parameters, {one.multiply_adds[-1]:,.0f} "
        f"multiply-adds an image; {_count(len(one.run.history()), 'epoch')}",
        *(
            f"{other.name}: {_count(other.measures['images'], 'image')} ({other.measures['kind']}) from "
            f"{other.measures['source']}{other.origin}"
            for other in ours
        ),
        f"pictures are cropped and perturbed at {one.config.stimulus_size} px, and resized to the network's "
        f"{one.config.image_size} px",
        *([f"validated on {one.validated_on}"] if one.validated_on else []),
        ", ".join(config),
        ", ".join(versions),
    ]
    lines = "".join(f"<dd><code>{html.escape(command)}</code></dd>" for command in dict.fromkeys(commands))
    lines += "".join(f"<dd class='faint'>{html.escape(line)}</dd>" for line in told)
    return f"<dt>{html.escape(one.network)}: {html.escape(str(one.run.path))}</dt>{lines}"


def _problems(problems: Table) -> str:
    if not problems:
        return ""
    lines = "".join(
        f"<li>{html.escape(str(row['file']))}, line {row['line']}: {html.escape(str(row['what']))}</li>"
        for row in problems
    )
    count = _count(len(problems), "line")
    return f"<details><summary>{count} of the answers with something odd</summary><ul>{lines}</ul></details>"
