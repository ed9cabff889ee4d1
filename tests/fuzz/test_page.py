"""The page of fuzzing is what its results say."""

import json
from collections import Counter
from pathlib import Path

import pytest
from fuzz.fixed import FIXED
from fuzz.page import page, write
from fuzz.runner import Result
from fuzz.targets import TARGETS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_that_of_the_results():
    kept = DOCS / "fuzzing.json"
    if not kept.is_file():
        pytest.skip("`make fuzz` has not been run here")
    rows = json.loads(kept.read_text(encoding="utf-8"))
    assert (DOCS / "fuzzing.md").read_text(encoding="utf-8") == page(rows, list(TARGETS))
    for row in rows.values():
        assert row["accepted"] + row["refused"] <= row["inputs"]
        assert sum(row["messages"].values()) == row["refused"]


def test_what_was_fixed_is_of_parsers_that_there_are():
    assert set(FIXED) <= set(TARGETS)


def test_later_results_replace_those_of_the_same_parser_alone(tmp_path):
    one = Result("tar", 5, 2, 3, messages=Counter({"a | b": 2, "c": 1}))
    write(tmp_path / "t", [one, Result("name", 7, 7, 0)], 0, ["name", "tar", "load"])
    write(tmp_path / "t", [Result("tar", 9, 4, 5, messages=Counter({"a": 5}))], 1, ["name", "tar", "load"])
    text = (tmp_path / "t.md").read_text(encoding="utf-8")
    assert "| `name` | 7 | 7 | 0 | 0 | 0% | 0 |" in text
    assert "| `tar` | 9 | 4 | 5 | 1 | 56% | 0 |" in text
    assert "**Not run for this page:** `load`." in text
    assert "seed 0" in text
    assert "seed 1" in text
