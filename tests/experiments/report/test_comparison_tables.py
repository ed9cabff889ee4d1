"""Tables of the comparison."""

import numpy as np

from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.report import comparison_tables


def test_the_table_has_a_row_per_network_condition_and_measure(findings):
    table = comparison_tables.comparison(findings.rows, findings.group, Exits.INDEX)
    assert len(table) == len(findings.rows) * len(MEASURES)
    assert {row["matched_steps"] for row in table if row["condition"] == "color"} == {"1 2 3 4 5"}
    assert {row["matched_steps"] for row in table if row["condition"] == "blur 0"} == {"1 2 3 3 3"}
    wide = comparison_tables.comparison_wide(findings.rows, comparison_tables.CURVES)
    assert {len(row) for row in wide} == {2 + len(comparison_tables.CURVES)}


def test_compared_images_add_up_to_those_tested(findings):
    for row in comparison_tables.compared(findings.rows):
        parts = row["images_compared"], row["not_shown_to_people"], row["answered_by_nobody"]
        assert row["images_tested"] == sum(parts)


def test_every_compared_image_is_listed_once(findings):
    table = comparison_tables.network_images(findings.rows)
    for row in findings.pooled:
        names = [image["file_name"] for image in table if image["condition"] == row.condition]
        assert len(names) == row.image_count


def test_consistency_lists_every_pair_of_raters(findings):
    table = comparison_tables.consistency(findings.pooled)
    for row in findings.pooled:
        pairs = [pair for pair in table if pair["condition"] == row.condition]
        raters = 1 + row.observer_count
        assert len(pairs) == raters * (raters - 1) / 2
        assert pairs[0]["one"] == row.evaluation.network
    assert all(pair["low"] <= pair["high"] for pair in table if np.isfinite(pair["low"]))
