"""Write each package's import graph into architecture.md, from the sources."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("architecture.md")
PACKAGES = ("convrnn_data", "convrnn_model", "convrnn_experiments")
EXCLUDED = ("__init__", "cli")
"""Modules outside the graph: the public interface and the command import everything."""


def folder(package: str) -> Path:
    """Return the directory of a package's sources."""
    return ROOT / "packages" / package.replace("_", "-") / "src" / package


def imports(path: Path) -> Iterator[str]:
    """Yield the absolute name of every module or attribute that a file imports, including in functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph(package: str) -> dict[str, set[str]]:
    """Return the units of a package, subpackages and top-level modules, and the units that each imports."""
    root = folder(package)
    files = {path: path.relative_to(root).with_suffix("").parts[0] for path in sorted(root.rglob("*.py"))}
    edges: dict[str, set[str]] = {unit: set() for unit in files.values() if unit not in EXCLUDED}
    for path, unit in files.items():
        for name in imports(path) if unit in edges else ():
            top, _, rest = name.partition(".")
            if top == package:
                target = rest.partition(".")[0]
                assert target in edges, f"{path} imports {name}, which belongs to {' or '.join(EXCLUDED)}"
                edges[unit] |= {target} - {unit}
    return edges


def importers_first(edges: dict[str, set[str]]) -> list[str]:
    """Return the units in an order in which each imports only later ones.

    Raises:
        graphlib.CycleError: the graph has a cycle.
    """
    sorter = TopologicalSorter(edges)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), reverse=True)
        order += ready
        sorter.done(*ready)
    return order[::-1]


def page(text: str) -> str:
    """Return the text of architecture.md with updated tables."""
    for package in PACKAGES:
        start, end = f"<!-- {package} -->\n", f"<!-- end of {package} -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        text, count = pattern.subn(lambda _: start + _table(package) + end, text)  # noqa: B023
        assert count == 1, f"{PAGE} lacks {start}"
    return text


def _table(package: str) -> str:
    edges = graph(package)
    rows = [f"| {_label(package, unit)} | {_summary(package, unit)} | {_names(edges[unit])} |"
            for unit in importers_first(edges)]  # fmt: skip
    return "\n".join(["", "| | contents | imports |", "|---|---|---|", *rows, "", ""])


def _label(package: str, unit: str) -> str:
    return f"`{unit}/`" if (folder(package) / unit).is_dir() else f"`{unit}.py`"


def _names(units: set[str]) -> str:
    return ", ".join(sorted(units)) or "–"


def _summary(package: str, unit: str) -> str:
    """Return the first line of a unit's docstring."""
    path = folder(package) / unit
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{path} has no docstring"
    return docstring.partition("\n")[0].removesuffix(".").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
