"""Synthetic runs, their findings and their report page."""

import pytest

from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.differences import differences
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import build
from convrnn_experiments.report.findings import Findings


@pytest.fixture(scope="session")
def blur(tmp_path_factory, human_data, make_run):
    return make_run(tmp_path_factory.mktemp("runs") / "blur", "blur", human_data)


@pytest.fixture(scope="session")
def runs(tmp_path_factory, human_data, make_run):
    folder = tmp_path_factory.mktemp("runs")
    return [
        make_run(folder / "color", "color", human_data),
        make_run(folder / "blur <b>", "blur", human_data, steps=3),
    ]


@pytest.fixture(scope="session")
def page(tmp_path_factory, runs, human_data):
    return build.write_report(runs, tmp_path_factory.mktemp("page") / "report/index.html", human=human_data)


@pytest.fixture(scope="session")
def findings(runs, human_data):
    evaluations = read_evaluations(runs)
    group = read_observer_group(human_data)
    rows = compare(evaluations, group)
    return Findings(evaluations, group, rows, differences(rows), Exits.INDEX)


@pytest.fixture(scope="session")
def several(tmp_path_factory, human_data, make_run, without_figures):
    """Page on three networks in two conditions, whose figures are not drawn."""
    folder = tmp_path_factory.mktemp("several")
    names = [("blur", "blur"), ("blur, seed 1", "blur"), ("color", "color")]
    rows = [
        make_run(folder / name, regime, human_data, seed=seed) for seed, (name, regime) in enumerate(names)
    ]
    with without_figures():
        return build.write_report(rows, folder / "page/index.html", human=human_data)
