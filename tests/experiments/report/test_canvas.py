"""Sheets of panels, and the colours of networks."""

import io

import numpy as np
import pytest
from PIL import Image

from convrnn_experiments.report import canvas


def size_of(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


@pytest.mark.parametrize(("cells", "columns"), [(1, 1), (3, 3), (5, 3)])
def test_a_sheet_is_cut_into_its_cells(cells, columns):
    with canvas.style():
        sheet = canvas.Sheet(cells, (1.5, 1.0), columns=3)
        for cell in range(cells):
            axis = sheet.axes(cell, canvas.Margins())
            axis.imshow(np.full((2, 2), cell))
        drawing = sheet.draw("test")
    rows = -(-cells // columns)
    assert size_of(drawing.png) == (columns * 300, rows * 200)
    assert [size_of(panel) for panel in drawing.panels] == [(300, 200)] * cells
    assert drawing.pdf.startswith(b"%PDF")


def test_panels_of_plots_keep_white_and_their_colours():
    with canvas.style():
        sheet = canvas.Sheet(1, (1.5, 1.0))
        axis = sheet.axes(0, canvas.Margins())
        axis.fill_between([0, 1], 0, 1, color=canvas.NETWORKS[0], alpha=0.2)
        axis.plot([0, 1], color=canvas.NETWORKS[1], linewidth=5)
        drawing = sheet.draw("test")
    whole, panel = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)
        for data in (drawing.png, drawing.panels[0])
    )
    assert ((whole == 255).all(axis=2) == (panel == 255).all(axis=2)).mean() > 0.98
    assert (panel[0, 0] == 255).all()
    assert np.abs(whole - panel).max() <= 16
    assert len(drawing.panels[0]) < len(drawing.png)


def test_each_network_has_its_own_colour():
    colours = canvas.colour_of(["a", "b", "a", "c"])
    assert list(colours) == ["a", "b", "c"]
    assert len(set(colours.values())) == 3
    assert canvas.HUMANS not in {colour for colour, _ in colours.values()}
