"""Tables about networks."""

import numpy as np
import pytest

from convrnn_experiments.report import network_tables


def test_accuracies_equal_the_results(findings):
    table = network_tables.accuracies(findings.evaluations)
    blur = [row for row in table if row["test_set"] == "blur"]
    assert {row["level"] for row in blur} == {"0", "3", "9", "all"}
    overall = [row["accuracy_percent"] for row in blur if row["level"] == "all"]
    assert overall == findings.evaluations[1].accuracy.percent
    wide = network_tables.accuracy_wide(findings.evaluations)
    assert [row["level"] for row in wide if row["test set"] == "blur"] == ["0", "3", "9", "all"]
    assert {len(row) for row in wide} == {3 + 8}  # blur has 3 time steps, padded to the 8 of color


def test_confusions_sum_to_the_images_of_each_time_step(findings):
    table = network_tables.confusions(findings.pairs)
    for evaluation, row in findings.pairs:
        cells = [cell for cell in table if cell["network"] == evaluation.network]
        first = sum(cell["count"] for cell in cells if cell["time_step"] == 1)
        assert first == row.image_count
    assert all(cell["low"] <= cell["percent_of_category"] <= cell["high"] for cell in table)


def test_response_times_sum_to_all_images(findings):
    for evaluation, _, times in findings.timed:
        table = network_tables.response_times(evaluation, times)
        assert sum(row["images"] for row in table) == len(times.steps)
        assert sum(row["percent"] for row in table) == pytest.approx(100)
        assert table[-1]["time_step"] == "never"
        assert table[-1]["images"] == np.isnan(times.steps).sum()


def test_provenance_names_commands_and_versions(findings):
    facts = {row["what"]: row["value"] for row in network_tables.provenance(findings.evaluations[:1])}
    assert facts["trained by"] == "convrnn train data --perturb color"
    assert facts["version: keras"] == "3.0"
    assert facts["config: perturb"] == "color"
