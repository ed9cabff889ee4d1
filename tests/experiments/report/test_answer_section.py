"""First section of the report."""

import pytest

from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.report import canvas
from convrnn_experiments.report.answer_section import answer_section
from convrnn_experiments.report.findings import Findings

pytestmark = pytest.mark.usefixtures("figures_not_drawn")


def test_the_section_has_the_answer_a_picture_and_the_ranking(findings):
    section = answer_section(findings, canvas.colour_of(findings.networks))
    assert section.headline == (
        "Only one network was compared with the simulated observers in each of 2 conditions, so networks are not "
        "ranked."
    )
    assert [item.split(",")[0] for item in section.items] == ["In color", "In blur"]
    assert [figure.drawing.name for figure in section.figures] == ["overview"]
    assert len(section.figures[0].drawing.panels) == 2
    assert section.tables[0][2] == "ranking"


def test_the_only_condition_is_stated_once(findings):
    rows = [row for row in findings.rows if row.condition == "color"]
    one = Findings(findings.evaluations[:1], findings.group, rows, [], Exits.INDEX)
    section = answer_section(one, canvas.colour_of(one.networks))
    assert section.headline.startswith("In color, color is the only network")
    assert section.headline not in section.items[0]


def test_without_humans_there_is_no_answer(findings):
    alone = Findings(findings.evaluations, None, [], [], Exits.INDEX)
    assert answer_section(alone, canvas.colour_of(alone.networks)) is None
