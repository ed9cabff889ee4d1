"""Speed-accuracy curves by condition."""

import numpy as np
import pytest

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.curves import curves_by_condition
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.evaluation.results import read_evaluations


def test_each_level_has_a_panel_with_the_curve_on_compared_images(blur, rows):
    evaluations = [rows[0].evaluation]
    panels = curves_by_condition(evaluations, rows)
    assert [panel.title for panel in panels] == ["blur 0", "blur 3", "blur 9"]
    for panel, row in zip(panels, rows, strict=False):
        (curve,), (compared,) = panel.networks, panel.rows
        assert compared is row
        assert curve.images == row.image_count
        accuracy = [estimate.value for estimate in curve.accuracy]
        np.testing.assert_allclose(accuracy, 100 * row.answers.right.mean(axis=0))


def test_without_humans_curves_are_over_all_images(tmp_path, make_run, human_data):
    paths = [make_run(tmp_path / name, "color", human_data, seed=seed) for seed, name in enumerate("ab")]
    evaluations = read_evaluations(paths)
    (panel,) = curves_by_condition(evaluations, [])
    assert [curve.network for curve in panel.networks] == ["a", "b"]
    assert panel.rows == []
    assert panel.networks[0].images == len(evaluations[0].answers.labels)
    (panel,) = curves_by_condition(evaluations, compare(evaluations, read_observer_group(human_data)))
    assert len(panel.rows) == 2
    assert panel.networks[0].accuracy[0].value == pytest.approx(
        100 * panel.rows[0].answers.right[:, 0].mean()
    )
