"""Tables as CSV, Markdown and HTML."""

import pandas as pd
import pytest

from convrnn_experiments.report import formats
from convrnn_experiments.statistics.intervals import UNDEFINED, Estimate


def test_tables_are_written_in_three_formats():
    table = [{"a": "x|y", "b": 1.23456789}, {"a": "<z>", "b": float("nan")}]
    assert formats.as_csv(table) == b"a,b\nx|y,1.23457\n<z>,\n"
    assert "x\\|y" in formats.as_markdown(table)
    assert "&lt;z&gt;" in formats.as_html(table)
    assert list(pd.DataFrame(table)) == ["a", "b"]


def test_cells_are_formatted_for_reading():
    assert formats.with_interval(Estimate(71.44, 66.2, 75.9)) == "71.4 [66.2, 75.9]"
    assert formats.with_interval(Estimate(-0.04, -1, 1)) == "0.0 [-1.0, 1.0]"
    assert formats.with_interval(Estimate(0.5, 0, 1), 2, interval=False) == "0.50"
    assert formats.with_interval(UNDEFINED) == "–"
    assert [formats.plain(value) for value in (1.25, 1234, "", float("nan"), "x")] == [
        "1.2",
        "1,234",
        "–",
        "–",
        "x",
    ]


def test_a_table_is_transposed_by_its_key():
    table = [{"name": "a", "some_count": 1}, {"name": "b", "some_count": 2000}]
    assert formats.transposed(table, "name") == [{"name": "some count", "a": "1", "b": "2,000"}]
    assert formats.transposed([], "name") == []


@pytest.mark.parametrize(
    ("cell", "order"),
    [("-3.1 [-4.0, -2.2]", "-3.1"), ("1,234", "1234"), ("–", ""), ("", ""), ("12 images", "12"), ("2x", "")],
)
def test_scripts_sort_by_the_number_without_its_interval(cell, order):
    html = formats.as_html([{"name": "1", "value": cell}], text=1)
    assert f"<td class=number data-order='{order}' data-label='value'>" in html
    assert "<td data-label='name'>" in html
