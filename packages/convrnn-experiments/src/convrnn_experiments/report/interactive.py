"""Interactive part of the report: libraries in the page itself, a chart with controls, and tables to sort and filter.

Vega-Lite draws the chart and DataTables serves the tables. Both come from the packages of the extra `interactive`; the
page is static without them. Nothing is requested from the network.
"""

import base64
import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources, util

from convrnn_experiments.comparison.choices import EXITS, MISSES, Choice, choices
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.report import plots
from convrnn_experiments.report.explore_chart import explore_chart
from convrnn_experiments.report.findings import Findings
from convrnn_experiments.report.html import Section
from convrnn_experiments.rows.accuracies import REASON

EXTRA = ("itables", "vl_convert")
"""Modules of the extra `interactive`."""
TITLE = "Choose"
_STATIC = (
    "This page was written without the packages of the extra `interactive` of convrnn-experiments, so its figures have "
    "no controls and its tables cannot be sorted."
)


@dataclass(frozen=True)
class Libraries:
    """JavaScript of the page.

    Attributes:
        vega: Bundle of Vega, Vega-Lite and Vega-Embed, which defines `vegaEmbed`.
        tables: Module whose default export is DataTables.
    """

    vega: str
    tables: str


def libraries() -> Libraries | None:
    """Read the libraries; None if the extra is not installed."""
    if any(util.find_spec(name) is None for name in EXTRA):
        return None
    import vl_convert
    from itables.utils import read_package_file

    bundle: Callable[[], str] = vl_convert.javascript_bundle  # type: ignore[assignment]  # its stub requires a snippet
    return Libraries(bundle(), read_package_file("html", "dt_bundle.js"))


def explore_section(
    findings: Findings, colours: plots.Colours, available: Libraries | None, *, seed: int = 0
) -> Section | None:
    """Write the section with the chart and its controls; None without humans.

    Args:
        findings: Results to present.
        colours: Colour and marker of each network.
        available: Libraries; without them, the section states that they are missing.
        seed: Seed of the resampling.
    """
    if not findings.rows:
        return None
    if available is None:
        return Section(TITLE, [_STATIC])
    results = _results(findings, seed)
    first = next((one for one in findings.rankings if one.pooled), None)
    condition = findings.rows[0].condition if first is None else first.condition
    misses = "" if findings.group is None else findings.group.misses
    shown = next(
        result
        for result in results
        if (result.condition, result.misses, result.exits) == (condition, misses, findings.match)
    )
    spec = explore_chart(
        results, {name: colour for name, (colour, _) in colours.items()}, findings.noun, shown
    )
    return Section(
        TITLE,
        [
            f"Networks and {findings.noun} under other conventions of missed responses and other matches of exits with "
            "response times. Point at a mark for its interval and the number of images.",
            *_absent(findings),
        ],
        html=_chart(spec),
    )


def _absent(findings: Findings) -> list[str]:
    """State which networks are not in the chart, and why."""
    names = list(dict.fromkeys(row.network for row in findings.accuracies))
    return [f"Not in the chart: {', '.join(names)}, because {REASON}."] if names else []


def _results(findings: Findings, seed: int) -> list[Choice]:
    """Compute the results of all choices, with those of the page among them."""
    group = findings.group
    if group is None:
        return []
    return choices(
        findings.evaluations,
        group,
        misses=list(dict.fromkeys([*MISSES, group.misses])),
        matches=list(dict.fromkeys([*EXITS, Exits(findings.match)])),
        seed=seed,
    )


def _chart(spec: object) -> str:
    return (
        "<noscript><p class='faint'>The choices need JavaScript. The figures and tables of this page do not."
        "</p></noscript>"
        "<div id='explore' hidden><div id='explore-controls'></div><div id='explore-chart'></div></div>"
        f"<script type='application/json' id='explore-spec'>{_json(spec)}</script>"
    )


def _json(value: object) -> str:
    """Format JSON that cannot end a script element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace(
        "<", "\\u003c"
    )


def scripts(available: Libraries | None, *, chart: bool) -> str:
    """Return the scripts for the end of the page; empty without the libraries.

    Args:
        available: Libraries.
        chart: Whether the page has the chart.
    """
    if available is None:
        return ""
    source = resources.files("convrnn_experiments.report").joinpath("page.js").read_text(encoding="utf-8")
    module = base64.b64encode(available.tables.encode("utf-8")).decode("ascii")
    address = html.escape(f"data:text/javascript;base64,{module}", quote=True)
    bundle = available.vega.replace("</script", "<\\/script")
    vega = f"<script>{bundle}</script>" if chart else ""
    return f"{vega}<script type='module'>{source.replace('TABLES_MODULE', address)}</script>"
