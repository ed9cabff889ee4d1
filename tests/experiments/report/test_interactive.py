"""Interactive part of the page: libraries, the section with the chart, scripts."""

import json
import re

import pytest

from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.report import canvas, interactive
from convrnn_experiments.report.findings import Findings

FAKE = interactive.Libraries("window.vega = '</script>';", "export default class {}")


def section_of(findings, libraries=FAKE):
    return interactive.explore_section(findings, canvas.colour_of(findings.networks), libraries)


def spec_of(section):
    return json.loads(re.search(r"id='explore-spec'>(.*?)</script>", section.html, re.DOTALL)[1])


def test_the_chart_starts_with_the_choices_of_the_page(findings):
    changed = Findings(findings.evaluations, findings.group, findings.rows, [], Exits.AFFINE_COST)
    for given in (findings, changed):
        params = {one["name"]: one for one in spec_of(section_of(given))["params"]}
        assert params["condition"]["value"] == "color"
        assert params["misses"]["value"] == "chance"
        assert params["exits"]["value"] == given.match
        assert given.match in params["exits"]["bind"]["options"]


def test_equal_findings_give_equal_html_without_tags_in_names(findings):
    section = section_of(findings)
    assert section == section_of(findings)
    assert "<b>" not in section.html.partition("explore-spec")[2]
    assert "blur <b>" in json.dumps(spec_of(section))


def test_without_the_extra_the_page_says_so(findings, monkeypatch):
    monkeypatch.setattr(interactive, "EXTRA", ("vl_convert", "no_such_module"))
    assert interactive.libraries() is None
    assert "extra `interactive`" in section_of(findings, None).paragraphs[0]
    assert interactive.scripts(None, chart=True) == ""


def test_without_humans_there_is_no_chart(findings):
    alone = Findings(findings.evaluations, None, [], [], Exits.INDEX)
    assert section_of(alone) is None
    assert "window.vega" not in interactive.scripts(FAKE, chart=False)


def test_a_library_cannot_end_its_script():
    text = interactive.scripts(FAKE, chart=True)
    assert text.count("</script>") == text.count("<script") == 2
    assert "TABLES_MODULE" not in text


def test_the_libraries_are_those_of_the_packages():
    pytest.importorskip("vl_convert", reason="the extra `interactive` is not installed")
    pytest.importorskip("itables", reason="the extra `interactive` is not installed")
    found = interactive.libraries()
    assert "vegaEmbed" in found.vega
    assert "DataTable" in found.tables
    assert len(found.vega) + len(found.tables) * 4 / 3 < 3e6
