"""The comparison as a Markdown page with notes."""

from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.exits import MEANING, Exits
from convrnn_experiments.report.comparison_page import comparison_markdown, notes


def test_notes_explain_every_measure_and_the_match(findings):
    listed = notes(findings.rows, findings.group, Exits.INDEX)
    for measure in MEASURES:
        assert f"{measure.label} ({measure.unit}): {measure.meaning}." in listed
    assert f"Exits, 'index': {MEANING[Exits.INDEX]}." in listed
    assert listed[0].startswith("Observers: 4 in color, 4 in blur; SIMULATED observers")
    assert any(note.startswith("Affine time, fitted to all images: color, color: RT 1-5") for note in listed)


def test_the_page_has_its_tables_and_notes(findings):
    page = comparison_markdown(findings.rows, findings.group, Exits.INDEX, findings.differences)
    assert page.startswith("# Networks and simulated observers\n")
    assert page.count("| network | condition |") == 3
    assert "Agreement among observers" in page
    assert "Missed trials (%)" in page
    assert "Differences between networks" not in page  # one network per condition
