import json
import re
from pathlib import Path

import numpy as np
import pytest

from convrnn_data.categories import CATEGORIES
from convrnn_data.human.experiment import BEEPS, GRACE
from convrnn_data.sample import simulated_observers
from convrnn_data.sample.sample import FOLDERS, draw_sample

GRAMMAR = re.compile(r"(\d+)_(color_gray|noise|blur)_(c|g|0|0\.04|0\.16|3|9)_([a-z]+)\.JPEG")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    out = tmp_path_factory.mktemp("drawn") / "new" / "sample"
    draw_sample(out, seed=3, **SMALL)
    return out


SMALL = {"images_per_category": 2, "trials": 16, "observers": 2}


def rows_of(path: Path) -> list[list[dict]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("[") for line in lines)
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("experiment", FOLDERS)
def test_simulated_answers_have_the_rows_of_the_protocol(drawn, experiment):
    observers = rows_of(drawn / "human" / f"jatos_results_simulated_{experiment}.txt")
    assert [rows[0]["url"]["srid"] for rows in observers] == ["simulated-01", "simulated-02"]
    for number, rows in enumerate(observers):
        senders = [row["sender"] for row in rows]
        starts = [i for i, sender in enumerate(senders) if re.fullmatch(r"Screen\d+", sender)]
        screens = [senders[i] for i in starts]
        ascending = ["Screen0", "Screen400", "Screen600", "Screen800", "Screen1000"]
        assert screens == (ascending if number == 0 else ascending[::-1])
        assert "ScreenCategorizationTutorial" in senders[: starts[0]]
        for start in starts:
            block = ascending.index(senders[start])
            trials = rows[start + 1 : start + 1 + 3 * 16]
            assert [row["sender"] for row in trials] == [
                "Stimulus & Response",
                "inter-stimulus",
                "Trial",
            ] * 16
            shown = {path.name for path in (drawn / "human" / FOLDERS[experiment] / str(block)).iterdir()}
            assert {row["filename"] for row in trials[::3]} == shown
            for row in trials[::3]:
                _, _, level, category = GRAMMAR.fullmatch(row["filename"]).groups()
                assert (row["mode"], row["category"], row["order"]) == (level, category, 1 - 2 * number)
                assert row["correct"] == (row.get("response") == category)
                last = list(BEEPS.values())[block] + GRACE
                if "response" in row:
                    assert 0 < row["duration"] <= last
                else:
                    assert last <= row["duration"] < last + 18


def simulated_blocks(experiment, level, observers):
    """Return the response rows of each observer and block, with 208 trials, and of the tutorials."""
    stimuli = [
        [(f"{i}_{experiment}_{level}_{name}.JPEG", level, name) for i, name in enumerate(CATEGORIES * 13)]
        for _ in range(5)
    ]
    blocks, tutorials = [], []
    for number in range(observers):
        rows = json.loads(simulated_observers.simulate_observer(experiment, number, stimuli))
        trials = [row for row in rows if row["sender"] == "Stimulus & Response"]
        tutorials.append(trials[: simulated_observers.TUTORIAL_TRIALS])
        trials = trials[simulated_observers.TUTORIAL_TRIALS :]
        parts = [trials[start : start + 208] for start in range(0, 5 * 208, 208)]
        blocks.append(parts[:: 1 if number % 2 == 0 else -1])
    return blocks, tutorials


@pytest.fixture(scope="module")
def noiseless():
    return simulated_blocks("noise", "0", 24)


def test_simulated_observers_follow_the_curves_if_a_miss_scores_chance(noiseless):
    scores = [
        [np.mean([row["correct"] if "response" in row else 1 / 16 for row in trials]) for trials in blocks]
        for blocks in noiseless[0]
    ]
    assert 100 * np.mean(scores, axis=0) == pytest.approx(simulated_observers.CURVES["noise"]["0"], abs=4)


def test_simulated_observers_miss_as_often_as_humans_and_differ(noiseless):
    missed = np.array(
        [[np.mean(["response" not in row for row in trials]) for trials in blocks] for blocks in noiseless[0]]
    )
    assert missed.mean(axis=0) == pytest.approx([0.60, 0.50, 0.33, 0.28, 0.23], abs=0.06)
    # Observers differ by more than sampling noise in 208 trials, consistently over blocks.
    assert missed[:, 2].std() > 2 * np.sqrt(0.33 * 0.67 / 208)
    assert np.corrcoef(missed[:, 0], missed[:, 4])[0, 1] > 0.7


def test_simulated_observers_are_as_fast_as_humans(noiseless):
    times = [
        np.mean([row["duration"] for blocks in noiseless[0] for row in blocks[block] if "response" in row])
        for block in range(5)
    ]
    assert times == pytest.approx([634, 970, 1140, 1311, 1481], abs=6)


def test_the_tutorial_has_fifty_trials_for_any_number_of_stimuli(noiseless, drawn):
    assert {len(trials) for trials in noiseless[1]} == {50}
    for rows in rows_of(drawn / "human" / "jatos_results_simulated_blur.txt"):
        senders = [row["sender"] for row in rows]
        first = next(i for i, sender in enumerate(senders) if re.fullmatch(r"Screen\d+", sender))
        assert senders[:first].count("Stimulus & Response") == 50


def test_three_quarters_of_the_color_files_have_three_extra_rows():
    stimuli = [[("1_color_gray_c_cat.JPEG", "c", "cat")]] * 5
    more = []
    for number in range(8):
        senders = [
            row["sender"]
            for row in json.loads(simulated_observers.simulate_observer("color_gray", number, stimuli))
        ]
        fast, slow = senders.index("Screen0"), senders.index("Screen400")
        between = abs(slow - fast) - 1 - 3
        assert between in (0, 3)
        more.append(between == 3)
    assert sum(more) == 6  # 58 of 76 in the real data
