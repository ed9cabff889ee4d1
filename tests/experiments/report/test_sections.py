"""Sections of the report page."""

import pytest

from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.report.findings import Findings
from convrnn_experiments.report.sections import count_of, make_sections


@pytest.mark.usefixtures("figures_not_drawn")
def test_human_data_adds_sections(findings):
    progress = []
    sections = make_sections(
        findings, findings.tables(), lambda what, number, total: progress.append((number, total))
    )
    assert [section.title for section in sections] == [
        "In short",
        "Accuracy over time",
        "Networks and simulated observers in numbers",
        "Images, trials and misses",
        "Categories",
        "Error consistency",
        "Response times",
        "Balanced accuracy, sensitivity and calibration",
        "Confusions over time",
        "Answers that change",
        "Provenance",
    ]
    assert progress == [(number, 11) for number in range(1, 12)]
    alone = Findings(findings.evaluations, None, [], [], Exits.INDEX)
    titles = [section.title for section in make_sections(alone, alone.tables(), lambda *_: None)]
    assert titles == [
        "Accuracy over time",
        "Response times",
        "Balanced accuracy, sensitivity and calibration",
        "Confusions over time",
        "Answers that change",
        "Provenance",
    ]


def test_every_panel_has_an_alternative_text(findings, without_figures):
    with without_figures():
        sections = make_sections(findings, findings.tables(), lambda *_: None)
    figures = [figure for section in sections for figure in section.figures]
    assert figures
    assert all(len(figure.alt_texts) == len(figure.drawing.panels) for figure in figures)
    assert len({figure.drawing.name for figure in figures}) == len(figures)


def test_humans_on_the_same_images_are_drawn_once(findings, without_figures):
    twice = Findings(findings.evaluations * 2, findings.group, findings.rows, [], Exits.INDEX)
    with without_figures():
        sections = make_sections(twice, twice.tables(), lambda *_: None)
    figures = next(section.figures for section in sections if section.title == "Confusions over time")
    of_humans = [figure for figure in figures if figure.tables == ["confusion_people"]]
    assert (len(of_humans), len(figures)) == (2, 2 + 4)
    assert figures[0] is of_humans[0]
    assert of_humans[0].caption.startswith(f"Simulated observers in {findings.pooled[0].condition}: share")


def test_counts_agree_with_their_nouns():
    assert (count_of(1, "network"), count_of(2, "network")) == ("1 network", "2 networks")
