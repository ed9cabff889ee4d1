"""Counts of observers' trials: every trial found is counted once."""

import json

import pandas as pd
import pytest
from answers_by_hand import five_blocks, practice, response, session

from convrnn_data.observers.exclusions import exclude
from convrnn_data.observers.table import read_observers, scored_trials
from convrnn_data.observers.trial_counts import count_observers, count_trials

PARTS = ["unreadable", "excluded", "practice", "late", "without_stimulus", "kept"]


@pytest.fixture
def table(tmp_path):
    hit, miss = response("50_blur_9_cat.JPEG", "cat", 450), response("51_blur_9_dog.JPEG", None, 750)
    slow, late_miss = response("52_blur_9_car.JPEG", "car", 2000), response("53_blur_9_bear.JPEG", None, 2000)
    sharp = response("54_blur_0_bear.JPEG", "bear", 450)
    level = {**response("55_blur_9_bear.JPEG", "bear", 450), "mode": "3"}
    nameless = {**sharp, "filename": "image.png"}
    lines = [
        session("2582", five_blocks([hit, miss, slow, late_miss, sharp])),
        session("2583", five_blocks([hit, hit, miss, level, nameless])),
        session("2581", five_blocks([hit, miss])),
        session("2581", {0: practice()}),
        json.dumps([{"sender": "Welcome", "url": {"srid": "9"}}])[:-4],
    ]
    path = tmp_path / "jatos_results_1.txt"
    path.write_text("\n".join(lines))
    return read_observers(path, all_trials=True, max_unreadable=1)


def test_every_trial_found_is_counted_once(table):
    excluded = exclude(table, named=["satbench"]).attrs["excluded"]
    for stimuli in (None, {(block, "50_blur_9_cat.JPEG") for block in range(5)}):
        counts = count_trials(table, excluded=excluded, stimuli=stimuli)
        assert (counts[PARTS].sum(axis=1) == counts["found"]).all()
        assert counts["found"].sum() == 5 * (15 + 15 + 12)
        assert counts["unreadable"].sum() == sum(table.attrs["unreadable"].values()) == 10
        assert counts["excluded"].sum() == 5 * 12
        assert counts["practice"].sum() == 5 * 2 * 10


def test_trials_are_counted_by_block_and_level(table):
    excluded = exclude(table, named=["satbench"]).attrs["excluded"]
    stimuli = {(block, "50_blur_9_cat.JPEG") for block in range(5)}
    counts = count_trials(table, excluded=excluded, stimuli=stimuli).set_index(["level", "block"])
    assert counts["beep"].unstack("level")["9"].tolist() == [500, 900, 1100, 1300, 1500]
    blurred = counts.loc[("9", 2)]
    # Two hits of one, one of the other; three misses, of which one was recorded late; one answer out of time.
    assert blurred[["observers", "kept", "missed", "late", "missed_late", "without_stimulus"]].tolist() == [
        2, 3, 3, 1, 1, 3
    ]  # fmt: skip
    assert blurred["missed_percent"] == 50
    # No stimulus of level 0 exists: the level is not compared, so no stimulus is counted as missing.
    assert counts.loc[("0", 2), ["kept", "without_stimulus"]].tolist() == [1, 0]
    assert counts.loc[("9", 2), "unreadable"] == 1
    assert counts.loc[("", 2), ["found", "unreadable"]].tolist() == [1, 1]
    assert pd.isna(counts.loc[("", 2), "missed_percent"])


def test_observers_are_counted_with_the_reasons_of_their_exclusion(table):
    excluded = exclude(scored_trials(table), named=["satbench"], misses=0.4).attrs["excluded"]
    counts = count_observers(table, excluded=excluded).set_index("experiment")
    blur = counts.loc["blur"]
    assert blur[["found", "excluded", "kept", "simulated"]].tolist() == [3, 2, 1, 0]
    assert blur["reasons"] == "in satbench: 1; missed > 0.4: 1"
    assert counts.loc["", ["found", "unreadable", "repeated"]].tolist() == [2, 1, 1]
