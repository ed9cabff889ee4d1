"""Tables about the observers."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd

from convrnn_experiments.comparison.observer_group import read_observer_group
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.report import observer_tables


def test_trials_without_a_stimulus_are_counted(tmp_path, human_data, make_run):
    """Delete half of the stimuli, as after an incomplete download."""
    half = tmp_path / "human"
    shutil.copytree(human_data, half)
    lost = [path for path in half.glob("BlurSplit_color/*/*.JPEG") if int(path.name.split("_")[0]) % 2]
    for path in lost:
        path.unlink()
    run = make_run(tmp_path / "blur", "blur", half)
    group = read_observer_group(human_data)
    (row,) = [
        row
        for row in observer_tables.observers(group, read_evaluations([run]))
        if row["experiment"] == "blur"
    ]
    table = group.table[group.table["experiment"] == "blur"]
    expected = sum(int(name.split("_")[0]) % 2 for name in table["file_name"])
    assert 0 < expected == row["trials_without_stimulus"] == len(table) - row["trials_kept"]
    trials = pd.DataFrame(observer_tables.trials(group, read_evaluations([run])))
    assert trials.loc[trials["experiment"] == "blur", "without_stimulus"].sum() == expected
    assert trials.loc[trials["experiment"] == "noise", "without_stimulus"].sum() == 0


def test_tables_about_observers_are_on_the_most_images(findings):
    row = findings.pooled[0]
    answers = row.answers.of(np.arange(row.image_count) < 20)
    observers = row.observers.select(np.arange(row.image_count) < 20)
    few = replace(row, answers=answers, shared=replace(row.shared, observers=observers))
    alone = observer_tables.misses_wide([row])
    assert observer_tables.misses_wide([row, few]) == observer_tables.misses_wide([few, row]) == alone
    assert observer_tables.misses_wide([few]) != alone
