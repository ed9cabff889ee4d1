"""Tables as CSV, Markdown and HTML. Every number in a figure is in one of the CSV tables."""

import csv
import html
import io
import math
import re
from typing import Any

import numpy as np

from convrnn_experiments.statistics.intervals import Estimate

Table = list[dict[str, Any]]
"""Rows that all have the same columns."""

DASH = "–"


def as_csv(table: Table) -> bytes:
    """Format a header and a line per row; NaN is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if table:
        writer.writerow(table[0])
        writer.writerows([_csv_cell(value) for value in row.values()] for row in table)
    return text.getvalue().encode("utf-8")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def as_markdown(table: Table) -> str:
    """Format a pipe table whose columns after the second are right-aligned."""
    head = list(table[0])
    rows = [[str(value).replace("|", "\\|") for value in row.values()] for row in table]
    align = ["---" if index < 2 else "---:" for index in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, align, *rows)) + "\n"


def as_html(table: Table, *, text: int = 2) -> str:
    """Format a table whose first `text` columns are words; on a narrow page each row becomes a card."""
    head = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in table[0])
    body = []
    for row in table:
        cells = [
            f"<td{'' if index < text else _number(str(value))} data-label='{html.escape(name, quote=True)}'>"
            f"{_html_cell(str(value))}</td>"
            for index, (name, value) in enumerate(row.items())
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f"<div class='table'><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"


def _number(text: str) -> str:
    """Return the attributes of a cell with a number, by which scripts sort: the number without its interval."""
    found = re.match(r"-?[\d,]+(\.\d+)?(?![^\s%])", text)
    return f" class=number data-order='{found[0].replace(',', '') if found else ''}'"


def _html_cell(text: str) -> str:
    """Put an interval on a separate line."""
    value, bracket, interval = text.partition(" [")
    small = f" <small>[{html.escape(interval)}</small>" if bracket else ""
    return f"<span>{html.escape(value)}{small}</span>"


def with_interval(estimate: Estimate, digits: int = 1, *, interval: bool = True) -> str:
    """Format `71.4 [66.2, 75.9]`, or the value alone without `interval`; a dash for NaN."""
    value, low, high = (fixed(number, digits) for number in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]" if interval and not math.isnan(estimate.value) else value


def fixed(number: float, digits: int = 1) -> str:
    """Round a number without a negative zero; a dash for NaN."""
    return DASH if math.isnan(number) else f"{round(number, digits) + 0.0:.{digits}f}"


def whole(number: float) -> int | float:
    """Round to an integer; NaN, an empty cell in CSV, is unchanged."""
    return number if math.isnan(number) else round(number)


def plain(value: object) -> str:
    """Format a cell for reading: floats with one decimal, integers with thousands separators, a dash for no value."""
    if isinstance(value, float):
        return fixed(value)
    return f"{value:,}" if isinstance(value, int) else str(value or DASH)


def transposed(table: Table, key: str) -> Table:
    """Swap rows and columns for reading. The new columns are named by the values of `key`."""
    return [
        {key: name.replace("_", " ")} | {str(row[key]): plain(row[name]) for row in table}
        for name in (table[0] if table else ())
        if name != key
    ]


def ends(estimate: Estimate) -> dict[str, float]:
    """Return the columns of an interval."""
    return {"low": estimate.low, "high": estimate.high}
