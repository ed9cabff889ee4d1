"""The plan of an experiment as a table."""

import csv

from convrnn_experiments.comparison.options import ComparisonOptions, PowerOptions
from convrnn_experiments.report.power_table import write_plan


def test_the_plan_is_a_table_with_notes(runs, human_data, tmp_path):
    text = write_plan(runs, human_data, tmp_path / "plan.csv", PowerOptions(), ComparisonOptions())
    lines = text.splitlines()
    assert lines[0].startswith("| condition | difference | measure | in the data (points) |")
    assert any(line.startswith("| color | color − humans | accuracy |") for line in lines)
    assert "- The observers are SIMULATED: their variances say nothing about humans." in lines
    assert "differences hold for these trained networks" in text
    rows = list(csv.DictReader((tmp_path / "plan.csv").read_text().splitlines()))
    assert {row["reference"] for row in rows} == {"humans"}
    assert all(float(row["smallest"]) > 0 for row in rows)
