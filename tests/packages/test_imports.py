"""Imports: no cycles within a package, and none between independent packages."""

import pytest
from write_architecture import PACKAGES, PAGE, folder, graph, importers_first, imports, page

ALLOWED = {
    "convrnn_data": set(),
    "convrnn_model": set(),
    "convrnn_experiments": {"convrnn_data", "convrnn_model"},
}


@pytest.mark.parametrize("package", PACKAGES)
def test_subpackages_and_modules_import_each_other_without_cycles(package):
    edges = graph(package)
    order = importers_first(edges)
    assert sorted(order) == sorted(edges)
    for position, unit in enumerate(order):
        assert edges[unit] <= set(order[position + 1 :])


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_allowed_packages(package):
    imported = {name.partition(".")[0] for path in folder(package).rglob("*.py") for name in imports(path)}
    assert imported & set(PACKAGES) - {package} == ALLOWED[package]


def test_the_page_shows_the_graph_of_the_sources():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run .venv/bin/python docs/write_architecture.py"
