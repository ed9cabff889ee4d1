"""Sections drawn in several processes."""

import os
from pathlib import Path

import pytest

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.report import build
from convrnn_experiments.report.drawing import draw_sections
from convrnn_experiments.report.html import Section


def test_page_does_not_depend_on_the_number_of_processes(runs, human_data, tmp_path):
    pages = [
        build.write_report(runs, tmp_path / str(workers) / "index.html", human=human_data, workers=workers)
        for workers in (1, 2)
    ]
    alone, together = (
        {
            path.relative_to(page.parent): path.read_bytes()
            for path in page.parent.rglob("*")
            if path.is_file()
        }
        for page in pages
    )
    assert alone.keys() == together.keys() > {Path("index.html")}
    assert [str(path) for path in alone if alone[path] != together[path]] == []


def _named(findings, colours):
    return Section(f"{len(findings.networks)} networks in process {os.getpid()}")


def _nothing(findings, colours):
    return None


def _failing(findings, colours):
    raise ConvRNNError("cannot draw this: it must exist, got nothing")


def test_sections_are_numbered_and_made_elsewhere(findings):
    made = dict(draw_sections(findings, [_named, _nothing, _named], 2))
    assert made.keys() == {0, 1, 2}
    assert made[1] is None
    assert made[0].title.startswith(f"{len(findings.networks)} networks in process ")
    assert not made[0].title.endswith(f" {os.getpid()}")
    ((_, here),) = draw_sections(findings, [_named], None)
    assert here.title.endswith(f" {os.getpid()}")


def test_error_of_a_process_is_raised(findings):
    with pytest.raises(ConvRNNError, match=r"^cannot draw this: it must exist, got nothing$"):
        list(draw_sections(findings, [_failing, _failing], 2))
