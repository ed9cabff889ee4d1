"""BibTeX entries."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from convrnn_experiments.report.citations import bibtex

CFF = Path(__file__).parents[3] / "CITATION.cff"


def keys(text):
    return re.findall(r"^@\w+\{(\w+),$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("recurrent", "human", "cited"),
    [
        (True, True, ["spoerer", "subramanian", "geirhos2018", "geirhos2020", "convrnn"]),
        (False, True, ["subramanian", "geirhos2018", "geirhos2020", "convrnn"]),
        (True, False, ["spoerer", "geirhos2018", "convrnn"]),
    ],
)
def test_what_is_used_is_cited(recurrent, human, cited):
    found = keys(bibtex(recurrent=recurrent, human=human))
    assert len(found) == len(cited)
    assert all(key.startswith(start) for key, start in zip(found, cited, strict=True))


def test_entries_are_balanced_and_name_the_version():
    text = bibtex(recurrent=True, human=True)
    assert text.count("{") == text.count("}")
    assert f"version = {{{version('convrnn-experiments')}}}" in text
    assert "VERSION" not in text


@pytest.mark.skipif(not CFF.is_file(), reason="CITATION.cff is in the repository only")
def test_entries_agree_with_the_citation_file():
    cff, text = CFF.read_text(encoding="utf-8"), bibtex(recurrent=True, human=True)
    for field in re.findall(r'^ *(?:title|doi): "?(.*?)"?$', cff, re.MULTILINE):
        assert field in text
    for family, given in re.findall(r"family-names: (.*?), given-names: (.*?)\}", cff):
        assert f"{family}, {given}" in text
