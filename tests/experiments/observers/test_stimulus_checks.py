"""Stimuli that are missing from a test set."""

import shutil

from convrnn_data import list_stimuli
from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.conditions import Regime
from convrnn_experiments.observers.stimulus_checks import missing_stimuli


def test_missing_stimuli_are_reported_before_the_evaluation(tmp_path, human_data):
    assert missing_stimuli(human_data, Regime.BLUR) == []
    half = tmp_path / "human"
    shutil.copytree(human_data, half)
    for block, remaining in ((0, 30), (3, 0)):
        for path in sorted((half / "BlurSplit_color" / str(block)).iterdir())[remaining:]:
            path.unlink()
    incomplete, missing = "incomplete: blur, block 0: 30 of 48 images", "missing: "
    warnings = missing_stimuli(half, Regime.BLUR)
    assert warnings[:2] == [incomplete, "incomplete: blur, block 3: 0 of 48 images"]
    # Of the 66 images lost, those that an observer was shown after practice.
    table = read_observer_group(human_data).table
    blur = table[table["experiment"] == "blur"]
    available = {(one.block, one.name) for one in list_stimuli(half)}
    keys = list(zip(blur["block"], blur["file_name"], strict=True))
    lost = [key for key in keys if key not in available]
    assert warnings[2:] == [
        f"{missing}{len(set(lost))} images, which observers were shown in {len(lost)} of {len(blur)} trials"
    ]
    assert missing_stimuli(half, Regime.NOISE) == []
    for path in half.glob("jatos*"):
        path.unlink()
    assert missing_stimuli(half, Regime.BLUR) == warnings[:2]
