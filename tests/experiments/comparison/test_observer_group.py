"""Images and trials that networks and observers share."""

from dataclasses import replace

import numpy as np
import pytest

from convrnn_data import list_stimuli
from convrnn_experiments.comparison.compare import compare
from convrnn_experiments.comparison.observer_group import read_observer_group, trial_keys
from convrnn_experiments.evaluation.results import read_evaluations
from convrnn_experiments.statistics import measures


def half_answered(seen, tmp_path, right_half):
    """A color run that is right on half of the images, and observers who were shown that half alone."""
    stimuli = sorted(
        (s for s in list_stimuli(seen) if s.regime == "color"), key=lambda s: (s.label, str(s.parsed))
    )
    half = np.arange(len(stimuli)) % 2 == 0
    shown = {(one.block, one.name) for one, there in zip(stimuli, half, strict=True) if there}
    people = read_observer_group(seen)
    table = people.table
    keys = zip(table["block"], table["file_name"], strict=True)
    kept = table[[key in shown for key in keys]]
    kept.attrs = table.attrs
    return replace(people, table=kept), np.repeat((half if right_half else ~half)[:, None], 8, axis=1)


@pytest.mark.parametrize(("right_half", "percent"), [(True, 100), (False, 0)])
def test_only_images_that_people_answered_enter_either_side(seen, make_run, tmp_path, right_half, percent):
    people, right = half_answered(seen, tmp_path, right_half)
    (one,) = read_evaluations([make_run(tmp_path / "color", "color", seen, right=right)])
    (row,) = compare([one], people)
    assert [block.value for block in row.network] == [percent] * 5
    assert row.shared.not_shown >= len(right) / 2
    assert row.image_count + row.shared.not_shown + row.shared.not_answered == len(right)
    people_curve = [block.value for block in row.human]
    assert row.estimates["sat_rmse_raw"].value == pytest.approx(
        measures.sat_rmse([percent] * 5, people_curve)
    )


def test_an_image_that_everybody_missed_enters_neither_side(seen, make_run, tmp_path):
    people = read_observer_group(seen)
    table = people.table.copy()
    answered = (table["level"] == "c") & (table["block"] == 2) & ~table["missed"]
    image = table[answered]["file_name"].iloc[0]
    here = (table["file_name"] == image) & (table["block"] == 2)
    table.loc[here, ["missed", "correct"]] = [True, False]
    table.loc[here, "response"] = None
    table.loc[here, "response_time"] = np.nan
    table.loc[here, "score"] = 1 / 16
    table.attrs = people.table.attrs
    evaluations = read_evaluations([make_run(tmp_path / "color", "color", seen)])
    (before,), (after,) = (compare(evaluations, one) for one in (people, replace(people, table=table)))
    assert after.image_count == before.image_count - 1
    assert after.shared.not_answered == before.shared.not_answered + 1


def test_a_level_that_nobody_was_shown_enters_neither_side(seen, blur):
    people = read_observer_group(seen)
    table = people.table[people.table["level"] != "9"]
    table.attrs = people.table.attrs
    rows = compare(read_evaluations([blur]), replace(people, table=table))
    assert [row.condition for row in rows] == ["blur 0", "blur 3", "blur (all levels)"]
    assert "9" not in rows[-1].answers.levels
    assert rows[-1].cell_count == 10
    single = compare(
        read_evaluations([blur]), replace(people, table=_with_attrs(table[table["level"] != "3"], table))
    )
    assert [(row.condition, row.pooled) for row in single] == [("blur 0", True)]


def _with_attrs(table, other):
    table.attrs = other.attrs
    return table


def test_names_in_every_layout_are_the_same_trials(blur):
    (one,) = read_evaluations([blur])
    keys = trial_keys(one.answers)
    assert len(set(keys)) == len(keys)
    assert all("_exit" not in name for _, name in keys)
