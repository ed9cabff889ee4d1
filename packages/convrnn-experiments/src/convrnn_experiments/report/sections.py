"""Sections of the report page, made from the findings."""

import contextlib
import html
from collections.abc import Mapping, Sequence

import numpy as np

from convrnn_data.base.console import Report
from convrnn_data.categories import CATEGORIES
from convrnn_data.observers.conventions import MISSES
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.curves import ConditionCurves, over_multiply_adds
from convrnn_experiments.comparison.exits import MEANING
from convrnn_experiments.comparison.rater_consistency import same_images
from convrnn_experiments.conditions import condition_of
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.report import (
    comparison_tables,
    network_tables,
    observer_tables,
    over_time_plots,
    plots,
    sat_plots,
    sweep_plots,
)
from convrnn_experiments.report.answer_section import answer_section
from convrnn_experiments.report.comparison_page import notes
from convrnn_experiments.report.drawing import Maker, draw_sections
from convrnn_experiments.report.example_images import examples
from convrnn_experiments.report.findings import Findings
from convrnn_experiments.report.formats import Table, as_html, plain, transposed
from convrnn_experiments.report.html import TABLES, Figure, Section
from convrnn_experiments.report.seed_section import seeds_section

BANDS = "Bands and bars are 95 % confidence intervals over images"
DIGITISED_NOTE = (
    "Pale gray: published curves of SATBench (Subramanian et al. 2025, Journal of Vision 25(1):4, doi "
    "10.1167/jov.25.1.4; real photographs, humans, a full-size network), digitised from its figure (±2 percentage "
    "points) or analysis notebooks (±0.3), whichever scores missed trials as this page does; for orientation only."
)
_TRIALS = ("experiment", "level", "block", "found", "unreadable", "excluded", "practice", "late", "without_stimulus",
           "kept", "missed_percent")  # fmt: skip
"""Columns of the trial table that fit the width of the page."""
_EXAMPLES, _EXAMPLES_EACH = 64, (2, 6)
"""Number of example images of a page, and range of those of a network on a test set, which is what readers download."""


def make_sections(
    findings: Findings, tables: dict[str, Table], report: Report, *, workers: int | None = 1
) -> list[Section]:
    """Draw the figures and write the text of all sections.

    Args:
        findings: Results to present.
        tables: Tables from `Findings.tables`.
        report: Progress callback, called after each section with figures.
        workers: Number of processes; None uses one per core.

    Raises:
        ConvRNNError: A process ended.
    """
    made: dict[int, Section | None] = {}
    with contextlib.closing(draw_sections(findings, _MAKERS, workers)) as sections:
        for number, section in sections:
            made[number] = section
            report("report", len(made), len(_MAKERS))
    shown = [section for number in range(len(_MAKERS)) if (section := made[number]) is not None]
    return [*shown, _provenance(findings, tables)]


