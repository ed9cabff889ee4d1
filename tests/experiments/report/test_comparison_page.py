"""The comparison as a Markdown page with notes."""

from dataclasses import replace

from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.exits import MEANING, Exits
from convrnn_experiments.report.comparison_page import comparison_markdown, notes
from convrnn_experiments.report.comparison_tables import ONLY_IN_FILES


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
    assert page.count("| network | condition |") == 4
    for measure in MEASURES:
        assert (measure.label in page.split("\n- ")[0]) == (measure.key not in ONLY_IN_FILES)
    assert "Agreement among observers" in page
    assert "Missed trials (%)" in page
    assert "Differences between networks" not in page  # one network per condition


def test_equal_numbers_of_images_are_stated_once(findings):
    first, *others = findings.rows
    twin = replace(first, evaluation=replace(first.evaluation, network="twin"))
    fewer = replace(twin, shared=replace(first.shared, not_answered=first.shared.not_answered + 7))

    def images(rows):
        (note,) = [note for note in notes(rows, findings.group, Exits.INDEX) if note.startswith("Images:")]
        return note

    assert images([first, twin, *others]) == images([first, *others])
    assert f"color (color): {first.image_count:,} images" in images([first, fewer])
    assert f"color (twin): {first.image_count:,} images" in images([first, fewer])
