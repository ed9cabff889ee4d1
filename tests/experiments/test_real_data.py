"""The check of the readers on public trial CSVs, on invented ones."""

import importlib.util
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from trials_by_hand import HEADER, NETWORKS, PEOPLE

from convrnn_data.categories import CATEGORIES

SCRIPT = Path(__file__).parents[2] / "benchmarks/real_data.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("real_data_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    """Four people and two networks on the same 320 images of two conditions, and the files written by hand."""
    rng = np.random.default_rng(0)
    for rater in ("subject-01", "subject-02", "subject-03", "subject-04", "resnet50", "vgg"):
        person = rater.startswith("subject")
        who = f"s{rater[-2:]}" if person else "dnn"
        lines = [HEADER]
        for trial, image in enumerate(rng.permutation(320) if person else range(320), start=1):
            category, condition = CATEGORIES[image % 16], ("0.10", "inf")[image % 2]
            answer = rng.choice([category, CATEGORIES[rng.integers(16)]])
            rt = f"{rng.gamma(4, 0.2):.15g}" if person else "NaN"
            if person and rng.random() < 0.05:
                answer, rt = "na", "NaN"
            name = f"{trial:04d}_con_{who}_{condition}_{category}_10_n{image:08d}_{image}.png"
            lines.append(f"{rater},1,{trial},{rt},{answer},{category},{condition},{name}")
        separator = "_" if person else "-"
        (tmp_path / f"contrast_{rater}_session{separator}1.csv").write_text("\n".join(lines) + "\n")
    for name, text in (PEOPLE | NETWORKS).items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_lines_cells_and_kappas_agree(benchmark, folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["real_data.py", str(folder)])
    assert benchmark.main() == 0
    out = capsys.readouterr().out
    people, networks = 4 * 320 + 9, 2 * 320 + 3
    assert (
        f"{people + networks:,} lines in 13 files = {people:,} trials of people + {networks} networks" in out
    )
    assert "cells that differ: none" in out
    assert int(re.search(r"error consistency: (\d+) pairs in 7 conditions", out)[1]) >= 2 * 15
    assert float(out.rpartition("fractions ")[2]) <= benchmark.TOLERANCE


def test_a_line_that_cannot_be_read_is_counted(benchmark, folder):
    path = folder / "contrast_subject-01_session_1.csv"
    path.write_text(path.read_text().replace("subject-01,1,5,", "subject-01,1,6,"))
    lines = benchmark.read_lines(folder)
    assert benchmark.check_counts(folder, lines) == []


def test_a_change_in_the_table_fails(benchmark, folder, monkeypatch):
    original = benchmark.long_table

    def changed(*arguments, **options):
        table, reading = original(*arguments, **options)
        table.loc[table.index[0], "response_time"] += 1e-6
        return table.drop(index=table.index[-1]), reading

    monkeypatch.setattr(benchmark, "long_table", changed)
    failures = benchmark.check_counts(folder, benchmark.read_lines(folder))
    assert failures == ["lines and trials differ", "column rt: 1 cells differ"]


def test_a_change_in_the_answers_fails(benchmark, folder, monkeypatch):
    original = benchmark.error_consistency
    monkeypatch.setattr(benchmark, "error_consistency", lambda a, b: original(a, b) + 2e-12)
    assert benchmark.check_consistency(folder, benchmark.read_lines(folder)) == [
        "error consistency differs by 2.0e-12"
    ]


def test_kappa_by_hand(benchmark):
    a = {"1": True, "2": True, "3": False, "4": False, "5": True}
    b = {"1": True, "2": False, "3": False, "4": False, "6": True}
    assert benchmark.kappa(a, b) == Fraction(1, 2)  # 3 of 4 agree, 1 of 2 by chance
    assert benchmark.kappa({"1": True}, {"1": True}) is None
    assert benchmark.kappa({"1": True}, {"2": True}) is None


def test_without_a_folder_the_check_is_skipped(benchmark, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["real_data.py"])
    assert benchmark.main() == 0
    assert capsys.readouterr().out.startswith("Skipped: ")
