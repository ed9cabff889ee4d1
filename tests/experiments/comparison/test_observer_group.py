"""Images and trials that networks and observers share."""

from dataclasses import replace

import numpy as np
import pytest

from convrnn_data import list_stimuli
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group, trial_keys
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.statistics import measures


def half_answered(human_data, tmp_path, right_half):
    """Return observers who were shown half of the color images, and answers that are right on one half."""
    stimuli = sorted(
        (s for s in list_stimuli(human_data) if s.regime == "color"), key=lambda s: (s.label, str(s.parsed))
    )
    half = np.arange(len(stimuli)) % 2 == 0
    shown = {(one.block, one.name) for one, in_half in zip(stimuli, half, strict=True) if in_half}
    group = read_observer_group(human_data)
    table = group.table
    keys = zip(table["block"], table["file_name"], strict=True)
    shown_trials = table[[key in shown for key in keys]]
    shown_trials.attrs = table.attrs
    return replace(group, table=shown_trials), np.repeat((half if right_half else ~half)[:, None], 8, axis=1)


@pytest.mark.parametrize(("right_half", "percent"), [(True, 100), (False, 0)])
def test_only_images_that_observers_answered_are_compared(
    human_data, make_run, tmp_path, right_half, percent
):
    group, right = half_answered(human_data, tmp_path, right_half)
    (one,) = read_evaluations([make_run(tmp_path / "color", "color", human_data, right=right)])
    (row,) = compare([one], group)
    assert [block.value for block in row.network] == [percent] * 5
    assert row.shared.not_shown >= len(right) / 2
    assert row.image_count + row.shared.not_shown + row.shared.not_answered == len(right)
    human_curve = [block.value for block in row.human]
    assert row.estimates["sat_rmse_raw"].value == pytest.approx(measures.sat_rmse([percent] * 5, human_curve))


def test_an_image_that_every_observer_missed_is_not_compared(human_data, make_run, tmp_path):
    group = read_observer_group(human_data)
    table = group.table.copy()
    answered = (table["level"] == "c") & (table["block"] == 2) & ~table["missed"]
    image = table[answered]["file_name"].iloc[0]
    trials_of_image = (table["file_name"] == image) & (table["block"] == 2)
    table.loc[trials_of_image, ["missed", "correct"]] = [True, False]
    table.loc[trials_of_image, "response"] = None
    table.loc[trials_of_image, "response_time"] = np.nan
    table.loc[trials_of_image, "score"] = 1 / 16
    table.attrs = group.table.attrs
    evaluations = read_evaluations([make_run(tmp_path / "color", "color", human_data)])
    (before,), (after,) = (compare(evaluations, one) for one in (group, replace(group, table=table)))
    assert after.image_count == before.image_count - 1
    assert after.shared.not_answered == before.shared.not_answered + 1


def test_a_level_shown_to_no_observer_is_not_compared(human_data, blur):
    group = read_observer_group(human_data)
    table = group.table[group.table["level"] != "9"]
    table.attrs = group.table.attrs
    rows = compare(read_evaluations([blur]), replace(group, table=table))
    assert [row.condition for row in rows] == ["blur 0", "blur 3", "blur (all levels)"]
    assert "9" not in rows[-1].answers.levels
    assert rows[-1].cell_count == 10
    single = compare(
        read_evaluations([blur]), replace(group, table=_with_attrs(table[table["level"] != "3"], table))
    )
    assert [(row.condition, row.pooled) for row in single] == [("blur 0", True)]


def _with_attrs(table, other):
    table.attrs = other.attrs
    return table


def test_networks_on_the_same_images_share_the_selection(human_data, blur):
    group = read_observer_group(human_data)
    (evaluation,) = read_evaluations([blur])
    answers = evaluation.answers
    shared = group.shared_with("blur", answers)
    assert group.shared_with("blur", replace(answers, answers=answers.answers[:, :1])) is shared
    some = group.shared_with("blur", answers.of(np.arange(40)))
    assert len(some.images) == 40 < len(shared.images)
    assert group.scored_by("chance") is group
    wrong = group.scored_by("wrong").shared_with("blur", answers)
    assert 1 / 16 in shared.observers.scores
    assert 1 / 16 not in wrong.observers.scores


def test_trial_keys_are_unique_and_without_exits(blur):
    (one,) = read_evaluations([blur])
    keys = trial_keys(one.answers)
    assert len(set(keys)) == len(keys)
    assert all("_exit" not in name for _, name in keys)
