"""One self-contained page on evaluated runs; its pictures and tables lie beside it as files."""

import base64
import csv
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convrnn_experiments import figures
from convrnn_experiments.conditions import CONDITIONS, Regime
from convrnn_experiments.config import Config
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs import Run, written

INTERVALS = "Bands and brackets are 95 % bootstrap intervals over images."


@dataclass(frozen=True)
class Result:
    """One evaluation of one run."""

    run: Run
    config: Config
    environment: dict[str, Any]
    name: str
    measures: dict[str, Any]

    @property
    def title(self) -> str:
        """What was trained on what, tested on what."""
        regime = Regime(self.measures["regime"])
        label = CONDITIONS[regime].label
        return label if regime == self.config.perturb else f"{label}, trained on {self.config.perturb}"


def results_of(paths: Sequence[Path]) -> list[Result]:
    """Every evaluation of every run, in the order given, then by name.

    Raises:
        ConvRNNError: a folder is no run, is unfinished, or has not been evaluated.
    """
    found = []
    for path in paths:
        run = Run(path)
        run.require_finished()
        measured = sorted(path.glob("evaluation/*/measures.json"))
        if not measured:
            raise ConvRNNError(f"{path} has not been evaluated; do `convrnn evaluate {path} TESTSET` first")
        environment = json.loads((path / "environment.json").read_text())
        config = run.config()
        found += [
            Result(run, config, environment, file.parent.name, json.loads(file.read_text()))
            for file in measured
        ]
    return found


def write(paths: Sequence[Path], page: Path) -> Path:
    """Write the page; returns its path.

    Args:
        paths: evaluated runs.
        page: the HTML file; `NAME.png` and `NAME.csv` are written beside it.
    """
    results = results_of(paths)
    if page.is_dir():
        raise ConvRNNError(f"{page} is a folder; --out takes the page's file name, such as {page}/index.html")
    picture = figures.png(figures.accuracy_curves([_panel(result) for result in results]))
    with written(page.with_name("accuracy.png")) as path:
        path.write_bytes(picture)
    rows = [row for result in results for row in _rows(result)]
    with written(page.with_name("accuracy.csv")) as path, path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with written(page) as path:
        path.write_text(_page(results, picture), encoding="utf-8")
    return page


def _panel(result: Result) -> dict[str, Any]:
    condition = CONDITIONS[Regime(result.measures["regime"])]
    levels = result.measures["accuracy_by_level"]
    lines = levels if len(levels) > 1 else {"all": result.measures["accuracy"]}
    where = "validation images" if result.name.startswith("val-") else "human stimuli"
    return {"title": f"{result.title}\n{where}", "unit": condition.unit, "lines": lines}


def _rows(result: Result) -> list[dict[str, Any]]:
    tables = {"all": result.measures["accuracy"], **result.measures["accuracy_by_level"]}
    return [
        {
            "run": result.run.path.name,
            "test_set": result.name,
            "level": level,
            "time_step": step + 1,
            "accuracy_percent": f"{line['percent'][step]:.3f}",
            "low": f"{line['low'][step]:.3f}",
            "high": f"{line['high'][step]:.3f}",
            "images": line["images"],
        }
        for level, line in tables.items()
        for step in range(len(line["percent"]))
    ]


STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --faint: #666; --line: #ddd; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181c; --faint: #a0a0a0; --line: #383c42; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } figure { margin: 1.5rem 0; } figcaption, .faint { color: var(--faint); font-size: .9rem; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 6px; padding: 6px; box-sizing: border-box; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } td small { color: var(--faint); display: block; }
dt { font-weight: 600; margin-top: .6rem; } dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { max-width: none; } img { break-inside: avoid; } }
"""


def _page(results: Sequence[Result], picture: bytes) -> str:
    encoded = base64.b64encode(picture).decode()
    tables = "\n".join(_table(result) for result in results)
    made = "\n".join(_provenance(result) for result in _one_per_run(results))
    alt = "Accuracy over time steps, a panel per regime, with 95 percent intervals and the chance level."
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Accuracy over time</title><link rel="icon" href="data:,"><style>{STYLE}</style></head><body>
<h1>Accuracy over time</h1>
<p>What the network answers at each time step, and how often it is right. Chance is {figures.CHANCE:.2f} %.
{INTERVALS}</p>
<figure><img src="data:image/png;base64,{encoded}" alt="{alt}">
<figcaption>Accuracy by time step. {INTERVALS}</figcaption></figure>
{tables}
<h2>What was run</h2>
{made}
</body></html>
"""


def _table(result: Result) -> str:
    lines = {"all": result.measures["accuracy"], **result.measures["accuracy_by_level"]}
    if len(lines) == 2:
        lines.pop("all")
    steps = range(len(result.measures["accuracy"]["percent"]))
    head = "".join(f"<th>{step + 1}</th>" for step in steps)
    body = "".join(f"<tr><td>{html.escape(level)}</td>{_cells(line)}</tr>" for level, line in lines.items())
    unit = CONDITIONS[Regime(result.measures["regime"])].unit or "level"
    title = f"{html.escape(result.title)}: {html.escape(result.run.path.name)} on {html.escape(result.name)}"
    return (
        f"<h2>{title}</h2><div class='wide'><table><thead><tr><th>{unit} \\ time step</th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div><p class='faint'>Accuracy, %, over {result.measures['images']} images.</p>"
    )


def _cells(line: dict[str, Any]) -> str:
    values = zip(line["percent"], line["low"], line["high"], strict=True)
    return "".join(
        f"<td>{value:.1f}<small>{low:.1f} to {high:.1f}</small></td>" for value, low, high in values
    )


def _one_per_run(results: Sequence[Result]) -> list[Result]:
    return list({result.run.path: result for result in results}.values())


def _provenance(result: Result) -> str:
    config = ", ".join(
        f"{key} {value}" for key, value in result.config.to_json().items() if value not in ("", None)
    )
    versions = ", ".join(f"{name} {version}" for name, version in result.environment["versions"].items())
    epochs = len(result.run.history())
    return (
        f"<dl><dt>{html.escape(str(result.run.path))}</dt><dd><code>{html.escape(result.environment['command'])}</code>"
        f"</dd><dd class='faint'>{epochs} epochs; {html.escape(config)}</dd><dd class='faint'>{html.escape(versions)}"
        "</dd></dl>"
    )
