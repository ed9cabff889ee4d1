"""Stimuli that are missing from a test set."""

import shutil

from convrnn_data import list_stimuli
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.conditions import Regime
from convrnn_experiments.observers.stimulus_checks import missing_stimuli


def test_what_a_test_set_lacks_is_said_before_it_is_evaluated(tmp_path, seen):
    whole = missing_stimuli(seen, Regime.BLUR)
    assert whole == []
    half = tmp_path / "human"
    shutil.copytree(seen, half)
    for block, kept in ((0, 30), (3, 0)):
        for path in sorted((half / "BlurSplit_color" / str(block)).iterdir())[kept:]:
            path.unlink()
    incomplete, missing = "incomplete: blur, block 0: 30 of 48 images", "missing: "
    said = missing_stimuli(half, Regime.BLUR)
    assert said[:2] == [incomplete, "incomplete: blur, block 3: 0 of 48 images"]
    # Of the 66 images lost, those that somebody was shown after practice.
    table = read_observer_group(seen).table
    blur = table[table["experiment"] == "blur"]
    here = {(one.block, one.name) for one in list_stimuli(half)}
    keys = list(zip(blur["block"], blur["file_name"], strict=True))
    lost = [key for key in keys if key not in here]
    assert said[2:] == [
        f"{missing}{len(set(lost))} images, which observers were shown in {len(lost)} of {len(blur)} trials"
    ]
    assert missing_stimuli(half, Regime.NOISE) == []
    for path in half.glob("jatos*"):
        path.unlink()
    assert missing_stimuli(half, Regime.BLUR) == said[:2]
