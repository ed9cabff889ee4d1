"""HTML of the page: escaping, numbering, links."""

import re

from convrnn_experiments.report.canvas import Drawing
from convrnn_experiments.report.html import Figure, Section, render


def drawing(name):
    return Drawing(name, b"png", b"pdf", (b"a", b"b"), 300, 200)


def test_text_is_escaped_and_figures_are_numbered():
    figures = [Figure(drawing(name), "1 < 2", ["<one>", "two"], ["table"]) for name in ("first", "second")]
    sections = [
        Section("A & B", ["x < y"], figures[:1]),
        Section("C", figures=figures[1:], html="<b>bold</b>"),
    ]
    page = render("T <1>", ["lead"], "", sections)
    assert "<h1>T &lt;1&gt;</h1>" in page
    assert "<p>x &lt; y</p>" in page
    assert "alt='&lt;one&gt;'" in page
    assert "<b>bold</b>" in page
    assert re.findall(r"Figure (\d)\.", page) == ["1", "2"]
    assert "class='warning'" not in page
    for link in ("figures/first.png", "figures/second.pdf", "tables/table.csv"):
        assert f"href='{link}'" in page


def test_warnings_and_photographs_are_marked():
    figure = Figure(drawing("photo"), "", ["", ""], photographs=True)
    page = render("T", [], "Simulated & drawn", [Section("S", figures=[figure])])
    assert "<p class='warning' role='note'>Simulated &amp; drawn</p>" in page
    assert page.count("data:image/webp;base64") == 2
    assert "class='photo'" in page


def test_tables_link_to_their_csv_files():
    page = render("T", [], "", [Section("S", tables=[([{"a": "x", "b": 1}], 1, "numbers")])])
    assert "<td data-label='a'><span>x</span></td>" in page
    assert "<td class=number data-order='1' data-label='b'><span>1</span></td>" in page
    assert "href='tables/numbers.csv'" in page