def count_of(number: int, noun: str) -> str:
    """Format a count with its noun: `1 network`, `2 networks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _accuracy(findings: Findings, colours: plots.Colours) -> Section:
    misses = None if findings.group is None else findings.group.misses
    names = ["accuracy", "curves", "curves_networks"] if findings.rows else ["accuracy"]
    units = sorted(
        {unit for evaluation in findings.evaluations if (unit := condition_of(evaluation.regime).unit)}
    )
    levels = f" Numbers in the panel titles: {', '.join(units)}." if units else ""
    figures = []
    for cost, panels in ((False, findings.curves), (True, over_multiply_adds(findings.curves))):
        if not panels:
            continue
        published = misses is not None and not cost
        caption = (
            f"Accuracy over {'multiply-adds up to a time step' if cost else 'time steps'}."
            f"{_marks(findings)} {_bands(findings)}{levels}{f' {DIGITISED_NOTE}' if published else ''}"
        )
        drawing = sat_plots.sat_curves(panels, colours, findings.noun, cost=cost, misses=misses)
        alt_texts = [f"{panel.title}: accuracy over time of {_names(panel)}" for panel in panels]
        figures.append(Figure(drawing, caption, alt_texts, names + (["digitised"] if published else [])))
    if findings.rows:
        figures.append(_milliseconds(findings, colours))
    table = network_tables.accuracy_wide(findings.evaluations)
    return Section("Accuracy over time", [], figures, [(table, 3, "accuracy")])


def _bands(findings: Findings) -> str:
    return f"{BANDS}{' for networks, and over images and observers for humans' if findings.rows else ''}."


def _marks(findings: Findings) -> str:
    """Explain the markers of the curves; empty without humans."""
    if not findings.rows:
        return ""
    dashed = " Dashed: accuracies of block i at exit i, from files without answers to single images."
    return (
        " Filled markers: the network on all images compared, at each step. Hollow markers: the images of each "
        "response-time block at the matched step, which the RMSE compares with humans."
        f"{dashed if findings.accuracies else ''} Circles: "
        f"{findings.noun}, at the matched steps ({findings.match}: {MEANING[findings.match]})."
    )


def _milliseconds(findings: Findings, colours: plots.Colours) -> Figure:
    compared = [panel for panel in findings.curves if panel.rows]
    return Figure(
        sat_plots.millisecond_curves(compared, colours, findings.noun),
        f"Accuracy over response time. Circles: {findings.noun} at their mean response times, with 95 % confidence "
        "intervals of both. Networks: time steps mapped to milliseconds by a speed and a delay, fitted to all images "
        "of the regime, for orientation. The map is meaningless for a network whose accuracy hardly changes over time.",
        [
            f"{panel.title}: accuracy over response time of {_names(sat_plots.in_milliseconds(panel))}"
            for panel in compared
        ],
        ["curves", "curves_networks", "response_times_people"],
    )


def _names(panel: ConditionCurves) -> str:
    networks = ", ".join(f"network {curve.network}" for curve in panel.networks)
    return f"{networks} and humans" if panel.rows else networks


def _comparison(findings: Findings, colours: plots.Colours) -> Section | None:
    if findings.group is None:
        return None
    listed = "".join(
        f"<li>{html.escape(note)}</li>"
        for note in notes(findings.rows, findings.group, findings.match, findings.others)
    )
    tables = [
        (comparison_tables.comparison_wide(findings.rows, keys, findings.others), 2, "comparison")
        for keys in (
            comparison_tables.CURVES,
            comparison_tables.AGREEMENT,
            comparison_tables.TIMES,
            comparison_tables.SAT,
        )
    ]
    tables.append((comparison_tables.ceilings_wide(findings.rows), 2, "comparison"))
    if findings.differences:
        tables.append((comparison_tables.differences_wide(findings.differences), 2, "differences"))
    return Section(
        f"Networks and {findings.noun} in numbers", tables=tables, html=f"<ul class='faint'>{listed}</ul>"
    )


def _seeds(findings: Findings, colours: plots.Colours) -> Section | None:
    return seeds_section(findings.seeds, findings.seed_differences)


def _trials(findings: Findings, colours: plots.Colours) -> Section | None:
    if findings.group is None:
        return None
    text = (
        "Missed trials in percent of the trials compared, by condition and response-time block, averaged by observer "
        f"and then over observers. In the comparison, {MISSES[findings.group.misses]}."
    )
    counts = [
        {name.replace("_", " "): str(value) for name, value in row.items()}
        for row in comparison_tables.compared(findings.rows)
    ]
    trials = [
        {name.replace("_", " "): plain(row[name]) for name in _TRIALS}
        for row in observer_tables.trials(findings.group, findings.evaluations)
    ]
    details = (
        "<details><summary>All trials by experiment, level, block and outcome</summary>"
        f"{as_html(trials, text=2)}<a href='{TABLES}/trials.csv' download>trials.csv</a></details>"
    )
    misses = observer_tables.misses_wide(findings.rows)
    return Section(
        "Images, trials and misses",
        [text],
        tables=[(misses, 1, "misses"), (counts, 2, "compared")],
        html=details if trials else "",
    )


def _categories(findings: Findings, colours: plots.Colours) -> Section | None:
    if not findings.pooled:
        return None
    alt_texts = [
        f"Accuracy by category of {row.evaluation.network} and {findings.noun}" for row in findings.pooled
    ]
    caption = (
        f"Each point is a category: accuracy of {findings.noun} on the horizontal axis, accuracy of the network on the "
        f"vertical axis, over all response times. {_bands(findings)}"
    )
    drawing = plots.category_scatter(findings.pooled, colours, findings.noun)
    return Section("Categories", [], [Figure(drawing, caption, alt_texts, ["categories"])])


def _consistency(findings: Findings, colours: plots.Colours) -> Section | None:
    if not findings.pooled:
        return None
    groups = same_images(findings.pooled)
    elsewhere = (
        " Networks tested on different images have panels of their own."
        if len(groups) > len({row.condition for row in findings.pooled})
        else ""
    )
    caption = (
        f"Cohen's kappa of correct and wrong answers, for every pair of networks and {findings.noun}: 0 is the "
        "agreement expected from the accuracies alone, 1 means errors on the same images. Computed within each level "
        f"and response-time block, then averaged.{elsewhere}"
    )
    drawing = plots.consistency_heatmaps(findings.pooled, findings.noun)
    alt_texts = [
        f"Error consistency in {group[0].condition} of {', '.join(row.evaluation.network for row in group)} and "
        f"{findings.noun}"
        for group in groups
    ]
    return Section("Error consistency", [], [Figure(drawing, caption, alt_texts, ["consistency"])])


def _times(findings: Findings, colours: plots.Colours) -> Section | None:
    if not findings.timed:
        return None
    panels = plots.time_panels(findings.timed)
    alt_texts = [
        f"Response times of {findings.noun if isinstance(shown, Comparison) else f'network {evaluation.network}'} in "
        f"{evaluation.name}"
        for evaluation, shown in panels
    ]
    caption = (
        "A network answers at the first time step at which the entropy of its readout is at most a threshold (Spoerer "
        "et al. 2020): the threshold that best predicts the order of human response times or, without humans, one that "
        "half of the images reach."
    )
    if findings.rows:
        caption += (
            " Within a block, the beep drives human times, so only their order within observer and block is compared "
            "with the network."
        )
    names = ["response_times_networks"] + (["response_times_people"] if findings.rows else [])
    drawing = plots.response_times(panels, colours, findings.noun)
    figures = [Figure(drawing, caption, alt_texts, names)]
    if findings.sweeps:
        figures.append(_sweeps(findings, colours))
    return Section("Response times", [], figures)


def _sweeps(findings: Findings, colours: plots.Colours) -> Figure:
    caption = (
        "Accuracy of a network that answers each image at its own time, against its mean response time, for thresholds "
        "on the entropy from high (fast answers) to low (Spoerer et al. 2020). Images that never reach the threshold "
        "are answered at the last time step. Bands: 95 % confidence intervals over images. Dashed: accuracy if all "
        "images are answered at the same time step. Dotted: chance."
    )
    alt_texts = [
        f"Accuracy against mean response time in {name} of {', '.join(one.network for one, _ in members)}"
        for name, members in sweep_plots.test_sets(findings.sweeps).items()
    ]
    drawing = sweep_plots.threshold_sweeps(findings.sweeps, colours)
    return Figure(drawing, caption, alt_texts, ["threshold_sweeps"])


def _over_time(findings: Findings, colours: plots.Colours) -> Section:
    human = ""
    if findings.rows:
        human = f" Circles: {findings.noun} in each response-time block, at the matched steps; they have no confidence."
    caption = (
        "Balanced accuracy: accuracy averaged over categories. Sensitivity: log odds of the right answer in Luce's "
        "choice model, in which preferences for some answers do not count. Calibration error: root mean square "
        "difference between confidence and accuracy over 10 bins of confidence, corrected for sampling noise. "
        f"{_bands(findings)} Dotted: chance.{human}"
    )
    alt_texts = [
        f"{condition}: {measure.label} over time of {', '.join(course.network or findings.noun for course in members)}"
        for condition, members in over_time_plots.by_condition(findings.courses).items()
        for measure in over_time_plots.drawn_measures(findings.courses)
    ]
    drawing = over_time_plots.over_time(findings.courses, colours, findings.noun)
    return Section(
        "Balanced accuracy, sensitivity and calibration",
        [],
        [Figure(drawing, caption, alt_texts, ["over_time"])],
    )


def _confusions(findings: Findings, colours: plots.Colours) -> Section:
    """Draw the networks by test set, after the observers, who are the same for all networks on the same images."""
    figures: list[Figure] = []
    drawn: list[tuple[str, bytes]] = []
    names = list(dict.fromkeys(evaluation.name for evaluation, _ in findings.pairs))
    for evaluation, row in sorted(findings.pairs, key=lambda pair: names.index(pair[0].name)):
        if row is not None:
            human = plots.human_confusions(row, findings.noun)
            key = row.condition, np.array(list(human.values())).tobytes()
            if key not in drawn:
                drawn.append(key)
                subject = f"{findings.noun.capitalize()} in {row.condition}"
                if any(condition == row.condition for condition, _ in drawn[:-1]):
                    subject += f", on the images of network {evaluation.network}"
                file = plots.valid_name(f"confusions_people_{len(drawn)}_{row.condition}")
                figures.append(_confusion_figure(human, file, subject, "confusion_people"))
        shown = plots.network_confusions(row, evaluation)
        subject = f"Network {evaluation.network} on {evaluation.name}"
        file = f"confusion_{plots.file_name(evaluation)}"
        figures.append(_confusion_figure(shown, file, subject, "confusion_networks"))
    return Section("Confusions over time", [], figures)


def _confusion_figure(shown: Mapping[str, np.ndarray], file: str, subject: str, table: str) -> Figure:
    caption = f"{subject}: share of each answer (columns) among the images of each category (rows)."
    alt_texts = [f"Confusion matrix of {title}" for title in shown]
    return Figure(plots.confusions(shown, file), caption, alt_texts, [table])


def _examples(findings: Findings, colours: plots.Colours) -> Section | None:
    figures, missing = [], []
    count = int(np.clip(_EXAMPLES // len(findings.evaluations), *_EXAMPLES_EACH))
    for evaluation in findings.evaluations:
        chosen = examples(evaluation, count)
        if not chosen:
            missing.append(f"The images of {evaluation.name} are no longer at {evaluation.test_set}.")
            continue
        alt_texts = [_example_text(example.title, example.answers) for example in chosen]
        caption = f"Network {evaluation.network} on {evaluation.name}: images on which its answer changes."
        drawing = plots.example_images(evaluation, chosen)
        figures.append(Figure(drawing, caption, alt_texts, photographs=True))
    return Section("Answers that change", missing, figures)


def _example_text(title: str, answers: np.ndarray) -> str:
    return f"{title}; answers: {', '.join(CATEGORIES[label] for label in answers)}"


def _provenance(findings: Findings, tables: dict[str, Table]) -> Section:
    by_network: dict[str, list[Evaluation]] = {}
    for evaluation in findings.evaluations:
        by_network.setdefault(evaluation.network, []).append(evaluation)
    runs = "".join(_run(evaluations) for evaluations in by_network.values())
    shown = [(transposed(tables["observers"], "experiment"), 1, "observers")] if findings.group else []
    problems = _problems(tables.get("observer_problems", []))
    return Section("Provenance", [], [], shown, f"{problems}<dl>{runs}</dl>")


def _run(evaluations: Sequence[Evaluation]) -> str:
    """Describe a network and its evaluations: commands, then network, images, settings and versions."""
    last = evaluations[-1]
    commands = [command for evaluation in evaluations for command in evaluation.source.commands]
    facts = [
        last.source.network,
        *(
            f"{evaluation.name}: {count_of(evaluation.accuracy.images, 'image')} ({evaluation.kind}) from "
            f"{evaluation.test_set}{f': {evaluation.origin}' if evaluation.origin is not None else ''}"
            for evaluation in evaluations
        ),
        *last.source.details,
        *(f"no {what}: {reason}" for what, reason in last.unavailable.items()),
    ]
    lines = "".join(f"<dd><code>{html.escape(command)}</code></dd>" for command in dict.fromkeys(commands))
    lines += "".join(f"<dd class='faint'>{html.escape(fact)}</dd>" for fact in facts)
    return f"<dt>{html.escape(last.network)}: {html.escape(str(last.source.path))}</dt>{lines}"


def _problems(problems: Table) -> str:
    if not problems:
        return ""
    lines = "".join(
        f"<li>{html.escape(str(row['file']))}, line {row['line']}: {html.escape(str(row['what']))}</li>"
        for row in problems
    )
    summary = f"{count_of(len(problems), 'problem')} in the answer files"
    return f"<details><summary>{summary}</summary><ul>{lines}</ul></details>"


_MAKERS: tuple[Maker, ...] = (
    answer_section,
    _accuracy,
    _comparison,
    _seeds,
    _trials,
    _categories,
    _consistency,
    _times,
    _over_time,
    _confusions,
    _examples,
)
"""Makers of the sections, in the order of the page."""
