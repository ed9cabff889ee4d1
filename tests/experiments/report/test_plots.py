"""Figures of the report: panels, and file names."""

import numpy as np
import pytest

from convrnn_experiments.report import canvas, plots


@pytest.fixture(scope="module")
def colours(findings):
    return canvas.colour_of([evaluation.network for evaluation in findings.evaluations])


def test_a_panel_per_comparison(findings, colours):
    with canvas.style():
        scatter = plots.category_scatter(findings.pooled, colours, "humans")
        heatmaps = plots.consistency_heatmaps(findings.pooled, "humans")
        times = plots.response_times(plots.time_panels(findings.timed), colours, "humans")
    assert len(scatter.panels) == len(heatmaps.panels) == len(findings.pooled)
    assert len(times.panels) == 2 * len(findings.pooled)


def test_humans_on_the_same_images_have_one_panel_of_response_times(findings):
    panels = plots.time_panels(findings.timed * 2)
    names = [evaluation.name for evaluation, _, _ in findings.timed]
    assert [evaluation.name for evaluation, _ in panels] == [name for name in names for _ in range(3)]
    assert [shown is row for (_, row, _), (_, shown) in zip(findings.timed, panels[::3], strict=True)] == [
        True
    ] * 2
    assert panels[1][1] is panels[2][1] is findings.timed[0][2]


def test_confusions_have_three_steps_of_a_network_and_three_blocks_of_humans(findings):
    evaluation, row = findings.pairs[0]
    alone, compared = (plots.network_confusions(one, evaluation) for one in (None, row))
    assert list(alone) == list(compared)
    last = evaluation.answers.answers.shape[1]
    assert [title.split()[-1] for title in alone] == ["1", str((last - 1) // 3 + 1), str(last)]
    assert {counts.sum() for counts in compared.values()} == {len(row.answers.labels)}
    human = plots.human_confusions(row, "humans")
    assert list(human) == ["humans: RT 1", "humans: RT 3", "humans: RT 5"]
    answered = row.observers.answers[:, row.answers.blocks == 2] >= 0
    assert human["humans: RT 3"].sum() == answered.sum()
    with canvas.style():
        drawing = plots.confusions(human, "people")
    assert (drawing.name, len(drawing.panels)) == ("people", 3)


def test_the_names_of_the_categories_are_beside_their_rows_and_columns():
    wide, high = 160.0, 128.0
    outlines = plots._category_outlines(wide, high).to_polygons()
    boxes = np.array([[*points.min(axis=0), *points.max(axis=0)] for points in outlines])
    left, below = boxes[boxes[:, 2] < 0], boxes[boxes[:, 3] < 0]
    assert len(left) + len(below) == len(boxes)
    for centres, step in ((high - left[:, [1, 3]].mean(axis=1), high), (below[:, [0, 2]].mean(axis=1), wide)):
        cells = np.floor(centres / step * 16)
        assert set(cells) == set(range(16))
        letters = [sum(cells == place) for place in range(16)]
        assert letters[2] > letters[6]  # bicycle, car


def test_file_names_are_valid(findings):
    assert plots.file_name(findings.evaluations[1]) == "blur__b__on_blur"


def test_labels_take_the_side_with_the_least_overlap():
    assert plots._overlap((0, 0, 2, 2), (1, 1, 3, 3)) == 1
    assert plots._overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0
    assert plots._limits(np.array([50.0, 60.0])) == (46.0, 64.0)
    assert plots._limits(np.array([0.0, 100.0])) == (-3.0, 103.0)
