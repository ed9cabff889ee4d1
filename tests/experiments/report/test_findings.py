"""Findings of a report and their tables."""

import pytest

from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.report.findings import Findings


def test_every_evaluation_has_its_comparison_over_all_levels(findings):
    assert [row.condition for _, row in findings.pairs] == ["color", "blur (all levels)"]
    assert all(row.evaluation is evaluation for evaluation, row in findings.pairs)
    assert [(evaluation, row) for evaluation, row, _ in findings.timed] == findings.pairs
    assert findings.noun == "simulated observers"


def test_networks_alone_have_fewer_tables(findings):
    alone = Findings(findings.evaluations, None, [], [], Exits.INDEX)
    assert [row for _, row in alone.pairs] == [None, None]
    assert alone.noun == "humans"
    assert set(alone.tables()) == {
        "accuracy",
        "confusion_networks",
        "response_times_networks",
        "runs",
        "seeds",
        "over_time",
        "threshold_sweeps",
    }
    assert set(alone.tables()) < set(findings.tables())


@pytest.mark.parametrize("name", ["comparison", "curves", "categories", "misses", "trials_people"])
def test_rows_of_a_table_have_the_same_columns(findings, name):
    table = findings.tables()[name]
    assert len({tuple(row) for row in table}) == 1
