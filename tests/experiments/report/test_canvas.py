"""Pictures: cells of equal size, the same bytes each time, and what they are made of."""

import io

import numpy as np
import pytest
from PIL import Image

from convrnn_data.sample.simulated_observers import CURVES
from convrnn_experiments.comparison import satbench
from convrnn_experiments.comparison.curves import curves_by_condition
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import canvas, sat_plots
from convrnn_experiments.report.example_images import examples, read_image


def size_of(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


@pytest.mark.parametrize(("cells", "columns"), [(1, 1), (3, 3), (5, 3)])
def test_a_sheet_is_cut_into_its_cells(cells, columns):
    with canvas.style():
        sheet = canvas.Sheet(cells, (1.5, 1.0), columns=3)
        for cell in range(cells):
            axis = sheet.axes(cell, canvas.Margins())
            axis.imshow(np.full((2, 2), cell))
        picture = sheet.draw("test")
    rows = -(-cells // columns)
    assert size_of(picture.png) == (columns * 300, rows * 200)
    assert [size_of(panel) for panel in picture.panels] == [(300, 200)] * cells
    assert picture.pdf.startswith(b"%PDF")


def test_colours_are_of_networks_and_stay():
    colours = canvas.colour_of(["a", "b", "a", "c"])
    assert list(colours) == ["a", "b", "c"]
    assert len(set(colours.values())) == 3
    assert canvas.HUMANS not in {colour for colour, _ in colours.values()}


def test_observers_are_simulated_after_the_published_figure():
    people = [one for one in satbench.CURVES if (one.who, one.source) == ("people", "figure")]
    assert len(people) == 6
    for curve in people:
        regime, _, level = curve.condition.partition(" ")
        experiment, key = {"color": ("color_gray", "c"), "grayscale": ("color_gray", "g")}.get(
            regime, (regime, level)
        )
        np.testing.assert_allclose(curve.percent, CURVES[experiment][key])


def test_published_curves_name_source_and_convention():
    for curve in satbench.CURVES:
        assert len(curve.percent) == len(curve.error) == 5
        if curve.who == "people":
            assert (curve.source, curve.misses) in {("figure", "random"), ("notebook", "wrong")}
        else:
            assert (curve.source, curve.misses) == ("figure", None)


@pytest.mark.parametrize(
    ("misses", "expected"),
    [
        ("chance", [("people", "figure", 36.5), ("ConvRNN", "figure", 4.3)]),
        ("random", [("people", "figure", 36.5), ("ConvRNN", "figure", 4.3)]),
        ("wrong", [("people", "notebook", 35.6), ("ConvRNN", "figure", 4.3)]),
        ("answered", [("ConvRNN", "figure", 4.3)]),
    ],
)
def test_only_curves_of_the_same_convention_are_comparable(misses, expected):
    found = satbench.comparable("blur 9", misses)
    assert [(curve.who, curve.source, curve.percent[-1]) for curve in found] == expected
    assert satbench.comparable("blur 7", misses) == []


@pytest.mark.parametrize(("misses", "people"), [("chance", 0), ("wrong", 1)])
def test_the_plot_draws_the_notebook_only_where_misses_are_wrong(misses, people):
    """The first two blocks of blur 0 were not read: the line has a gap, not a zero."""
    with canvas.style():
        axis = canvas.Sheet(1, (2, 2), columns=1).axes(0, canvas.Margins())
        sat_plots._published(axis, "blur 0", misses, np.arange(1.0, 6))
    assert len(axis.lines) == people
    for line in axis.lines:
        assert np.isnan(line.get_ydata()[:2]).all()
        assert line.get_label() == "humans, notebook ±0.3"


def test_examples_change_and_are_of_many_categories(tmp_path, seen, make_run):
    (one,) = read_evaluations([make_run(tmp_path / "color", "color", seen)])
    chosen = examples(one)
    assert len({example.label for example in chosen}) == len(chosen) == 6
    ways = {(bool(e.answers[0] == e.label), bool(e.answers[-1] == e.label)) for e in chosen}
    assert {(False, True), (True, False)} <= ways
    assert all(len(set(example.answers.tolist())) > 1 for example in chosen)


def test_images_are_found_in_files_and_in_tars(tmp_path, prepared):
    table = prepared.table("val")
    image = read_image(f"{table.shards[0]}#{table.keys[0]}.jpg")
    assert image is not None
    assert image.size == (table.widths[0], table.heights[0])
    assert read_image(f"{table.shards[0]}#nothing.jpg") is None
    assert read_image(str(tmp_path / "nothing.JPEG")) is None


def test_curves_of_a_feedforward_network_and_without_people(tmp_path, seen, make_run):
    found = read_evaluations([make_run(tmp_path / "color", "color", seen, steps=1)])
    panels = curves_by_condition(found, [])
    with canvas.style():
        colours = canvas.colour_of(["color"])
        for cost in (False, True):
            picture = sat_plots.sat_curves(panels, colours, "people", cost=cost, misses=None)
            assert len(picture.panels) == 1
