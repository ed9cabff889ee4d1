"""Picture of the answer."""

import numpy as np
import pytest

from convrnn_experiments.report import canvas
from convrnn_experiments.report.overview_plot import overview


@pytest.fixture
def drawn(monkeypatch):
    sheets = []

    def draw(sheet, name, **_):
        sheets.append(sheet)
        return canvas.Drawing(name, b"", b"", (b"",) * sheet.cells, 1, 1)

    monkeypatch.setattr(canvas.Sheet, "draw", draw)
    return sheets


def test_curves_and_distances_are_those_of_the_comparison(findings, drawn):
    rankings = [one for one in findings.rankings if one.pooled]
    drawing = overview(rankings, canvas.colour_of(findings.networks))
    assert len(drawing.panels) == 2
    (sheet,) = drawn
    curves, distances = sheet.figure.axes[:2]
    row = rankings[0].first.row
    lines = [line.get_ydata() for line in curves.get_lines()]
    for estimates in (row.human, row.network):
        expected = [estimate.value for estimate in estimates]
        assert any(len(line) == 5 and np.allclose(line, expected) for line in lines)
    interval, value = (np.atleast_1d(line.get_xdata()) for line in distances.get_lines()[:2])
    estimate = row.estimates["sat_rmse"]
    np.testing.assert_allclose([*interval, *value], [estimate.low, estimate.high, estimate.value])
    assert [text.get_text() for text in distances.texts] == ["1. color"]
    assert distances.get_xlim()[1] > estimate.high
