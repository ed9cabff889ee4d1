"""Networks compared with humans: values against the plain definitions, and results with known answers."""

import shutil

import numpy as np
import pytest

from convrnn_data import list_stimuli
from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.statistics import measures
from convrnn_experiments.statistics.means import mean_over


def test_each_level_and_all_levels_have_a_row(rows):
    assert [row.condition for row in rows] == ["blur 0", "blur 3", "blur 9", "blur (all levels)"]
    assert [row.pooled for row in rows] == [False, False, False, True]
    assert all(set(row.estimates) == {measure.key for measure in MEASURES} for row in rows)


def test_values_equal_the_plain_measures(rows):
    """Compare estimates computed with covariances with the plain definitions."""
    for row in rows[:3]:
        answers, observers = row.answers, row.observers
        network_curve = [answers.right[answers.blocks == block, block].mean() * 100 for block in range(5)]
        human_curve = [
            100 * mean_over(np.array([_mean(scores[answers.blocks == block]) for scores in observers.scores]))
            for block in range(5)
        ]
        np.testing.assert_allclose([one.value for one in row.network], network_curve)
        np.testing.assert_allclose([one.value for one in row.human], human_curve)
        np.testing.assert_allclose(
            [one.value for one in row.difference], np.subtract(network_curve, human_curve)
        )
        found = {name: estimate.value for name, estimate in row.estimates.items()}
        assert found["sat_rmse_raw"] == pytest.approx(measures.sat_rmse(network_curve, human_curve))
        assert found["sat_rmse"] <= found["sat_rmse_raw"]
        slopes = (
            measures.steepness(np.arange(8), 100 * answers.right.mean(axis=0)),
            measures.steepness([500, 900, 1100, 1300, 1500], human_curve),
        )
        assert found["steepness_network"] == pytest.approx(slopes[0])
        assert found["steepness_people"] == pytest.approx(slopes[1])
        assert found["steepness_difference"] == pytest.approx(slopes[0] - slopes[1])
        at_exit = answers.right[np.arange(len(answers.labels)), answers.blocks]
        profiles = [
            [100 * at_exit[answers.labels == label].mean() for label in range(16)],
            [
                100
                * mean_over(np.array([_mean(scores[answers.labels == label]) for scores in observers.scores]))
                for label in range(16)
            ],
        ]
        assert found["category_correlation_raw"] == pytest.approx(measures.category_correlation(*profiles))
        kappas = []
        for observer in observers.correct:
            by_block = []
            for block in range(5):
                known = (answers.blocks == block) & ~np.isnan(observer)
                by_block.append(measures.error_consistency(at_exit[known], observer[known]))
            kappas.append(mean_over(by_block))
        assert found["error_consistency"] == pytest.approx(float(mean_over(kappas)))


def _mean(scores):
    known = scores[~np.isnan(scores)]
    return known.mean() if len(known) else np.nan


def test_intervals_contain_their_values(rows):
    without = {measure.key for measure in MEASURES if not measure.interval}
    for row in rows:
        for name, found in row.estimates.items():
            if name in without:
                assert np.isnan([found.low, found.high]).all(), name
            elif np.isfinite(found.value):
                assert found.low <= found.value <= found.high, name


def test_a_network_that_copies_an_observer_agrees_with_them(tmp_path, make_run, human_data):
    """Copy the answers of the only observer: the errors are the same."""
    one = human_data / "jatos_results_color_gray.txt"
    alone = tmp_path / "answers"
    alone.mkdir()
    (alone / "jatos_results_1.txt").write_text(one.read_text().splitlines()[0] + "\n")
    stimuli = sorted(
        (s for s in list_stimuli(human_data) if s.regime == "color"), key=lambda s: (s.label, str(s.parsed))
    )
    table = read_observer_group(alone, misses="wrong").table.set_index(["block", "file_name"])["correct"]
    right = np.array([[bool(table.get((s.block, s.name), False))] * 5 for s in stimuli])
    run = make_run(tmp_path / "copy", "color", human_data, steps=5, right=right)
    (row,) = compare(read_evaluations([run]), read_observer_group(alone, misses="wrong"))
    assert (row.observers.correct[0] == row.answers.right[:, 0]).all()
    assert row.estimates["error_consistency"].value == pytest.approx(1)
    assert np.isnan(row.estimates["error_consistency_people"].value)  # one observer has no pair
    assert np.isnan(row.estimates["error_consistency"].low)  # nor an interval


def test_the_order_of_rows_does_not_matter(tmp_path, blur, human_data, rows):
    shuffled = tmp_path / "blur"
    shutil.copytree(blur, shuffled)
    path = shuffled / "evaluation/blur/predictions.csv"
    header, *lines = path.read_text().splitlines()
    order = np.random.default_rng(0).permutation(len(lines))
    path.write_text("\n".join([header, *(lines[i] for i in order)]) + "\n")
    rows_after = compare(read_evaluations([shuffled]), read_observer_group(human_data))
    for before, after in zip(rows, rows_after, strict=True):
        for name in before.estimates:
            # Halves of images depend on their positions in the file.
            if not name.startswith("response_time") and name != "sat_rmse_affine":
                np.testing.assert_allclose(
                    before.estimates[name].value, after.estimates[name].value, rtol=1e-5, err_msg=name
                )


def test_processes_give_the_same_comparisons(blur, human_data, rows):
    evaluations = read_evaluations([blur])
    elsewhere = compare(evaluations, read_observer_group(human_data), workers=2)
    assert [row.condition for row in elsewhere] == [row.condition for row in rows]
    assert all(row.evaluation is evaluations[0] for row in elsewhere)
    for one, other in zip(rows, elsewhere, strict=True):
        assert repr(one.estimates) == repr(other.estimates)  # NaN is equal to itself here
        assert repr(one.network) == repr(other.network)


def test_answers_to_other_images_are_refused(tmp_path, make_run, human_data):
    run = make_run(tmp_path / "noise", "noise", human_data)
    answers = tmp_path / "answers"
    answers.mkdir()
    text = (human_data / "jatos_results_blur.txt").read_text()
    (answers / "jatos_results_1.txt").write_text(text)
    with pytest.raises(ConvRNNError, match="stimuli that these observers answered, got none"):
        compare(read_evaluations([run]), read_observer_group(answers))
